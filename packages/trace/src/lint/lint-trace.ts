/**
 * Linting a recorded trace: a replay on the model of its driver, with the linter looking on.
 *
 * @module
 */

import type { Budgets } from "../budget.ts";
import type { CheckedCall, Checker } from "../check/checker.ts";
import { costBetween, snapshot } from "../cost.ts";
import type { OpenDevice } from "../device.ts";
import { eventOf } from "../event.ts";
import type { Trace, TraceMark } from "../format.ts";
import type { BindOp, Lens } from "../lens.ts";
import { type Phase, phaseAfter } from "../phase.ts";
import { type ReplayResult, replay } from "../replay.ts";
import { rangesOf } from "../story/bind-ranges.ts";
import { LeafBudget, type LeafSnapshot } from "../story/leaf-diff.ts";
import type { LintFinding } from "./finding.ts";
import { Linter } from "./linter.ts";
import type { LintRule } from "./rule.ts";
import { RULES } from "./rules.ts";

/** What came of it. */
export interface LintResult {
  /** Name of the trace. */
  readonly trace: string;
  /** Path of the trace. */
  readonly path: string;
  /** Kernel driver, user-mode driver, device, workload, quirks of the model. */
  readonly about: Pick<ReplayResult, "driver" | "umd" | "device" | "workload" | "quirks">;
  /** Ioctls that were looked at. */
  readonly ioctls: number;
  /** Operations of VM_BINDs that were looked at. */
  readonly operations: number;
  /** Causes, in the order of the ioctls. */
  readonly findings: readonly LintFinding[];
}

/** What may be chosen. */
export interface LintOptions {
  /** Which rules are asked; all unless given. */
  readonly rules?: readonly LintRule[];
  /** Amounts other than the standard ones. */
  readonly budgets?: Budgets;
  /**
   * Sees that it goes on.
   *
   * @param line - line of the file that was read
   */
  readonly progress?: (line: number) => void;
}

/**
 * @param trace - an opened trace; its records are consumed
 * @param lens - of its driver
 * @param options - see {@link LintOptions}
 * @returns what the rules say
 * @throws {@link InputError} for a trace that breaks its format, or has no ioctl
 */
export async function lintTrace<Op extends BindOp>(
  trace: Trace,
  lens: Lens<Op>,
  options: LintOptions = {},
): Promise<LintResult> {
  let watcher: Watcher | null = null;
  const result = await replay(
    trace,
    lens,
    { after: ({ line }) => options.progress?.(line) },
    {
      compareMappings: false,
      checkers: ({ device }) => {
        watcher = new Watcher(lens, device, options);
        return [watcher];
      },
      atEnd: () => {},
    },
  );
  const { driver, umd, device, workload, quirks, counts } = result;
  return {
    trace: trace.name,
    path: trace.path,
    about: { driver, umd, device, workload, quirks },
    ioctls: counts.ioctls,
    operations: counts.bindOps,
    findings: (watcher as Watcher | null)?.findings ?? [],
  };
}

/** Tells the linter what a run does. */
class Watcher implements Checker {
  findings: readonly LintFinding[] = [];
  readonly #lens: Pick<Lens, "costSchema">;
  readonly #device: OpenDevice;
  readonly #linter: Linter;
  readonly #leafBudget: LeafBudget;
  #phase: Phase = "run";
  #before: Record<string, number> = {};
  #leaves: LeafSnapshot | null = null;
  #ended = false;

  constructor(
    lens: Pick<Lens, "costSchema" | "closeUnmaps" | "fileVm" | "mayWrite">,
    device: OpenDevice,
    options: LintOptions,
  ) {
    this.#lens = lens;
    this.#device = device;
    this.#leafBudget = new LeafBudget(options.budgets);
    this.#linter = new Linter(options.rules ?? RULES, lens, (file, vm, addr) =>
      this.#leafBytes(file, vm, addr),
    );
  }

  beforeCall({ file, action }: CheckedCall): void {
    this.#before = snapshot(this.#device.counters);
    this.#leaves = null;
    if (action.kind !== "bind" || action.ops.length < 2) return;
    const vm = this.#device.vm(file, action.vm);
    if (vm) this.#leaves = this.#leafBudget.snapshot(vm.addressSpace, rangesOf(vm, action.ops));
  }

  afterCall({ recorded, action, ret, reason }: CheckedCall): void {
    if (recorded === null) return;
    const { seq, line, file, ioctl } = recorded;
    const made = ret === 0 && action.kind === "bo-create" && this.#device.file(file).bo(action.handle);
    this.#linter.call({
      ref: { seq, line, file, ioctl },
      action,
      ret,
      recordedRet: recorded.ret,
      reason: ret === 0 ? null : reason,
      cost: costBetween(this.#lens.costSchema, this.#before, this.#device.counters),
      handleMoved: made === undefined,
      entriesChanged: ret === 0 ? this.#changed() : null,
      phase: this.#phase,
    });
  }

  mark({ mark }: TraceMark): void {
    this.#phase = phaseAfter(mark, this.#phase);
    this.#ended = mark === "end";
    this.#linter.mark(mark);
    const event = eventOf(mark);
    if (event?.kind === "close") this.#linter.closeFile(event.file);
  }

  end(): void {
    this.findings = this.#linter.finish(this.#ended);
  }

  #changed(): number | null {
    const runs = this.#leaves?.changes() ?? null;
    if (runs === null) return null;
    const added = runs.reduce((sum, { change, count }) => sum + (change === "-" ? 0 : count), 0);
    // What goes for good is cleared; what gives way to smaller leaves is written over.
    const gone = runs.reduce((sum, { change, count }) => sum + (change === "-" ? count : 0), 0);
    return added + gone;
  }

  #leafBytes(file: number, id: number, addr: number): number {
    const vm = this.#device.vm(file, id);
    return vm === undefined || !vm.addressSpace.alive ? 0 : vm.addressSpace.walk(addr).sizeBytes;
  }
}
