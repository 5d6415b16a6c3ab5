/**
 * What real user-mode drivers sent, to every driver: each recording is replayed with every checker on. The model gets
 * only what was sent; it must answer as recorded, map what a plain list of intervals has, store where stores landed,
 * keep its invariants, count what is in the bytes, and have nothing left when the files are closed.
 */

import { lens as amdgpu } from "@vmbind/amdgpu/trace";
import { lens as asahi } from "@vmbind/asahi/trace";
import type { CostSheet, GemObject, MappingView } from "@vmbind/drm";
import { frameBytes } from "@vmbind/mmu";
import { lens as msm } from "@vmbind/msm/trace";
import { lens as nouveau } from "@vmbind/nouveau/trace";
import { lens as panthor } from "@vmbind/panthor/trace";
import {
  type Action,
  type BindOp,
  type CheckedCall,
  type Checker,
  deviceFor,
  HeaderReader,
  InvariantChecker,
  type Lens,
  LintChecker,
  type LintFinding,
  type ReplaySubject,
  replay,
  TraceCounter,
  type TraceCounts,
  TraceDecoder,
} from "@vmbind/trace";
import { lens as xe } from "@vmbind/xe/trace";
import { describe, expect, test } from "vitest";
import { names, open, README_COUNTS } from "../../../test/recordings.ts";
import { lintTable } from "./lint-table.ts";

/** A recording's name begins with its driver's. */
const LENSES: Readonly<Record<string, Lens>> = { amdgpu, asahi, msm, nouveau, panthor, xe };

function lensOf(name: string): Lens {
  const lens = LENSES[name.split("-")[0] as string];
  if (lens === undefined) throw new Error(`${name}: no lens for it`);
  return lens;
}

/** Invariants are looked at behind each call; of a long recording, which maps thousands, around one call in so many. */
const LONG_BYTES = 2 ** 16;
const EVERY = 64;
/** So many times at most: where each operation is a call of its own there are thousands of calls. */
const LOOKS = 16;

/** Kinds of mappings that name no object, where the driver puts one of its own or none. */
const WITHOUT_OBJECT = ["null", "sparse", "prt"];

test("every recording is in the tables that came with them, and the other way round", () => {
  expect(names).toEqual(Object.keys(README_COUNTS).sort());
});

test.each(Object.keys(LENSES))("a header of %s may say how much memory page tables have", async (driver) => {
  const { header } = await open(names.find((name) => name.startsWith(driver)) as string);
  const limited = (bytes: unknown) =>
    deviceFor(lensOf(driver), { path: "t", header: { ...header, table_limit_bytes: bytes } });
  expect(limited(0x40_0000).memory.tables.limitBytes).toBe(0x40_0000);
  expect(() => limited(4095)).toThrow(/header\.table_limit_bytes: expected .*4095/);
});

test.each(Object.keys(LENSES))("a header of %s may say how much memory the system has", async (driver) => {
  const { header } = await open(names.find((name) => name.startsWith(driver)) as string);
  const limited = (bytes: unknown) =>
    lensOf(driver).device(new HeaderReader("t", { ...header, system_memory_bytes: bytes }));
  expect(frameBytes(limited(0x40_0000).options.memory.frames)).toBe(0x40_0000);
  expect(() => limited(0x30_0000)).toThrow(
    /header\.system_memory_bytes: expected a multiple of 2097152, got 3145728/,
  );
  expect(() => limited(0)).toThrow(/header\.system_memory_bytes: expected 2097152 or more, got 0/);
});

test.each([
  ["0x1ff000000", 0x1_ff00_0000],
  ["0x40100000", 0x4000_0000],
])("a header of amdgpu that says %s bytes of VRAM makes a device of as many blocks", async (vram, bytes) => {
  const { header } = await open(names.find((name) => name.startsWith("amdgpu")) as string);
  const make = (memory: unknown) => lensOf("amdgpu").device(new HeaderReader("t", { ...header, memory }));
  expect(make({ vram }).options).toMatchObject({ vramBytes: bytes });
  expect(() => make({ vram: "0x1fffff" })).toThrow(
    /header\.memory\.vram: expected 2097152 bytes or more, got 2097151/,
  );
  expect(() => make({ vram: "0xffffffffffffffff" })).toThrow(/header\.memory\.vram: expected at most /);
  expect(() => make([])).toThrow(/header\.memory: expected an object, got/);
});

/** What the linter says of each. */
const linted = new Map<string, readonly LintFinding[]>();

describe.each(names)("%s", (name) => {
  test("counted from its bytes alone, has what its table says", async () => {
    const { header, records } = await open(name);
    const decoder = new TraceDecoder(lensOf(name), header);
    const counter = new TraceCounter(lensOf(name));
    for await (const record of records) {
      if (record.kind === "mark") counter.mark(record);
      else counter.ioctl(record, decoder.decode(record));
    }
    expectTable(name, counter.result());
  });

  test("is replayed without a difference", async () => {
    const { payloadBytes = 0, ioctls = 0 } = README_COUNTS[name] ?? {};
    const every = payloadBytes < LONG_BYTES ? 1 : Math.max(EVERY, Math.ceil(ioctls / LOOKS));
    let seen: ModelCounter | null = null;
    let linter: LintChecker | null = null;
    const checkers = (subject: ReplaySubject): Checker[] => {
      seen = new ModelCounter(subject);
      linter = new LintChecker(lensOf(name), subject.device);
      return [linter, new InvariantChecker(subject.device, subject.report, every), seen];
    };
    const { counts, cost, ...result } = await replay(await open(name), lensOf(name), {}, { checkers });
    linted.set(name, (linter as LintChecker | null)?.findings ?? []);
    expect(result.differences).toEqual([]);
    expect(result.differenceCount).toBe(0);
    expectTable(name, counts);
    expect(result.storesChecked).toBe(counts.stores + (counts.stores > 0 ? counts.execs : 0));
    // What the model counts, against what is in the bytes and what the plain intervals have.
    const { intervals } = counts;
    expect(cost).toMatchObject({
      ioctls: counts.ioctls,
      bindIoctls: counts.bindIoctls,
      bindOps: counts.bindOps,
      payloadBytes: counts.payloadBytes,
      gpuvasPeak: intervals.peakMappings,
    });
    expect(seen).toMatchObject({
      refused: cost["ioctlErrors"],
      peakMappings: intervals.peakMappingsAfterIoctl,
      peakWithoutObject: intervals.peakWithoutObject,
      removed: intervals.mappingsRemoved,
      cut: intervals.mappingsCut,
    });
  });
});

