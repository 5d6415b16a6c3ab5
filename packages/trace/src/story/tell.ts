/**
 * Replaying a trace for its story.
 *
 * @module
 */

import type { GemObject } from "@vmbind/drm";
import { costBetween, snapshot } from "../cost.ts";
import type { OpenDevice } from "../device.ts";
import type { Trace, TraceRecord } from "../format.ts";
import type { Action, BindOp, Lens } from "../lens.ts";
import { type Phase, phaseAfter } from "../phase.ts";
import { type ReplayObserver, replay } from "../replay.ts";
import { rangesOf } from "./bind-ranges.ts";
import { describeRun, LeafSnapshot } from "./leaf-diff.ts";
import { regionsOf } from "./regions.ts";
import { StepRecorder } from "./steps.ts";
import type { MappingTuple, Moment, TraceStory } from "./story.ts";

/** Lines of words that a whole page may have; long traces get fewer for each ioctl. */
const LINES_TOTAL = 5000;
const LINES_MOST = 48;
const LINES_LEAST = 3;

/**
 * @param trace - an opened trace; its records are consumed
 * @param lens - of its driver
 * @returns its story
 */
export async function tellStory<Op extends BindOp>(trace: Trace, lens: Lens<Op>): Promise<TraceStory> {
  const records: TraceRecord[] = [];
  for await (const record of trace.records) records.push(record);
  const binds = records.filter((r) => r.kind === "ioctl" && r.ioctl.includes("VM_BIND")).length;
  const lines = Math.max(LINES_LEAST, Math.min(LINES_MOST, Math.floor(LINES_TOTAL / Math.max(1, binds))));
  const teller = new Teller(lens, lines);
  const again: Trace = { ...trace, records: replayed(records) };
  const result = await replay(again, lens, teller, { compareMappings: true });
  const { moments, kinds } = teller;
  return {
    trace: result.trace,
    driver: result.driver,
    umd: result.umd,
    device: result.device,
    workload: result.workload,
    quirks: result.quirks,
    differenceCount: result.differenceCount,
    differences: result.differences.map(
      ({ seq, what, expected, got }) => `#${seq} ${what}: recorded ${expected}, the model has ${got}`,
    ),
    kinds: [...kinds.keys()],
    regions: regionsOf(moments.flatMap((m) => m.added)),
    moments,
  };
}

async function* replayed(records: readonly TraceRecord[]): AsyncGenerator<TraceRecord> {
  yield* records;
}

class Teller<Op extends BindOp> implements ReplayObserver<Op> {
  readonly moments: Moment[] = [];
  readonly kinds = new Map<string, number>();
  readonly #lens: Lens<Op>;
  readonly #lines: number;
  readonly #names = new Map<GemObject, string>();
  /** Kinds of the operations that map objects, by handle. */
  readonly #roles = new Map<number, string>();
  #mapped = new Map<string, MappingTuple>();
  #marks: string[] = [];
  #phase: Phase = "run";
  #counters: Record<string, number> = {};
  #recorder: StepRecorder | null = null;
  #endObserving: () => void = () => {};
  #leaves: LeafSnapshot | null = null;

  constructor(lens: Lens<Op>, lines: number) {
    this.#lens = lens;
    this.#lines = lines;
  }

