/**
 * What there is to tell of each ioctl that a filter chooses, gathered while the trace is replayed.
 *
 * @module
 */

import type { CostSheet, GemObject } from "@vmbind/drm";
import {
  type Action,
  type BindOp,
  BindWatch,
  costBetween,
  describeRun,
  LeafBudget,
  type Lens,
  NOT_LOOKED_AT,
  type OpenDevice,
  type Phase,
  phaseAfter,
  type ReplayObserver,
  refusedOp,
  type StepText,
  snapshot,
  type TraceIoctl,
  type TraceMark,
  type TraceRecord,
} from "@vmbind/trace";
import type { Budgets } from "@vmbind/trace/input";
import type { Filter } from "./filter.ts";
import { Places } from "./places.ts";

/** One operation, told. */
export interface ToldOp {
  /** Its index in the call. */
  readonly index: number;
  /** As it was sent. */
  readonly op: BindOp;
  /** In words. */
  readonly text: string;
  /** What its range belongs to; null for no resource. */
  readonly place: string | null;
  /** The driver refuses the call because of it. */
  readonly isRefused: boolean;
  /** The filter is about it. */
  readonly isPicked: boolean;
}

/** One ioctl, told. */
export interface ToldCall {
  /** The record. */
  readonly record: TraceIoctl;
  /** What it means. */
  readonly action: Action;
  /** What the client is doing. */
  readonly phase: Phase;
  /** What the model returned. */
  readonly ret: number;
  /** Why it was refused; null where it was not. */
  readonly reason: string | null;
  /** Its operations, for a VM_BIND. */
  readonly ops: readonly ToldOp[];
  /** Split and merge steps; null where nobody looked: no VM_BIND, or no VM. */
  readonly steps: readonly StepText[] | null;
  /** How page-table leaves changed, in words. */
  readonly leaves: readonly string[];
  /** What it cost. */
  readonly cost: Readonly<CostSheet>;
}

/** Takes what is told. */
export interface Teller {
  /** An ioctl. */
  call(told: ToldCall): void;
  /** A mark that stands before one. */
  mark(mark: TraceMark): void;
}

/** Looks on while a trace is replayed. */
export class Explainer implements ReplayObserver {
  /** Ioctls told. */
  told = 0;
  readonly #teller: Teller;
  readonly #lens: Lens;
  readonly #filter: Filter;
  readonly #names = new Map<GemObject, string>();
  readonly #leafBudget: LeafBudget;
  readonly #places: Places;
  #seq = -1;
  #phase: Phase = "run";
  #counters: Record<string, number> = {};
  #watch: BindWatch | null = null;

  /**
   * @param teller - takes what is told
   * @param lens - of the trace's driver
   * @param filter - chooses
   * @param budgets - amounts other than the standard ones
   */
  constructor(teller: Teller, lens: Lens, filter: Filter, budgets: Budgets) {
    this.#teller = teller;
    this.#lens = lens;
    this.#filter = filter;
    this.#leafBudget = new LeafBudget(budgets);
    this.#places = new Places(lens);
  }

  /** See {@link ReplayObserver.before}. */
  before(record: TraceRecord, device: OpenDevice, action: Action | null): void {
    this.#watch = null;
    if (record.kind === "mark") {
      this.#phase = phaseAfter(record.mark, this.#phase);
      this.#places.mark(record.mark);
      // A mark stands before the ioctl that follows it.
      if (this.#filter.takesMark(this.#seq + 1)) this.#teller.mark(record);
      return;
    }
    this.#seq = record.seq;
    if (action === null || !this.#filter.mayTake(record, action, this.#phase)) return;
    this.#counters = snapshot(device.counters);
    this.#places.before(record, action);
    const vm = action.kind === "bind" ? device.vm(record.file, action.vm) : undefined;
    if (action.kind !== "bind" || !vm) return;
    this.#watch = new BindWatch(vm, action.ops, (gem) => this.#name(gem), this.#leafBudget);
  }

  /** See {@link ReplayObserver.after}. */
  after(record: TraceRecord, device: OpenDevice, action: Action | null, ret: number): void {
    if (record.kind === "mark" || !action) return;
    const watch = this.#watch;
    watch?.end();
    const file = device.file(record.file);
    if (action.kind === "bo-create" && ret === 0) {
      const gem = file.bo(action.handle);
      if (gem) this.#names.set(gem, `BO ${action.handle}`);
    }
    this.#places.take(record, action, ret, this.#phase);
    if (!this.#filter.mayTake(record, action, this.#phase) || !this.#filter.takes(ret)) return;
    this.told++;
    const reason = ret === 0 ? null : (file.lastError?.reason ?? "no reason kept");
    this.#teller.call({
      record,
      action,
      phase: this.#phase,
      ret,
      reason,
      ops: action.kind === "bind" ? this.#ops(action.ops, reason) : [],
      steps: watch?.steps ?? null,
      leaves: watch === null ? [] : (watch.leaves()?.map(describeRun) ?? [NOT_LOOKED_AT]),
      cost: costBetween(this.#lens.costSchema, this.#counters, device.counters),
    });
  }

  #ops(ops: readonly BindOp[], reason: string | null): ToldOp[] {
    const refused = reason === null ? -1 : refusedOp(reason);
    return ops.map((op, index) => ({
      index,
      op,
      text: this.#lens.describe(op),
      place: this.#places.of(op, index),
      isRefused: index === refused,
      isPicked: this.#filter.picks(op),
    }));
  }

  #name(gem: GemObject | null): string {
    if (!gem) return "nothing";
    return this.#names.get(gem) ?? "the driver's own object";
  }
}