/** `vitest -u` writes it anew; a part of the recordings alone, picked by name, is not compared. */
test("docs/lint-recordings.md says what the linter finds in each", async () => {
  if (linted.size < names.length) return;
  expect(linted.get("panthor-sparse-buffer-stream")?.filter(({ severity }) => severity === "error")).toEqual(
    [],
  );
  await expect(lintTable(linted)).toMatchFileSnapshot("../../../docs/lint-recordings.md");
});

function expectTable(name: string, counts: TraceCounts): void {
  const { meanOpsPerSparseBind, ...expected } = README_COUNTS[name] ?? {};
  expect(counts).toMatchObject(expected);
  if (expected.byPhase) expect(counts.byPhase).toEqual(expected.byPhase);
  // The tables give one decimal.
  if (meanOpsPerSparseBind) {
    expect(Math.abs((counts.meanOpsPerSparseBind ?? 0) - meanOpsPerSparseBind)).toBeLessThan(0.0501);
  }
}

interface MappingCount {
  all: number;
  withoutObject: number;
}

function countOf(mappings: readonly MappingView[]): MappingCount {
  const withoutObject = mappings.filter(({ kind }) => WITHOUT_OBJECT.includes(kind)).length;
  return { all: mappings.length, withoutObject };
}

/**
 * Counts in the model what the plain intervals count. With all files closed, no object of theirs may be left, and no
 * page table.
 */
class ModelCounter implements Checker {
  refused = 0;
  peakMappings = 0;
  peakWithoutObject = 0;
  removed = 0;
  cut = 0;
  readonly #subject: ReplaySubject;
  readonly #objects = new Set<GemObject>();
  #before = { removed: 0, cut: 0 };
  /** All mappings and those without an object, as they were last counted; null where a call may have changed them anywhere. */
  #total: MappingCount | null = null;
  /** Those around the one operation of a call, before it. */
  #around: MappingCount | null = null;

  constructor(subject: ReplaySubject) {
    this.#subject = subject;
  }

  beforeCall({ file, action }: CheckedCall): void {
    this.#before = this.#steps();
    this.#around = this.#total && this.#countAround(file, action);
  }

  afterCall({ file, action, ret, recorded }: CheckedCall): void {
    const { device, report } = this.#subject;
    if (recorded && recorded.ret < 0) this.refused++;
    if (action.kind === "bo-create" && ret === 0) {
      const object = device.file(file).bo(action.handle);
      if (object) this.#objects.add(object);
      else report("object", `handle ${action.handle}`, "none");
    }
    if (action.kind !== "bind") {
      if (action.kind !== "other") this.#total = null;
      return;
    }
    // What goes with its object, wherever it is, hits no interval.
    if (action.ops.every(({ effect }) => effect !== "unmap-object")) {
      const { removed, cut } = this.#steps();
      this.removed += removed - this.#before.removed;
      this.cut += cut - this.#before.cut;
    }
    const before = this.#around;
    const after = before && this.#countAround(file, action);
    const total = this.#total;
    this.#total =
      total && before && after
        ? {
            all: total.all + after.all - before.all,
            withoutObject: total.withoutObject + after.withoutObject - before.withoutObject,
          }
        : countOf(device.files.flatMap((open) => [...open.vms()].flatMap(([, vm]) => [...vm.mappings()])));
    this.peakMappings = Math.max(this.peakMappings, this.#total.all);
    this.peakWithoutObject = Math.max(this.peakWithoutObject, this.#total.withoutObject);
  }

  /** What a call with one operation on a range can change: the mappings in it and beside it. Null for other calls. */
  #countAround(file: number, action: Action): MappingCount | null {
    if (action.kind !== "bind" || action.ops.length !== 1) return null;
    const [op] = action.ops as [BindOp];
    if (op.effect === "unmap-object" || op.effect === "none") return null;
    const vm = this.#subject.device.vm(file, action.vm);
    if (vm === undefined) return null;
    const page = 0x1000;
    return countOf([...vm.mappings({ addr: op.addr - page, range: op.range + 2 * page })]);
  }

  closed(): void {
    const { device, report } = this.#subject;
    const left = [...this.#objects].filter(({ refs }) => refs > 0).length;
    if (left > 0) report("leak", "no object after the files are closed", String(left));
    const tables = device.memory.tables.live;
    if (tables > 0) report("leak", "no page table after the files are closed", String(tables));
  }

  #steps(): { removed: number; cut: number } {
    const { unmapSteps = 0, remapSteps = 0 }: CostSheet = this.#subject.device.counters;
    return { removed: unmapSteps, cut: remapSteps };
  }
}
