/**
 * The split and merge steps that one VM_BIND causes, in words and by operation.
 *
 * @module
 */

import { type GemObject, hex, span } from "@vmbind/drm";
import type { StepMapping, StepView, VaManager } from "../lens.ts";

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
  readonly #name: (gem: GemObject | null) => string;

  /**
   * @param vm - whose steps
   * @param name - names an object
   */
  constructor(vm: VaManager, name: (gem: GemObject | null) => string) {
    this.#vm = vm;
    this.#name = name;
  }

  /**
   * See one step, before the driver does.
   *
   * @param step - the step
   * @param op - index of the operation that causes it
   */
  see(step: StepView, op: number): void {
    this.steps.push({ kind: step.kind, op, text: this.#text(step) });
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
