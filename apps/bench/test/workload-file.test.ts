import { readFileSync } from "node:fs";
import { parseWorkload } from "@vmbind/lab";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keeps } from "../../../test/json-schema.ts";
import { tempFile, vmbind } from "./run.ts";

const SCHEMA = JSON.parse(
  readFileSync(new URL("../schema/workload.schema.json", import.meta.url), "utf8"),
) as Record<string, unknown>;

const VALID = {
  format: "vmbind-workload",
  version: 1,
  name: "two-tiles",
  description: "two tiles of a buffer, one taken away again",
  steps: [
    { step: "create", resource: "terrain", size: "0x100000" },
    { step: "allocate", memory: "pool", size: 0x40000 },
    {
      step: "bind",
      resource: "terrain",
      binds: [
        { offset: 0, size: 0x10000, memory: { object: "pool", offset: 0 } },
        { offset: "0x20000", size: 0x10000, memory: { object: "pool", offset: 0x10000 } },
      ],
    },
    { step: "write", resource: "terrain", offset: 8, value: "0xcafe" },
    { step: "read", resource: "terrain", offset: 8 },
    { step: "bind", resource: "terrain", binds: [{ offset: 0x20000, size: 0x10000, memory: null }] },
    { step: "read", resource: "terrain", offset: "0x20000" },
    { step: "wait-idle" },
    { step: "destroy", resource: "terrain" },
    { step: "free", memory: "pool" },
  ],
};

const KNOBS = {
  format: "vmbind-workload",
  version: 1,
  name: "knobs",
  parametric: { size: 0x200000, bound: 0.5, tile: "0x4000", order: "window", resources: 2, bindsPerCall: 8 },
};

function file(change: (workload: typeof VALID) => unknown): string {
  const workload = structuredClone(VALID);
  return tempFile("workload.json", JSON.stringify(change(workload) ?? workload));
}

type Any = Record<string, unknown> & { binds: Record<string, unknown>[] };
const put = (object: Record<string, unknown>, key: string, value: unknown): void => {
  object[key] = value;
};
const step = (workload: typeof VALID, i: number) => workload.steps[i] as unknown as Any;

describe("a user's workload", () => {
  it.each([
    "panthor-per-page",
    "panthor-blackhole",
    "panthor-repeat",
    "panthor-repeat-windows",
    "panthor-sparse",
    "asahi-single-page",
    "xe-null",
    "nouveau-sparse",
    "msm-null",
  ])("runs under %s and shows what the GPU reads", async (strategy) => {
    const { status, out, err } = await vmbind(
      "lower",
      file(() => {}),
      "--strategy",
      strategy,
    );
    expect([status, err]).toEqual([0, ""]);
    expect(out).toContain("GPU write terrain + 0x8: 0xcafe\n");
    // hk's shaders read the mirror, where the memory is mapped too.
    expect(out).toContain("GPU read terrain + 0x8: 0xcafe\n");
    expect(out).toContain("GPU read terrain + 0x20000: 0x0\n");
  });

  it("may have knobs in place of steps", async () => {
    const path = tempFile("knobs.json", JSON.stringify(KNOBS));
    const { status, out } = await vmbind("lower", path, "--strategy", "panthor-sparse", "--json");
    expect(status).toBe(0);
    const phases = out
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { phase: string }).phase);
    expect(phases.filter((phase) => phase === "create")).toHaveLength(2);
    expect(phases.filter((phase) => phase === "destroy")).toHaveLength(2);
  });
});

