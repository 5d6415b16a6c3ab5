/**
 * Replaying a trace for its story.
 *
 * @module
 */

import type { GemObject, MappingView } from "@vmbind/drm";
import { type Budgets, holdBudget, STANDARD_BUDGETS, STORY_BUDGETS } from "../budget.ts";
import { costBetween, snapshot } from "../cost.ts";
import type { OpenDevice } from "../device.ts";
import { eventOf, eventText } from "../event.ts";
import type { Trace, TraceRecord } from "../format.ts";
import type { Action, BindOp, Lens } from "../lens.ts";
import { type Phase, phaseAfter } from "../phase.ts";
import { type ReplayObserver, replay } from "../replay.ts";
import { rangesOf } from "./bind-ranges.ts";
import { describeRun, LeafBudget, type LeafSnapshot, NOT_LOOKED_AT } from "./leaf-diff.ts";
import { MappingDiary } from "./mapping-diary.ts";
import { regionsOf } from "./regions.ts";
import { StepRecorder } from "./steps.ts";
import type { Moment, TraceStory } from "./story.ts";

/** Lines of words that a whole page may have; long traces get fewer for each ioctl. */
const LINES_TOTAL = 5000;
const LINES_MOST = 48;
const LINES_LEAST = 3;

/**
 * @param trace - an opened trace; its records are consumed
 * @param lens - of its driver
 * @param budgets - amounts other than those of {@link STORY_BUDGETS}
 * @returns its story
 * @throws {@link InputError} for a trace that breaks its format, or is more than one page can tell
 */
export async function tellStory<Op extends BindOp>(
  trace: Trace,
  lens: Lens<Op>,
  budgets: Budgets = STANDARD_BUDGETS,
): Promise<TraceStory> {
  const records: TraceRecord[] = [];
  let ioctls = 0;
  for await (const record of trace.records) {
    records.push(record);
    if (record.kind !== "ioctl") continue;
    holdBudget(STORY_BUDGETS.moments, ++ioctls, budgets, { path: trace.path, line: record.line });
  }
  const binds = records.flatMap((r) => (r.kind === "ioctl" && r.ioctl.includes("VM_BIND") ? [r] : []));
  const lines = Math.max(
    LINES_LEAST,
    Math.min(LINES_MOST, Math.floor(LINES_TOTAL / Math.max(1, binds.length))),
  );
  // Drivers that bind nothing in their first file only ask what the device is there.
  const teller = new Teller(lens, lines, trace.path, budgets, binds[0]?.file ?? 0);
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
  readonly #diary = new MappingDiary((mapping) => this.#kindOf(mapping));
  readonly #path: string;
  readonly #budgets: Budgets;
  readonly #leafBudget: LeafBudget;
  /** The pictures are of one open file: ids of others would stand for its own. */
  readonly #file: number;
  /** Mappings that came and went so far. */
  #changed = 0;
  #marks: string[] = [];
  #phase: Phase = "run";
  #counters: Record<string, number> = {};
  #recorder: StepRecorder | null = null;
  #endObserving: () => void = () => {};
  #leaves: LeafSnapshot | null = null;

  constructor(lens: Lens<Op>, lines: number, path: string, budgets: Budgets, file: number) {
    this.#lens = lens;
    this.#lines = lines;
    this.#path = path;
    this.#budgets = budgets;
    this.#leafBudget = new LeafBudget(budgets);
    this.#file = file;
  }

  before(record: TraceRecord, device: OpenDevice, action: Action<Op> | null): void {
    if (record.kind === "mark") {
      const event = eventOf(record.mark);
      this.#marks.push(event === null ? record.mark : eventText(event));
      this.#phase = phaseAfter(record.mark, this.#phase);
      if (event?.kind === "close" && event.file === this.#file) this.#diary.forgetAll();
      return;
    }
    this.#counters = snapshot(device.counters);
    this.#recorder = null;
    this.#leaves = null;
    const vm = action?.kind === "bind" ? device.vm(record.file, action.vm) : undefined;
    if (action?.kind !== "bind" || !vm) return;
    if (record.file === this.#file) this.#diary.watch(action.vm, vm);
    if (vm.gpuvm) {
      const recorder = new StepRecorder(vm.gpuvm, (gem) => this.#name(gem));
      this.#endObserving = vm.gpuvm.observe((step, op) => recorder.see(step, op));
      this.#recorder = recorder;
    }
    this.#leaves = this.#leafBudget.snapshot(vm.addressSpace, rangesOf(vm, action.ops));
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
    const runs = this.#leaves ? this.#leaves.changes() : [];
    const leaves = runs?.slice(0, this.#lines).map(describeRun) ?? [NOT_LOOKED_AT];
    const { added, removed } = this.#changes(record, device, action);
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
      leaves,
      leafRunCount: runs?.length ?? 1,
      pteWrites: of("pteWrites"),
      pteClears: of("pteClears"),
      tablesAllocated: of("tablesAllocated"),
      tablesFreed: of("tablesFreed"),
      tlbInvalidations: of("tlbInvalidations"),
      gpuvasLive: of("gpuvasLive"),
      tablesLive: of("tablesLive"),
      added,
      removed,
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

  #changes(
    { line, file }: TraceRecord & { kind: "ioctl" },
    device: OpenDevice,
    action: Action,
  ): Pick<Moment, "added" | "removed"> {
    if (file === this.#file) {
      if (action.kind === "bind") {
        for (const { effect, handle, heading } of action.ops) {
          if (effect === "map" && handle !== 0) this.#roles.set(handle, heading);
          if (effect === "unmap-object") this.#diary.touchObject(handle);
        }
      } else if (action.kind === "vm-create" || action.kind === "vm-destroy") {
        const vm = device.vm(file, action.vm);
        if (vm) this.#diary.watch(action.vm, vm);
        else this.#diary.forget(action.vm);
      } else if (action.kind === "bo-close") {
        this.#diary.touchObject(action.handle);
      }
    }
    const changes = this.#diary.changes();
    this.#changed += changes.added.length + changes.removed.length;
    holdBudget(STORY_BUDGETS.mappings, this.#changed, this.#budgets, { path: this.#path, line });
    return changes;
  }

  #kindOf({ kind: how, bo }: MappingView): number {
    // What the operation called it tells memory from a stand-in for it.
    const kind = how === "bo" ? (this.#roles.get(bo) ?? how) : how;
    const index = this.kinds.get(kind) ?? this.kinds.size;
    this.kinds.set(kind, index);
    return index;
  }

  #name(gem: GemObject | null): string {
    if (!gem) return "nothing";
    return this.#names.get(gem) ?? "the driver's own object";
  }
}
