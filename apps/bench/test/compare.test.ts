import type { Comparison, LabResult, TraceRow } from "@vmbind/lab";
import { describe, expect, it } from "vitest";
import { tempFolder } from "../../../test/temp.ts";
import { vmbindIn as inWorld, type Outcome, tempFile } from "./run.ts";

/** What one test has counted, the next one need not. */
const cacheFolder = tempFolder();
const vmbindIn = (world: Parameters<typeof inWorld>[0], ...argv: string[]): Promise<Outcome> =>
  inWorld({ cacheFolder, ...world }, ...argv);
const vmbind = (...argv: string[]): Promise<Outcome> => vmbindIn({}, ...argv);

describe("output", () => {
  const args = ["compare", "--workload", "buffer-100e6"];
  interface Output {
    question: string;
    recorded: TraceRow[];
    lab: LabResult;
    leftOut: { workload: string; strategy: string; why: string }[];
    versions: Record<string, string>;
    commands: { command: string }[];
  }

  it("as text begins with the question and shows 24415 against the others", async () => {
    const { status, out, err } = await vmbind(...args);
    expect(status).toBe(0);
    expect(err).toBe("");
    expect(out).toMatch(/^A sparse resource whose pages are not bound must not fault\./);
    expect(out).toContain(
      "100e6 bytes, nothing bound, kernel ideal: 24,415 operations against 48, 1, 2, 1, 2, 1, 1, 1 and 14.",
    );
    expect(out).toMatch(/^panthor-sparse +1 +1 +72 +1 +398 +3 +1$/m);
    expect(out).toMatch(
      /\nRecorded workloads\n[\s\S]+\nrecorded +panthor-per-page[\s\S]+\nGenerated workloads\n[\s\S]+\ngenerated +panthor/,
    );
  });

  it.each([80, 60, 200])(
    "as text fits into %d columns, with the answer in the last five lines where it is 80",
    async (columns) => {
      const { out } = await vmbindIn({ columns }, ...args, "--details");
      const lines = out.trimEnd().split("\n");
      expect(lines.filter((line) => line.length > columns)).toEqual([]);
      if (columns === 60) return;
      const end = lines.slice(-5).join("\n");
      expect(end).toMatch(/^operations +1: panthor-sparse.* 24,415: panthor-per-page$/m);
      expect(end).toMatch(/^leaf entries +114: nouveau-sparse.* 24,415: panthor-per-page/m);
      expect(end).toMatch(/^TLB invalidations +0: /m);
      expect(end.replace(/\s+/g, " ")).toContain(
        "nothing bound; unbeaten in all three: panthor-sparse, xe-null",
      );
    },
  );

  it("as text has strategies as rows where the terminal is narrow, and few figures without --details", async () => {
    const narrow = await vmbindIn({ columns: 80 }, ...args);
    expect(narrow.out).toMatch(/^panthor-per-page +24,417 +1,208,728 +24,415 +54 +24,416$/m);
    expect(narrow.out).not.toContain("directory");
    const wide = await vmbindIn({ columns: 220 }, ...args);
    expect(wide.out).toMatch(/^operations +24,417 +50 +3 +4 +3 +3 +2 /m);
    expect(wide.out).not.toContain("directory");
    expect((await vmbindIn({ columns: 220 }, ...args, "--details")).out).toMatch(
      /^directory entries written +50 +3 +97 +3 +3 +6 +2 /m,
    );
  });

  it("answers for a workload of the user's, and not for one strategy", async () => {
    const size = ["compare", "--size", "4096", "--strategy", "panthor-sparse"];
    const two = await vmbind(...size, "--strategy", "panthor-per-page");
    expect(two.out).toMatch(
      /\noperations +3 each\nleaf entries +1 each\nTLB invalidations +2 each\nbuffer-4096; unbeaten in all three: panthor-per-page, panthor-sparse\n$/,
    );
    expect((await vmbind(...size)).out).not.toContain("unbeaten");
  });

  it("as JSON is one object", async () => {
    const { out } = await vmbind(...args, "--json", "--strategy", "panthor-sparse", "--strategy", "xe-null");
    const { question, recorded, lab, leftOut, versions, commands } = JSON.parse(out) as Output;
    expect(question).toContain("must not fault");
    expect(recorded.map((c) => `${c.strategy} ${c.metrics["createOps"]}`)).toEqual([
      "panthor-sparse 1",
      "xe-null 1",
    ]);
    expect(lab.costs.map((c) => `${c.workload} ${c.strategy} ${c.phases.create?.bindOps}`)).toEqual([
      "buffer-100e6 panthor-sparse 1",
      "buffer-100e6 xe-null 1",
    ]);
    expect(new Set(lab.semantics.map((a) => a.strategy))).toEqual(new Set(["panthor-sparse", "xe-null"]));
    expect(lab.accounting.map((a) => a.strategy)).toEqual(["panthor-sparse", "xe-null"]);
    expect(lab.findings.length).toBeGreaterThan(0);
    expect(leftOut).toEqual([]);
    expect(versions["xe-null"]).toMatch(/^mesa .+ anv, /);
    expect(commands[0]?.command).toBe(
      "vmbind compare --workload buffer-100e6 --strategy panthor-sparse --strategy xe-null --json",
    );
  });

  it("as CSV has a row per workload, strategy and figure", async () => {
    const { out } = await vmbind(...args, "--csv", "--strategy", "panthor-sparse");
    const rows = out.trimEnd().split("\n");
    expect(rows[0]).toBe("source,workload,strategy,driver,figure,value,kernel");
    expect(rows).toContain("recorded,buffer-100e6,panthor-sparse,panthor,createPteWrites,398,ideal");
    expect(rows).toContain("generated,buffer-100e6,panthor-sparse,panthor,pteWrites,398,ideal");
    expect(rows).toContain("generated,buffer-100e6,panthor-sparse,panthor,create.bindOps,1,ideal");
    const names = rows.map((row) => row.split(",").slice(0, 5).join());
    expect(new Set(names).size).toBe(names.length);
  });

  it("as Markdown is tables", async () => {
    const { out } = await vmbind(...args, "--markdown", "--strategy", "panthor-sparse", "--details");
    expect(out).toContain("| panthor-sparse | 1 | 1 | 72 | 1 | 398 | 3 | 1 |");
    expect(out).toMatch(/^## A sparse resource/);
    expect(out).toMatch(/\n### Semantics\n\n\|/);
    expect(out).not.toMatch(/undefined|NaN/);
  });

  it("has devices as columns: generated on each, recorded where a recording of it ships", async () => {
    const asked = [
      "--workload",
      "buffer-stream",
      "--strategy",
      "xe-null",
      "--device",
      "dg2",
      "--device",
      "lnl",
    ];
    const { status, out } = await vmbind("compare", ...asked, "--json");
    expect(status).toBe(0);
    const { lab, recorded } = JSON.parse(out) as Comparison;
    expect(lab.costs.map(({ strategy, device }) => [strategy, device])).toEqual([
      ["xe-null", "bmg"],
      ["xe-null-lnl", "lnl"],
      ["xe-null-dg2", "dg2"],
    ]);
    expect(recorded.map(({ strategy }) => strategy)).toEqual(["xe-null", "xe-null-lnl", "xe-null-dg2"]);
    const wrong = await vmbind("compare", "--device", "dg");
    expect([wrong.status, wrong.err.split("\n")[0]]).toEqual([
      2,
      'vmbind compare: --device: no device "dg"; did you mean dg2?',
    ]);
  });

  it("draws generated workloads by --seed", async () => {
    const drawn = async (seed: string): Promise<[seed: number | undefined, entries: number | undefined]> => {
      const asked = ["--workload", "random", "--strategy", "xe-null", "--seed", seed];
      const { lab } = JSON.parse((await vmbind("compare", ...asked, "--json")).out) as Comparison;
      return [lab.costs[0]?.seed, lab.costs[0]?.total.pteWrites];
    };
    const [first, second] = [await drawn("1"), await drawn("2")];
    expect([first[0], second[0]]).toEqual([1, 2]);
    expect(first[1]).not.toBe(second[1]);
    expect(await drawn("1")).toEqual(first);
  });

  it("as a mail fits into 72 columns, begins with the answer, and says what repeats it", async () => {
    const argv = ["--workload", "buffer-100e6", "--strategy", "xe-null", "--strategy", "panthor-sparse"];
    const { status, out } = await vmbind("compare", ...argv, "--mail");
    expect(status).toBe(0);
    const lines = out.trimEnd().split("\n");
    expect(lines[0]).toBe("100e6 bytes, nothing bound, kernel ideal: 1 operation each.");
    expect(lines.filter((line) => line.length > 72)).toEqual([]);
    expect(out).toContain("  panthor-sparse: yes. Behind it are 2,097,152 bytes");
    expect(out).toContain("  xe-null: no. No memory comes with it.");
    expect(out).not.toContain("nvk, GeForce");
    const again = lines.slice(lines.findIndex((line) => line.startsWith("Again: ")));
    expect(again.map((line) => line.trim()).join(" ")).toBe(`Again: vmbind compare ${argv.join(" ")} --mail`);
  });

  it("with --details adds findings, semantics and accounting", async () => {
    const { out } = await vmbind(...args, "--strategy", "asahi-single-page", "--details");
    for (const title of ["Findings", "Semantics", "Accounting"]) expect(out).toContain(`\n${title}\n`);
    expect(out).not.toMatch(/undefined|NaN/);
  });

  it("of a buffer of any size, from 1 byte", async () => {
    const { out } = await vmbind("compare", "--size", "1", "--strategy", "panthor-sparse", "--csv");
    expect(out).toContain("generated,buffer-1,panthor-sparse,panthor,pteWrites,1,ideal\n");
    expect(out).not.toContain("recorded,");
  });

  it("names the strategies that a size is too large for", async () => {
    const { status, out } = await vmbind(
      ...["compare", "--size", String(2 ** 36), "--strategy", "xe-null", "--strategy", "asahi-single-page"],
    );
    expect(status).toBe(0);
    expect(out).toMatch(/\ngenerated +xe-null\n/);
    expect(out).toContain(
      "Left out: buffer-68719476736 generated, asahi-single-page: a resource of 64 GiB; asahi-single-page is run with 32 GiB at most",
    );
  });

  it("goes on when a driver refuses, and says so: exit 1", async () => {
    const path = tempFile(
      "large.json",
      JSON.stringify({
        format: "vmbind-workload",
        version: 1,
        name: "large",
        steps: [{ step: "allocate", memory: "m", size: 2 ** 37 }],
      }),
    );
    const { status, out } = await vmbind(
      ...["compare", "--workload", path, "--strategy", "xe-null", "--strategy", "panthor-sparse"],
    );
    expect(status).toBe(1);
    expect(out).toMatch(/^Left out: large generated, xe-null: steps\[0\]: XE_GEM_CREATE: ENOMEM: .+$/m);
    expect(out).toMatch(
      /^Left out: large generated, panthor-sparse: steps\[0\]: PANTHOR_VM_BIND: ENOMEM: .+$/m,
    );
  });

  it("of a workload file, and says which drivers its blocks do not fit", async () => {
    const path = tempFile(
      "page.json",
      JSON.stringify({
        format: "vmbind-workload",
        version: 1,
        name: "one-page",
        steps: [
          { step: "create", resource: "r", size: 65536 },
          { step: "allocate", memory: "m", size: 4096 },
          {
            step: "bind",
            resource: "r",
            binds: [{ offset: 4096, size: 4096, memory: { object: "m", offset: 0 } }],
          },
        ],
      }),
    );
    const one = await vmbind("compare", "--workload", path, "--strategy", "xe-null");
    expect(one).toMatchObject({ status: 2, out: "" });
    expect(one.err).toMatch(/page\.json: steps\[2\]\.binds\[0\]\.offset: .+ block 0x10000\n$/);
    const two = await vmbind(
      ...["compare", "--workload", path, "--strategy", "xe-null", "--strategy", "panthor-sparse"],
    );
    expect(two.status).toBe(0);
    expect(two.out).toMatch(/Left out: one-page generated, xe-null: .+ block 0x10000\n/);
    expect(two.out).toMatch(/\ngenerated +panthor-sparse\n/);
  });

  it.each([
    [["--workload", "quake"], /--workload: no workload "quake"; there are buffer-100e6, /],
    [["--workload", "/nowhere.json"], /\/nowhere\.json: cannot be read: ENOENT, no such file/],
    [["--strategy", "hope"], /--strategy: no strategy "hope"; there are /],
    [["--json", "--csv"], /exclude each other/],
    [["--size", "0"], /--size: expected bytes \(100e6, 64MiB, 1G\) from 1 to 1099511627776, got "0"/],
    [["--size", "-4096"], /--size/],
    [["--size", "4q"], /--size: expected bytes /],
    [["--size", "1e99"], /--size: expected bytes /],
    [
      ["--report", "/nowhere/report.html"],
      /--report: \/nowhere\/report\.html: cannot be written: no such folder, ENOENT\n/,
    ],
    [["--jobs", "0"], /--jobs: expected a number from 1 to 256, got "0"/],
  ])("refuses %j", async (wrong, message) => {
    const { status, out, err } = await vmbind("compare", ...wrong);
    expect(status).toBe(2);
    expect(out).toBe("");
    expect(err).toMatch(message);
  });
});