describe("a mistake is named with its place and its rule", () => {
  const mistakes: [name: string, change: (workload: typeof VALID) => unknown, message: string][] = [
    ["no object", () => [1], "the file: expected an object, got Array"],
    ["another format", (w) => ({ ...w, format: "x" }), 'format: expected "vmbind-workload", got "x"'],
    ["another version", (w) => ({ ...w, version: 2 }), "version: expected 1, got 2"],
    ["no name", ({ name: _, ...w }) => w, "name: is missing"],
    ["no steps", ({ steps: _, ...w }) => w, "steps: expected steps or parametric, and not both"],
    ["an unknown member", (w) => ({ ...w, setps: [] }), "setps: there is no such member"],
    ["steps that are no list", (w) => ({ ...w, steps: {} }), "steps: expected a list, got Object"],
    [
      "an unknown step",
      (w) => put(step(w, 0), "step", "creat"),
      'steps[0].step: expected one of "create" | "allocate" | ',
    ],
    ["a missing size", (w) => void delete step(w, 0)["size"], "steps[0].size: is missing"],
    ["a size of 0", (w) => put(step(w, 0), "size", 0), "steps[0].size: expected bytes from 1 to 2^40 - 1"],
    ["a negative size", (w) => put(step(w, 1), "size", -4096), "steps[1].size: expected bytes from 1 to"],
    ["half a byte", (w) => put(step(w, 1), "size", 0.5), "steps[1].size: expected bytes from 1 to"],
    [
      "a size in words",
      (w) => put(step(w, 1), "size", "64 KiB"),
      'steps[1].size: expected bytes from 1 to 2^40 - 1, or hex as in "0x10000", got "64 KiB"',
    ],
    [
      "a bad name",
      (w) => put(step(w, 0), "resource", "a b"),
      "steps[0].resource: expected a name of letters",
    ],
    [
      "an unaligned size",
      (w) => put(step(w, 2).binds[0] as Any, "size", 0x1001),
      "steps[2].binds[0].size: 0x1001 is not a multiple of the block 0x10000",
    ],
    [
      "an unaligned offset",
      (w) => put(step(w, 2).binds[1] as Any, "offset", 0x21000),
      "steps[2].binds[1].offset: 0x21000 is not a multiple of the block 0x10000",
    ],
    [
      "an unaligned memory offset",
      (w) => put(step(w, 2).binds[1] as Any, "memory", { object: "pool", offset: 1 }),
      "steps[2].binds[1].memory.offset: 0x1 is not a multiple of the block 0x10000",
    ],
    [
      "an offset behind the end",
      (w) => put(step(w, 2).binds[1] as Any, "offset", 0x100000),
      "steps[2].binds[1].offset: 0x100000 is not in the resource of 0x100000 bytes",
    ],
    [
      "a bind that leaves its resource",
      (w) => put(step(w, 2).binds[1] as Any, "size", 0x100000),
      "steps[2].binds[1].size: 0x100000 leaves the resource of 0x100000 bytes",
    ],
    [
      "a bind that leaves its memory",
      (w) => put(step(w, 2).binds[1] as Any, "memory", { object: "pool", offset: 0x40000 }),
      "steps[2].binds[1].memory.offset: 0x40000 + 0x10000 leaves the memory of 0x40000 bytes",
    ],
    [
      "binds that overlap",
      (w) => put(step(w, 2).binds[1] as Any, "offset", 0),
      "steps[2].binds[1]: overlaps binds[0], and binds of one call have no order",
    ],
    [
      "an unknown resource",
      (w) => put(step(w, 2), "resource", "terain"),
      'steps[2].resource: no "terain" at this step; there are: terrain',
    ],
    [
      "unknown memory",
      (w) => put(step(w, 2).binds[0] as Any, "memory", { object: "p", offset: 0 }),
      'steps[2].binds[0].memory.object: no "p" at this step; there are: pool',
    ],
    [
      "a bind without memory or null",
      (w) => void delete (step(w, 2).binds[0] as Any)["memory"],
      "steps[2].binds[0].memory: is missing",
    ],
    [
      "a second resource of that name",
      (w) => ({ ...w, steps: [w.steps[0], w.steps[0]] }),
      'steps[1].resource: "terrain" exists already',
    ],
    [
      "a value of 33 bits",
      (w) => put(step(w, 3), "value", 2 ** 32),
      "steps[3].value: expected a word from 0 to",
    ],
    ["an odd read", (w) => put(step(w, 4), "offset", 6), "steps[4].offset: 0x6 is not a multiple of 4"],
    [
      "a read behind the end",
      (w) => put(step(w, 4), "offset", 0x100000),
      "steps[4].offset: 0x100000 is not in 0x100000 bytes",
    ],
    [
      "a use after destroy",
      (w) => void w.steps.push({ step: "destroy", resource: "terrain" } as never),
      'steps[10].resource: no "terrain" at this step; there are: none',
    ],
  ];

  it.each(mistakes)("%s", async (_, change, message) => {
    const path = file(change);
    const { status, out, err } = await vmbind("lower", path, "--strategy", "xe-null");
    expect([status, out]).toEqual([2, ""]);
    expect(err.startsWith(`vmbind lower: ${path}: ${message}`), err).toBe(true);
    expect(err.trimEnd()).not.toContain("\n");
  });

  it("a file that is not there, or no JSON, or a directory", async () => {
    const run = async (path: string) => (await vmbind("lower", path, "--strategy", "xe-null")).err;
    expect(await run("./nothing.json")).toBe(
      "vmbind lower: ./nothing.json: cannot be read: ENOENT, no such file\n",
    );
    const broken = tempFile("broken.json", '{\n  "format": "vmbind-workload",\n  oops\n}');
    expect(await run(broken)).toMatch(/broken\.json:3: not JSON: /);
    expect(await run(tempFile("empty.json", ""))).toMatch(/empty\.json: not JSON: it is empty\n$/);
    expect(await run("./.")).toMatch(/^vmbind lower: \.\/\.: /);
  });
});

