/**
 * One client made the same calls on all of Mesa's drivers. Lifting their recordings gives the same resources and the same bound ranges,
 * call by call, wherever the drivers report the same block and size; the table in docs/lifting.md says where, and why not elsewhere.
 */
import { readFileSync } from "node:fs";
import { lensOf, WORKLOADS } from "@vmbind/lab";
import { type CanonicalStep, canonicalSteps, type LiftedStep, liftTrace } from "@vmbind/trace";
import { describe, expect, it } from "vitest";
import { names, open } from "../../../test/recordings.ts";
import { canonicalOf } from "./canonical.ts";
import { builtin } from "./traces.ts";

const TIMEOUT = { timeout: 240_000 };

const lifted = new Map<string, ReturnType<typeof liftOnce>>();

/** A recording, lifted: once for all tests. */
function liftNamed(name: string): ReturnType<typeof liftOnce> {
  const found = lifted.get(name) ?? liftOnce(name);
  lifted.set(name, found);
  return found;
}

async function liftOnce(name: string) {
  const trace = await open(name);
  const { marks, records } = counting(trace.records);
  return { marks, lifted: await liftTrace({ ...trace, records }, await lensOf(trace)) };
}

/** What the client said before each of its queue binds. */
function counting(records: Awaited<ReturnType<typeof open>>["records"]) {
  const marks: { binds: number; unbinds: number }[] = [];
  async function* seen() {
    for await (const record of records) {
      const said =
        record.kind === "mark" ? /^bind-sparse .*binds=(\d+) unbinds=(\d+)$/.exec(record.mark) : null;
      if (said) marks.push({ binds: Number(said[1]), unbinds: Number(said[2]) });
      yield record;
    }
  }
  return { marks, records: seen() };
}

const isBind = (step: LiftedStep): step is Extract<LiftedStep, { step: "bind" }> => step.step === "bind";

/** Recordings of Mesa's drivers; igt's are of one driver only. */
const RECORDINGS = names.filter((name) => !name.includes("-igt-"));

/** A recorded workload, with those that are not of every driver. */
const ALL = [...WORKLOADS, "buffer-1526"];

/** What tells a group of recordings from the others of its workload, by a word that is in all names of the group. */
const WHY: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "buffer-100e6": {
    panthor: "blocks of 4 KiB: 24,415 of them",
    asahi: "blocks of 16 or 64 KiB: 100e6 bytes come to the same in both",
  },
  "buffer-stream": {
    panthor: "blocks of 4 KiB",
    asahi: "blocks of 16 KiB: the client lays out its binds in blocks",
    xe: "blocks of 64 KiB",
  },
  "many-small": {
    panthor: "blocks of 4 KiB",
    asahi: "blocks of 16 KiB",
    xe: "blocks of 64 KiB",
  },
  "image-unbound": {
    panthor: "0x555c0000 bytes, its tail at 0x555b0000",
    asahi: "a tail of 16 KiB at 0x55554000",
    xe: "padded to 0x60000000 bytes, its tail at 0x5fc00000",
    "amdgpu-gfx9": "padded as xe's image, its tail at 0x505f0000",
    "amdgpu-image": "mips from the smallest on: the tail at 0",
    msm: "0x55560000 bytes, its tail at 0x55550000",
  },
  "image-window": {
    panthor: "0x555c0000 bytes, mip 0 first",
    asahi: "a tile is two runs of 32 KiB",
    msm: "a tile is eight runs of 8 KiB",
    xe: "0x60000000 bytes, mip 0 first",
    "amdgpu-image": "mips from the smallest on",
    nouveau: "0x55560000 bytes, mip 0 first",
  },
  "image-3d": {
    panthor: "2,048 tiles of 64 KiB one behind the other, whatever their shape",
    asahi: "no sparse 3D images: the client skipped them",
  },
  "image-array-mips": {
    panthor: "a layer is 0x15c0000 bytes, and its tail has fewer mips: more levels to bind",
    asahi: "a tail of 16 KiB a layer; a tile is two runs of 32 KiB",
    xe: "a layer is 0x1800000 bytes, its tail at 0x1780000",
    "amdgpu-gfx9": "a layer is 0x1800000 bytes, its tail at 0x14b0000",
    "amdgpu-image": "mips from the smallest on",
    nouveau: "a layer is 0x1560000 bytes, its tail at 0x1550000",
    msm: "a tile is eight runs of 8 KiB",
  },
  "buffer-1526": {
    nouveau: "blocks of 4 KiB: the last bind is of 60 KiB",
    amdgpu: "blocks of 64 KiB",
  },
};

interface Group {
  names: string[];
  steps: CanonicalStep[];
}

