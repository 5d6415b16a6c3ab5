/**
 * The split and merge steps that one VM_BIND causes, in words and by operation.
 *
 * @module
 */

import { type GemObject, hex, span } from "@vmbind/drm";
import type { BindOp, StepMapping, StepView, VaManager } from "../lens.ts";

/** One step, kept in words because the step objects are reused. */
export interface StepText {
  /** Kind of step. */
  kind: StepView["kind"];
  /** Index of the operation that causes it. */
  op: number;
  /** In words. */
  text: string;
}

/** Collects the steps of one VM_BIND from {@link VaManager.observe}. */
export class StepRecorder {
  /** What was seen. */
  readonly steps: StepText[] = [];
  readonly #vm: VaManager;
  readonly #ops: readonly BindOp[];
  readonly #name: (gem: GemObject | null) => string;
  #op = 0;

  /**
   * @param vm - whose steps
   * @param ops - the operations of the call
   * @param name - names an object
   */
  constructor(vm: VaManager, ops: readonly BindOp[], name: (gem: GemObject | null) => string) {
    this.#vm = vm;
    this.#ops = ops;
    this.#name = name;
  }

  /**
   * See one step, before the driver does.
   *
   * @param step - the step
   */
  see(step: StepView): void {
    const [addr, end] = this.#reach(step);
    this.#op = this.#opOf(step.kind === "map", addr, end);
    this.steps.push({ kind: step.kind, op: this.#op, text: this.#text(step) });
    // A map step is the last one of its operation.
    if (step.kind === "map") this.#op++;
  }

  /** Operations run in order, so a step belongs to the first one from here on that it can come from. */
  #opOf(isMap: boolean, addr: number, end: number): number {
    for (let i = this.#op; i < this.#ops.length; i++) {
      const op = this.#ops[i] as BindOp;
      if (op.effect === "unmap-object" && !isMap) return i;
      if (isMap ? op.effect === "map" && op.addr === addr : addr < op.addr + op.range && op.addr < end)
        return i;
    }
    return Math.min(this.#op, this.#ops.length - 1);
  }

  #reach(step: StepView): [number, number] {
    if (step.kind === "map") return [step.addr, step.addr + step.range];
    const va = step.kind === "remap" ? step.unmap.va : step.va;
    return [this.#vm.addr(va), this.#vm.end(va)];
  }

  #text(step: StepView): string {
    if (step.kind === "map") return `map ${this.#mapping(step)}`;
    if (step.kind === "remap") {
      const kept = [
        step.hasPrev ? `keep ${this.#mapping(step.prev)}` : "",
        step.hasNext ? `keep ${this.#mapping(step.next)}` : "",
      ].filter(Boolean);
      return `remap ${this.#old(step.unmap.va)}: ${kept.join(", ")}`;
    }
    return `${step.kind} ${this.#old(step.va)}${step.kind === "unmap" && step.keep ? " (keep)" : ""}`;
  }

  #mapping({ addr, range, gem, offset }: StepMapping): string {
    return `${span(addr, range)}${gem ? ` -> ${this.#name(gem)} + ${hex(offset)}` : ""}`;
  }

  #old(va: number): string {
    return span(this.#vm.addr(va), this.#vm.rangeOf(va));
  }
}
