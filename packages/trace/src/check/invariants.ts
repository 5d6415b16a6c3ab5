/**
 * The driver's invariants, the TLB included: some mapped addresses are translated, so that it has something to forget.
 *
 * @module
 */

import type { OpenDevice } from "../device.ts";
import type { Checker, Report } from "./checker.ts";

/** Mappings of a VM whose first and last pages are translated. */
const TOUCHED_MAX = 32;

/** Reports `invariant` with the text of the first that is broken. */
export class InvariantChecker implements Checker {
  readonly #device: OpenDevice;
  readonly #report: Report;
  readonly #every: number;
  #calls = 0;

  /**
   * @param device - the model
   * @param report - takes what is broken
   * @param every - look after so many calls, and one call after that, when the TLB had the chance to go stale; 1 is after each
   */
  constructor(device: OpenDevice, report: Report, every = 1) {
    this.#device = device;
    this.#report = report;
    this.#every = every;
  }

  /** See {@link Checker.afterCall}. */
  afterCall(): void {
    const phase = this.#calls++ % this.#every;
    if (phase > 1) return;
    if (this.#hold() && phase === 0) this.#touch();
  }

  /** See {@link Checker.afterEvent}. */
  afterEvent(): void {
    if (this.#every === 1) this.#hold();
  }

  /** See {@link Checker.end}. */
  end(): void {
    this.#hold();
  }

  #hold(): boolean {
    try {
      this.#device.checkInvariants();
      return true;
    } catch (error) {
      this.#report("invariant", "none", error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  #touch(): void {
    for (const file of this.#device.files) {
      for (const [, vm] of file.vms()) {
        let left = TOUCHED_MAX;
        for (const { addr, range } of vm.mappings()) {
          if (left-- === 0) break;
          vm.addressSpace.translate(addr);
          if (range > 0) vm.addressSpace.translate(addr + range - 1);
        }
      }
    }
  }
}