it("an ioctl that the driver refuses ends the run with the step and the driver's reason", async () => {
  const path = file((w) => put(step(w, 1), "size", "0xffffffffff"));
  const { status, out, err } = await vmbind("lower", path, "--strategy", "panthor-sparse");
  expect(status).toBe(1);
  expect(out).toContain("PANTHOR_BO_CREATE");
  expect(err).toMatch(/^vmbind lower: steps\[1\]: PANTHOR_VM_BIND: ENOMEM: .+\n$/);
});

describe("wrong usage", () => {
  it.each([
    [["lower", "buffer-100e6"], "--strategy is missing"],
    [["lower", "buffer-100e6", "--strategy", "x"], 'no strategy "x"; there are panthor-per-page, '],
    [["lower", "bufer", "--strategy", "xe-null"], 'no workload "bufer"; there are buffer-100e6, '],
    [
      ["lower", "image-window", "--strategy", "xe-null"],
      'no workload "image-window", but drivers were recorded under it: amdgpu-gfx12-image-window, ',
    ],
    [["lower", "random", "--strategy", "xe-null", "--seed=-1"], "--seed: expected a whole number from 0"],
    [
      ["lower", "random", "--strategy", "xe-null", "--size", "0"],
      "--size: expected bytes (100e6, 64MiB, 1G) from 1",
    ],
    [
      ["lower", "buffer-100e6", "--strategy", "xe-null", "--size", "1"],
      "--size: buffer-100e6 has sizes of its own",
    ],
    [
      ["lower", "random", "--strategy", "xe-null", "--device", "m1"],
      "--device: xe-null runs on bmg, lnl, dg2, not on m1",
    ],
    [
      ["lower", "buffer-stream", "--strategy", "xe-null", "--size", "4096"],
      "buffer-stream: a buffer of 4096 bytes",
    ],
  ])("%s", async (argv, message) => {
    const { status, err } = await vmbind(...argv);
    expect(status).toBe(2);
    expect(err).toContain(message);
  });

  it("a resource that a strategy cannot hold is refused, not run", async () => {
    const { status, err } = await vmbind(
      "lower",
      "unbound",
      "--strategy",
      "panthor-per-page",
      "--size",
      "0x1000000000",
    );
    expect(status).toBe(1);
    expect(err).toMatch(
      /^vmbind lower: steps\[0\]: buffer-0: 68719476736 bytes are more than panthor-per-page is run with/,
    );
  });
});

describe("the published schema agrees with the program", () => {
  const accepted = (value: unknown): boolean => {
    try {
      parseWorkload(structuredClone(value));
      return true;
    } catch {
      return false;
    }
  };

  it("on workloads that are right", () => {
    for (const workload of [VALID, KNOBS]) {
      expect([keeps(workload, SCHEMA), accepted(workload)]).toEqual([true, true]);
    }
  });

  it("on workloads with anything changed", () => {
    const scalar = fc.oneof(
      fc.constantFrom(
        null,
        true,
        "",
        "0x",
        "0x0",
        "0x00",
        "0x1000",
        "0x10000000000",
        "0xG",
        "create",
        "random",
        "pool",
      ),
      fc.constantFrom(0, 1, -1, 0.5, 2 ** 32 - 1, 2 ** 32, 2 ** 40 - 1, 2 ** 40, [], {}),
      fc.constantFrom(structuredClone(VALID.steps[0]), structuredClone(VALID.steps[2]), {
        object: "a",
        offset: 0,
      }),
    );
    const change = fc.record({ at: fc.nat(), how: fc.constantFrom("set", "delete", "add"), value: scalar });
    let right = 0;
    fc.assert(
      fc.property(fc.constantFrom(VALID, KNOBS), fc.array(change, { maxLength: 3 }), (workload, changes) => {
        const value = structuredClone(workload) as Record<string, unknown>;
        for (const { at, how, value: to } of changes) {
          const places = placesOf(value);
          const [holder, key] = places[at % places.length] as [Record<string, unknown>, string];
          if (how === "set") holder[key] = structuredClone(to);
          else if (how === "add" && !Array.isArray(holder)) holder["more"] = structuredClone(to);
          else if (Array.isArray(holder)) holder.splice(Number(key), 1);
          else delete holder[key];
        }
        const got = accepted(value);
        if (got) right++;
        expect([JSON.stringify(value), keeps(value, SCHEMA)]).toEqual([JSON.stringify(value), got]);
      }),
      { numRuns: 3000, seed: 7 },
    );
    // Both verdicts occur.
    expect(right).toBeGreaterThan(300);
  });
});

/** Every member of every object and list. */
function placesOf(value: unknown): [object, string][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [
    [value, key] as [object, string],
    ...placesOf(inner),
  ]);
}
