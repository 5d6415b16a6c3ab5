/**
 * Linting a recorded trace: a replay on the model of its driver, with the linter looking on.
 *
 * @module
 */

import type { CheckedCall, Checker } from "../check/checker.ts";
import { costBetween, snapshot } from "../cost.ts";
import type { OpenDevice } from "../device.ts";
import type { TraceEvent } from "../event.ts";
import type { Action, BindOp, Lens } from "../lens.ts";
import { type Phase, phaseAfter } from "../phase.ts";
import type { Trace, TraceMark } from "../record.ts";
import { type ReplayResult, replay } from "../replay.ts";
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
  let linter: LintChecker | null = null;
  const result = await replay(
    trace,
    lens,
    {},
    {
      ...(options.progress && { progress: options.progress }),
      compareMappings: false,
      checkers: ({ device }) => {
        linter = new LintChecker(lens, device, options.rules);
        return [linter];
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
    findings: (linter as LintChecker | null)?.findings ?? [],
  };
}

/** Writes from which it is worth counting what there is: two whole tables. */
const WRITES_LEAST = 1024;
const BLOCK_2M = 0x20_0000;
/** Blocks of one call that are looked at. */
const BLOCKS_MAX = 2 ** 16;

/** The linter as a checker of a replay: tells it what a run does. */
export class LintChecker implements Checker {
  /** What was found; empty before the end. */
  findings: readonly LintFinding[] = [];
  readonly #lens: Pick<Lens, "costSchema">;
  readonly #device: OpenDevice;
  readonly #linter: Linter;
  #phase: Phase = "run";
  #before: Record<string, number> = {};
  #ended = false;

  /**
   * @param lens - of the trace's driver
   * @param device - the model
   * @param rules - which are asked; all unless given
   */
  constructor(
    lens: Pick<Lens, "costSchema" | "closeUnmaps" | "fileVm" | "mayWrite">,
    device: OpenDevice,
    rules: readonly LintRule[] = RULES,
  ) {
    this.#lens = lens;
    this.#device = device;
    this.#linter = new Linter(rules, lens, (file, vm, addr) => this.#leafBytes(file, vm, addr));
  }

  /** See {@link Checker.beforeCall}. */
  beforeCall(): void {
    this.#before = snapshot(this.#device.counters);
  }

  /** See {@link Checker.afterCall}. */
  afterCall({ recorded, action, ret, reason }: CheckedCall): void {
    if (recorded === null) return;
    const { seq, line, file, ioctl } = recorded;
    const made = ret === 0 && action.kind === "bo-create" && this.#device.file(file).bo(action.handle);
    const cost = costBetween(this.#lens.costSchema, this.#before, this.#device.counters);
    this.#linter.call({
      ref: { seq, line, file, ioctl },
      action,
      ret,
      recordedRet: recorded.ret,
      reason: ret === 0 ? null : reason,
      cost,
      handleMoved: made === undefined,
      entriesThere: ret === 0 ? this.#entries(file, action, cost["pteWrites"] ?? 0) : null,
      phase: this.#phase,
    });
  }

  /** See {@link Checker.mark}. */
  mark({ mark }: TraceMark, event: TraceEvent | null): void {
    this.#phase = phaseAfter(mark, this.#phase);
    this.#ended = mark === "end";
    this.#linter.mark(mark);
    if (event?.kind === "close") this.#linter.closeFile(event.file);
  }

  /** See {@link Checker.end}. */
  end(): void {
    this.findings = this.#linter.finish(this.#ended);
  }

  /** Leaf entries of all blocks that an array touches, as large as the smallest leaf where an operation begins. */
  #entries(file: number, action: Action, writes: number): number | null {
    if (action.kind !== "bind" || action.ops.length < 2 || writes < WRITES_LEAST) return null;
    const bytes = action.ops.reduce((sum, { range }) => sum + range, 0);
    if (!(bytes < BLOCKS_MAX * BLOCK_2M)) return null;
    const blocks = new Map<number, number>();
    for (const { addr, range, effect } of action.ops) {
      if (effect !== "map" && effect !== "unmap") continue;
      for (let block = addr - (addr % BLOCK_2M); block < addr + range; block += BLOCK_2M) {
        const leaf = this.#leafBytes(file, action.vm, Math.max(addr, block)) || BLOCK_2M;
        blocks.set(block, Math.min(leaf, blocks.get(block) ?? BLOCK_2M));
      }
    }
    let entries = 0;
    for (const leaf of blocks.values()) entries += BLOCK_2M / leaf;
    return entries;
  }

  #leafBytes(file: number, id: number, addr: number): number {
    const vm = this.#device.vm(file, id);
    return vm === undefined || !vm.addressSpace.alive ? 0 : vm.addressSpace.walk(addr).sizeBytes;
  }
}