/** Recordings of a workload that lift to the same. */
async function groupsOf(workload: string): Promise<Group[]> {
  const groups: Group[] = [];
  for (const name of RECORDINGS.filter((one) => one.endsWith(`-${workload}`))) {
    const { lifted: whole } = await liftNamed(name);
    const steps = canonicalSteps(whole.steps);
    const text = JSON.stringify(steps);
    const same = groups.find((group) => JSON.stringify(group.steps) === text);
    if (same) same.names.push(name);
    else groups.push({ names: [name], steps });
  }
  return groups;
}

function bytesOf(steps: readonly CanonicalStep[]): number {
  return steps.reduce((sum, step) => sum + (step.step === "create" ? step.bytes : 0), 0);
}

function rangesOf(steps: readonly CanonicalStep[]): number {
  return steps.reduce((sum, step) => sum + (step.step === "bind" ? step.ranges.length : 0), 0);
}

function table(found: readonly (readonly [string, readonly Group[]])[]): string {
  const lines = [
    "| workload | recordings that lift to the same steps | steps | bytes of resources | ranges | what sets them apart |",
    "|---|---|---:|---:|---:|---|",
  ];
  for (const [workload, groups] of found) {
    for (const { names: same, steps } of groups) {
      const short = same.map((name) => `\`${name.slice(0, -workload.length - 1)}\``).join(", ");
      const cells = [steps.length, bytesOf(steps), rangesOf(steps)].map((n) => n.toLocaleString("en"));
      lines.push(`| ${workload} | ${short} | ${cells.join(" | ")} | ${why(workload, same)} |`);
    }
  }
  return `${lines.join("\n")}\n`;
}

/** The table as the page has it. */
function tableOfDocs(): string {
  const page = readFileSync(new URL("../../../docs/lifting.md", import.meta.url), "utf8");
  return page.slice(page.indexOf("| workload |"));
}

/** The reason of a group, which must be of it alone. */
function why(workload: string, same: readonly string[]): string {
  const reasons = Object.entries(WHY[workload] ?? {}).filter(([word]) =>
    same.some((name) => name.startsWith(word)),
  );
  expect(
    reasons.map(([, text]) => text),
    `${workload}: ${same.join(", ")}`,
  ).toHaveLength(1);
  return reasons[0]?.[1] ?? "";
}

describe("recordings of one workload", () => {
  it(
    "lift to the same steps where the drivers report the same, as docs/lifting.md says",
    TIMEOUT,
    async () => {
      const found: [string, Group[]][] = [];
      for (const workload of ALL) found.push([workload, await groupsOf(workload)]);
      expect(table(found)).toBe(tableOfDocs());
      const together = (workload: string, ...drivers: string[]) => {
        const [, groups] = found.find(([name]) => name === workload) as [string, Group[]];
        const hold = drivers.map((driver) =>
          groups.findIndex((g) => g.names.includes(`${driver}-${workload}`)),
        );
        expect(new Set(hold), `${workload}: ${drivers.join(", ")}`).toEqual(
          new Set([Math.max(0, hold[0] ?? -1)]),
        );
      };
      for (const workload of ["buffer-stream", "many-small"]) {
        together(workload, "panthor-sparse", "panthor-blackhole", "nouveau", "msm");
        together(workload, "xe", "xe-lnl", "xe-dg2", "amdgpu", "amdgpu-gfx9", "amdgpu-gfx12");
      }
    },
  );

  it.each(["panthor-sparse", "panthor-blackhole", "nouveau", "msm", "asahi", "xe", "amdgpu", "amdgpu-gfx9"])(
    "%s: buffers lift to what the client asked for",
    TIMEOUT,
    async (prefix) => {
      const blocks: Readonly<Record<string, number>> = { asahi: 2 ** 14, xe: 2 ** 16, amdgpu: 2 ** 16 };
      const block = blocks[prefix.split("-")[0] as string] ?? 2 ** 12;
      for (const workload of ["buffer-100e6", "buffer-stream", "many-small"]) {
        const { lifted: whole } = await liftNamed(`${prefix}-${workload}`);
        const asked = canonicalOf(builtin(workload).steps(block), block);
        expect(canonicalSteps(whole.steps), workload).toEqual(asked);
      }
    },
  );
});

describe("every recording", () => {
  it("has no hole, no refusal, and as many calls as its client counted", TIMEOUT, async () => {
    for (const name of RECORDINGS) {
      const { marks, lifted: whole } = await liftNamed(name);
      expect(whole.refused, name).toEqual([]);
      expect(whole.left, name).toEqual([]);
      expect(
        whole.steps.filter(({ step }) => step === "hole"),
        name,
      ).toEqual([]);
      const calls = whole.steps.filter(isBind);
      expect(calls.length, name).toBe(marks.length);
      for (const [i, { binds }] of calls.entries()) {
        expect(
          binds.some(({ memory }) => memory !== null),
          name,
        ).toBe((marks[i]?.binds ?? 0) > 0);
        expect(
          binds.some(({ memory }) => memory === null),
          name,
        ).toBe((marks[i]?.unbinds ?? 0) > 0);
      }
    }
  });
});