  before(record: TraceRecord, device: OpenDevice, action: Action<Op> | null): void {
    if (record.kind === "mark") {
      this.#marks.push(record.mark);
      this.#phase = phaseAfter(record.mark, this.#phase);
      return;
    }
    this.#counters = snapshot(device.counters);
    this.#recorder = null;
    this.#leaves = null;
    const vm = action?.kind === "bind" ? device.vm(record.file, action.vm) : undefined;
    if (action?.kind !== "bind" || !vm) return;
    if (vm.gpuvm) {
      const recorder = new StepRecorder(vm.gpuvm, (gem) => this.#name(gem));
      this.#endObserving = vm.gpuvm.observe((step, op) => recorder.see(step, op));
      this.#recorder = recorder;
    }
    this.#leaves = new LeafSnapshot(vm.addressSpace, rangesOf(vm, action.ops));
  }

  after(record: TraceRecord, device: OpenDevice, action: Action<Op> | null, ret: number): void {
    if (record.kind === "mark" || !action) return;
    if (action.kind === "bo-create" && ret === 0) {
      const gem = device.file(record.file).bo(action.handle);
      if (gem) this.#names.set(gem, `BO ${action.handle}`);
    }
    this.#endObserving();
    this.#endObserving = () => {};
    const cost = costBetween(this.#lens.costSchema, this.#counters, device.counters);
    const runs = this.#leaves?.changes() ?? [];
    const of = (name: string): number => cost[name] ?? 0;
    this.moments.push({
      seq: record.seq,
      ioctl: record.ioctl,
      what: action.kind,
      text: record.file === 0 ? action.text : [`file ${record.file}`, action.text].filter(Boolean).join(", "),
      phase: this.#phase,
      marks: this.#marks,
      ret,
      reason: ret === 0 ? "" : (device.file(record.file).lastError?.reason ?? "no reason kept"),
      opCount: action.kind === "bind" ? action.ops.length : 0,
      stepCount: this.#recorder?.steps.length ?? 0,
      lines: action.kind === "bind" ? this.#words(action.ops) : [],
      leaves: runs.slice(0, this.#lines).map(describeRun),
      leafRunCount: runs.length,
      pteWrites: of("pteWrites"),
      pteClears: of("pteClears"),
      tablesAllocated: of("tablesAllocated"),
      tablesFreed: of("tablesFreed"),
      tlbInvalidations: of("tlbInvalidations"),
      gpuvasLive: of("gpuvasLive"),
      tablesLive: of("tablesLive"),
      // The pictures are of the first open file: ids of others would stand for its own.
      ...(record.file === 0 ? this.#changes(device, action) : { added: [], removed: [] }),
    });
    this.#marks = [];
  }

  /** Operations, each followed by its steps. */
  #words(ops: readonly Op[]): string[] {
    const lines: string[] = [];
    const steps = this.#recorder?.steps ?? [];
    let next = 0;
    for (const [i, op] of ops.entries()) {
      if (lines.length >= this.#lines) break;
      lines.push(this.#lens.describe(op));
      for (; next < steps.length && (steps[next]?.op ?? 0) <= i; next++) lines.push(`  ${steps[next]?.text}`);
    }
    return lines.slice(0, this.#lines);
  }

  #changes(device: OpenDevice, action: Action): Pick<Moment, "added" | "removed"> {
    if (action.kind === "other" || action.kind === "bo-create") return { added: [], removed: [] };
    if (action.kind === "bind") {
      for (const { effect, handle, heading } of action.ops) {
        if (effect === "map" && handle !== 0) this.#roles.set(handle, heading);
      }
    }
    const now = new Map<string, MappingTuple>();
    for (const [id, vm] of device.file(0).vms()) {
      for (const { addr, range, kind: how, bo, offset } of vm.mappings()) {
        // What the operation called it tells memory from a stand-in for it.
        const kind = how === "bo" ? (this.#roles.get(bo) ?? how) : how;
        const index = this.kinds.get(kind) ?? this.kinds.size;
        this.kinds.set(kind, index);
        now.set(`${id} ${addr}`, [id, addr, range, index, bo, offset]);
      }
    }
    const added = [...now].flatMap(([key, m]) => (same(this.#mapped.get(key), m) ? [] : [m]));
    const removed = [...this.#mapped].flatMap(([key, [id, addr]]): [number, number][] =>
      now.has(key) ? [] : [[id, addr]],
    );
    this.#mapped = now;
    return { added, removed };
  }

  #name(gem: GemObject | null): string {
    if (!gem) return "nothing";
    return this.#names.get(gem) ?? "the driver's own object";
  }
}

function same(a: MappingTuple | undefined, b: MappingTuple): boolean {
  return a?.every((value, i) => value === b[i]) ?? false;
}
