/** Recordings as workloads, workloads as traces, and workloads that are code. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { textOf } from "../../../test/recordings.ts";
import { tempFolder } from "../../../test/temp.ts";
import { tempFile, vmbind } from "./run.ts";

const TIMEOUT = { timeout: 240_000 };

interface Cost {
  workload: string;
  strategy: string;
  blockBytes: number;
  total: Record<string, number>;
  accesses: { access: string; value: number | null }[];
  views: unknown[];
}

async function costs(...argv: string[]): Promise<Cost[]> {
  const { status, out, err } = await vmbind("compare", "--json", "--no-cache", "--jobs", "1", ...argv);
  expect({ status, err: err.replace(/^.*warning.*\n/gm, "") }).toMatchObject({ status: 0 });
  return (JSON.parse(out) as { lab: { costs: Cost[] } }).lab.costs;
}

describe("compare --workload with a trace", () => {
  it("runs it under other strategies: costs, what the GPU reads, and all steps", TIMEOUT, async () => {
    const path = tempFile("mine.trace.jsonl", textOf("nouveau-image-unbound"));
    const strategies = ["panthor-sparse", "asahi-single-page", "xe-null", "amdgpu-prt"];
    const found = await costs("--workload", path, ...strategies.flatMap((name) => ["--strategy", name]));
    expect(found.map(({ strategy }) => strategy)).toEqual(strategies);
    for (const { workload, total, accesses, views } of found) {
      expect(workload).toBe("mine.trace");
      expect(total["bindOps"]).toBeGreaterThan(10);
      expect(views.length).toBeGreaterThan(0);
      // What is bound is read back; what is not, no strategy lets fault.
      expect(accesses.map(({ access }) => access)).toEqual(["write", "read", "write", "read", "read"]);
      expect(accesses.every(({ value }) => value !== null)).toBe(true);
      expect(accesses[1]?.value).toBe(accesses[0]?.value);
    }
    const unbound = Object.fromEntries(found.map(({ strategy, accesses }) => [strategy, accesses[3]?.value]));
    // panthor's dummy keeps what is written to it; the others read zero.
    expect(unbound).toMatchObject({ "asahi-single-page": 0, "xe-null": 0, "amdgpu-prt": 0 });
    expect(unbound["panthor-sparse"]).not.toBe(0);
  });

  it("takes the name of a recording that ships, and lowers its binds as they are", TIMEOUT, async () => {
    const [sparse, xe] = await costs(
      ...["--workload", "msm-image-unbound", "--strategy", "panthor-sparse", "--strategy", "xe-null"],
    );
    expect(sparse?.total["bindOps"]).toBe(xe?.total["bindOps"]);
    // Turnip's blocks are pages, which the kernel below anv takes, too.
    expect(xe?.blockBytes).toBe(4096);
  });

  it("says what is wrong with a trace in which nothing is mapped", async () => {
    const [header] = textOf("xe-buffer-100e6").split("\n");
    const path = tempFile("empty.jsonl", `${header}\n`);
    const { status, err } = await vmbind("compare", "--workload", path);
    expect({ status, err }).toMatchObject({ status: 2 });
    expect(err).toContain("nothing in it can be lifted: it maps nothing");
  });
});

describe("lift", () => {
  it("prints each step with the ioctls that it came from", async () => {
    const { status, out } = await vmbind("lift", "panthor-blackhole-buffer-100e6");
    expect(status).toBe(0);
    const lines = out.split("\n");
    expect(lines).toContain("#12-14 create resource#1, 95.4 MiB at 0x7ffffa000000");
    expect(lines).toContain("#16 destroy resource#1");
    expect(lines).toContain("#1-2 allocate BO 1, 4 KiB at 0xfffff000");
  });

  it("as JSON is a workload file that lowers to what was recorded", TIMEOUT, async () => {
    const { out } = await vmbind("lift", "panthor-sparse-image-3d", "--json");
    const path = tempFile("lifted.json", out);
    const { status, out: text } = await vmbind("lower", path, "--strategy", "panthor-sparse");
    expect(status).toBe(0);
    const recorded = (await vmbind("explain", "panthor-sparse-image-3d", "--ops")).out;
    const operations = (from: string) =>
      from
        .split("\n")
        .flatMap((line) => /^ {4}(MAP SPARSE|MAP memory) .*\+ 0x|^ {4}MAP SPARSE/.exec(line)?.[0] ?? []);
    expect(operations(text).length).toBe(operations(recorded).length);
  });
});

describe("lower --trace", () => {
  it.each(["out.jsonl", "out.jsonl.gz"])(
    "writes %s, which replay, explain and lift take",
    TIMEOUT,
    async (name) => {
      const path = join(tempFolder(), name);
      const lowered = await vmbind(
        "lower",
        "random",
        "--strategy",
        "nouveau-sparse",
        "--size",
        "4MiB",
        "--trace",
        path,
      );
      expect(lowered).toEqual({ status: 0, out: `${path}\n`, err: "" });
      if (!name.endsWith(".gz"))
        expect(readFileSync(path, "utf8")).toMatch(/"sealed":true[\s\S]*\n\{"end":"complete",/);
      expect(await vmbind("replay", "--check", path)).toMatchObject({ status: 0, err: "" });
      expect((await vmbind("explain", path)).out).toContain("-- bind-sparse call=0 ");
      expect((await vmbind("lift", path)).out).toMatch(/^#\d+ create resource#1, 4 MiB at /m);
    },
  );

  it("excludes --json", async () => {
    const argv = ["lower", "random", "--strategy", "xe-null", "--trace", "x.jsonl", "--json"];
    expect(await vmbind(...argv)).toMatchObject({ status: 2, out: "" });
  });
});

describe("explain and explore with --strategy", () => {
  it("tell a workload as the strategy lowers it", TIMEOUT, async () => {
    const { status, out } = await vmbind("explain", "unbound", "--strategy", "msm-null");
    expect(status).toBe(0);
    expect(out).toMatch(/MAP_NULL \[0x100026000, 0x104026000\)/);
    const path = join(tempFolder(), "page.html");
    const explored = await vmbind("explore", "unbound", "--strategy", "xe-null", "--output", path);
    expect(explored).toEqual({ status: 0, out: `${path}\n`, err: "" });
    const [, base64 = ""] = /id="trace"[^>]*>([^<]*)</.exec(readFileSync(path, "utf8")) ?? [];
    expect(gunzipSync(Buffer.from(base64, "base64")).toString()).toContain("XE_VM_BIND");
  });

  it("take no device for a trace", async () => {
    const { status, err } = await vmbind("explain", "xe-buffer-100e6", "--device", "bmg");
    expect(status).toBe(2);
    expect(err).toContain("--device goes with --strategy");
  });
});

describe("a workload that is a module", () => {
  const RING = `
import type { Step } from "@vmbind/lab";
export default function* ring(block: number): Generator<Step> {
  yield { step: "create", resource: "ring", size: 64 * block };
  yield { step: "allocate", memory: "pool", size: 8 * block };
  for (let i = 0; i < 50; i++) {
    const memory = { object: "pool", offset: (i % 8) * block };
    yield { step: "bind", resource: "ring", binds: [{ offset: i * block, size: block, memory }] };
  }
  yield { step: "read", resource: "ring", offset: 0 };
}
`;

  it("yields its steps for each strategy's block", TIMEOUT, async () => {
    const path = tempFile("ring.ts", RING);
    const found = await costs("--workload", path, "--strategy", "panthor-sparse", "--strategy", "xe-null");
    expect(found.map(({ workload, total }) => [workload, total["bindOps"]])).toEqual([
      ["ring", 52],
      ["ring", 52],
    ]);
    expect(found.map(({ accesses }) => accesses[0]?.value)).toEqual([0, 0]);
    const lowered = await vmbind("lower", path, "--strategy", "msm-null");
    expect(lowered.out).toContain("GPU read ring + 0x0: 0x0");
  });

  it.each([
    ["export default 7;", /default: expected a function that yields steps.*; got 7/],
    ["export default { steps: 7 };", /default: expected a function that yields steps/],
    ["export default () => 7;", /steps: expected something that can be iterated, got 7/],
    ['export default { name: "a b", steps: () => [] };', /default\.name: expected letters/],
    ['export default () => [{ step: "crate" }];', /steps\[0\]\.step: expected one of .*, got "crate"/],
    [
      'export default () => [{ step: "destroy", resource: "r" }];',
      /steps\[0\]\.resource: no "r" at this step/,
    ],
    ['export default () => { throw new Error("no luck"); };', /steps: no luck/],
    [
      'export default function* () { for (;;) yield { step: "wait-idle" }; }',
      /steps\[1048576\]: .*--budget steps=N/,
    ],
  ])("is told what is wrong with it: %s", TIMEOUT, async (source, message) => {
    const path = tempFile("broken.ts", source);
    const { status, out, err } = await vmbind("lower", path, "--strategy", "xe-null");
    expect({ status, out }).toEqual({ status: 2, out: "" });
    expect(err).toMatch(message);
    expect(err.split("\n")).toHaveLength(2);
  });
});
