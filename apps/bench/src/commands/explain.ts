/**
 * `vmbind explain`: a trace in words.
 *
 * @module
 */

import { counted, type GemObject, hex } from "@vmbind/drm";
import { lensOf } from "@vmbind/lab";
import {
  type Action,
  type BindOp,
  costBetween,
  describeRun,
  eventOf,
  eventText,
  LeafBudget,
  type LeafSnapshot,
  type Lens,
  NOT_LOOKED_AT,
  type OpenDevice,
  type ReplayObserver,
  rangesOf,
  replay,
  result,
  StepRecorder,
  type StepText,
  snapshot,
  type TraceIoctl,
  type TraceLanding,
  type TraceMark,
  type TraceRecord,
  visible,
} from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { EXIT, UsageError } from "../errors.ts";
import { traceOrLowered } from "../files/lowering.ts";
import { type Io, listing } from "../io.ts";

/** Operations and leaf runs shown of one call unless --ops asks for all. */
const SHOWN = 4;

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands, budgets }: CommandInput, io: Io): Promise<number> {
  const trace = await traceOrLowered(operands[0] as string, options, budgets, { command: "explain", io });
  const lens = await lensOf(trace);
  const seen = seqRange(options["seq"]);
  const folding: Io = { ...io, out: (text) => io.out(listing(io, text)) };
  const explainer = new Explainer(folding, lens, seen, options["ops"] === true, new LeafBudget(budgets));
  const { differenceCount, differences, counts } = await replay(trace, lens, explainer);
  if (explainer.shown === 0) {
    throw new UsageError(`--seq: the trace has ioctls 0 to ${counts.ioctls - 1}`);
  }
  for (const { seq, what, expected, got } of differences) {
    folding.out(`${visible(`difference at #${seq}: ${what}: recorded ${expected}, the model has ${got}`)}\n`);
  }
  return differenceCount > 0 ? EXIT.difference : EXIT.ok;
}

interface SeqRange {
  first: number;
  last: number;
}

function seqRange(value: CommandInput["options"][string]): SeqRange | null {
  if (value === undefined) return null;
  const match = /^(\d+)(?:-(\d+))?$/.exec(String(value));
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (!match || last < first) {
    throw new UsageError(`--seq: expected N or N-M, got ${JSON.stringify(value)}`);
  }
  return { first, last };
}

class Explainer implements ReplayObserver {
  /** Ioctls printed. */
  shown = 0;
  readonly #io: Io;
  readonly #lens: Lens;
  readonly #range: SeqRange | null;
  readonly #allOps: boolean;
  readonly #names = new Map<GemObject, string>();
  readonly #leafBudget: LeafBudget;
  #seq = -1;
  #before: Before | null = null;

  constructor(io: Io, lens: Lens, range: SeqRange | null, allOps: boolean, leafBudget: LeafBudget) {
    this.#leafBudget = leafBudget;
    this.#io = io;
    this.#lens = lens;
    this.#range = range;
    this.#allOps = allOps;
  }

  before(record: TraceRecord, device: OpenDevice, action: Action | null): void {
    this.#before = null;
    if (record.kind === "mark") {
      // A mark stands before the ioctl that follows it.
      if (this.#selected(this.#seq + 1)) this.#io.out(describeMark(record));
      return;
    }
    this.#seq = record.seq;
    if (action?.kind !== "bind" || !this.#selected(record.seq)) return;
    const vm = device.vm(record.file, action.vm);
    if (!vm) return;
    const recorder = vm.gpuvm && new StepRecorder(vm.gpuvm, (gem) => this.#name(gem));
    const end = vm.gpuvm?.observe((step, op) => recorder?.see(step, op)) ?? (() => {});
    const leaves = this.#leafBudget.snapshot(vm.addressSpace, rangesOf(vm, action.ops));
    this.#before = { end, steps: recorder?.steps ?? [], leaves, counters: snapshot(device.counters) };
  }

  after(record: TraceRecord, device: OpenDevice, action: Action | null, ret: number): void {
    if (record.kind === "mark" || !action) return;
    const file = device.file(record.file);
    if (action.kind === "bo-create" && ret === 0) {
      const gem = file.bo(action.handle);
      if (gem) this.#names.set(gem, `BO ${action.handle}`);
    }
    if (!this.#selected(record.seq)) return;
    this.shown++;
    const refusal = ret === 0 ? "" : `: ${file.lastError?.reason ?? "no reason kept"}`;
    this.#io.out(`${visible(`${callLine(record, action)} = ${result(ret)}${refusal}`)}\n`);
    if (action.kind === "bind") this.#bind(action.ops, device);
  }

  #bind(ops: readonly BindOp[], device: OpenDevice): void {
    const before = this.#before;
    const steps = before?.steps ?? [];
    const count = this.#allOps ? ops.length : Math.min(ops.length, SHOWN);
    for (let i = 0; i < count; i++) {
      this.#io.out(`    ${this.#lens.describe(ops[i] as BindOp)}\n`);
      if (!this.#allOps) continue;
      for (const step of steps) if (step.op === i) this.#io.out(`        ${step.text}\n`);
    }
    if (count < ops.length) this.#io.out(`    ... ${counted(ops.length - count, "more op")}\n`);
    if (!before) return;
    before.end();
    this.#io.out(`    steps   ${tally(steps.map((s) => s.kind))}\n`);
    const runs = before.leaves.changes();
    this.#leafLines(runs?.map(describeRun) ?? [NOT_LOOKED_AT]);
    const cost = costBetween(this.#lens.costSchema, before.counters, device.counters);
    this.#io.out(`    tables  ${tables(cost)}\n`);
  }

  #leafLines(runs: readonly string[]): void {
    const shown = this.#allOps ? runs : runs.slice(0, SHOWN);
    for (const [i, leaf] of shown.entries()) {
      this.#io.out(`    ${i === 0 ? "leaves " : "       "} ${leaf}\n`);
    }
    if (shown.length < runs.length) {
      this.#io.out(`            ... ${counted(runs.length - shown.length, "more run")}\n`);
    }
  }

  #selected(seq: number): boolean {
    return this.#range === null || (seq >= this.#range.first && seq <= this.#range.last);
  }

  #name(gem: GemObject | null): string {
    if (!gem) return "nothing";
    return this.#names.get(gem) ?? "the driver's own object";
  }
}

interface Before {
  /** Ends looking on. */
  end: () => void;
  steps: readonly StepText[];
  leaves: LeafSnapshot;
  counters: Record<string, number>;
}

function callLine({ seq, ioctl, file }: TraceIoctl, { text }: Action): string {
  const words = file === 0 ? text : [`file ${file}`, text].filter(Boolean).join(", ");
  return `#${seq} ${ioctl}(${words})`;
}

function tally(kinds: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].map(([kind, n]) => `${n} ${kind}`).join(", ") || "none";
}

function tables(cost: Record<string, number>): string {
  const parts = [
    [cost["tablesAllocated"], "table", "made"],
    [cost["tablesFreed"], "table", "freed"],
    [cost["tableWrites"], "directory entry", "written"],
    [cost["pteWrites"], "leaf entry", "written"],
    [cost["pteClears"], "leaf entry", "cleared"],
    [cost["tlbInvalidations"], "TLB invalidation", ""],
  ] as const;
  const words = parts.map(([n, noun, verb]) => (n ? `${counted(n, noun)} ${verb}`.trimEnd() : ""));
  return words.filter(Boolean).join(", ") || "unchanged";
}

function describeMark({ mark, exec }: TraceMark): string {
  const event = eventOf(mark);
  if (!exec) return `-- ${visible(event === null ? mark : eventText(event))}\n`;
  const { vm, batch, stores } = exec;
  const shown = stores.slice(0, SHOWN).map((s) => `     ${hex(s.va)} = ${hex(s.value)} -> ${landing(s)}\n`);
  const more = stores.length - shown.length;
  return (
    `-- exec on VM ${vm}: batch at ${hex(batch.va)} in ${landing(batch)}, ${counted(stores.length, "store")}\n` +
    shown.join("") +
    (more > 0 ? `     ... ${counted(more, "more store")}\n` : "")
  );
}

function landing({ to, gemSeq, offset }: TraceLanding): string {
  return to === "bo" ? `the BO of #${gemSeq} + ${hex(offset)}` : to;
}
