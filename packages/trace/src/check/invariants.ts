/**
 * The driver's invariants, the TLB included: some mapped addresses are translated, so that it has something to forget.
 *
 * @module
 */

import { hex } from "@vmbind/drm";
import { Walk } from "@vmbind/mmu";
import type { OpenDevice } from "../device.ts";
import type { BindOp, ModelVm } from "../lens.ts";
import type { CheckedCall, Checker, Report } from "./checker.ts";
import { Pace } from "./pace.ts";

/** Mappings of a VM whose first and last pages are translated. */
const TOUCHED_MAX = 32;

/** Operations of a call around which the TLB is looked at. */
const AROUND_MAX = 64;

/** Reports `invariant` with the text of the first that is broken. */
export class InvariantChecker implements Checker {
  readonly #device: OpenDevice;
  readonly #report: Report;
  readonly #pace: Pace;
  /** The call after a look is looked at as well. */
  #again = false;
  readonly #walk = new Walk();

  /**
   * @param device - the model
   * @param report - takes what is broken
   * @param every - look after so many calls, and one call after that, when the TLB had the chance to go stale; 1 is after each.
   * More rarely where much is mapped (see `pace.ts`); in between the TLB is looked at around what a call asks for
   */
  constructor(device: OpenDevice, report: Report, every = 1) {
    this.#device = device;
    this.#report = report;
    this.#pace = new Pace(every);
  }

  /** See {@link Checker.afterCall}. */
  afterCall({ file, action }: CheckedCall): void {
    const due = this.#due();
    if (due || this.#again) {
      if (this.#hold() && due) this.#touch();
    } else if (action.kind === "bind") {
      this.#lookAround(this.#device.vm(file, action.vm), action.ops);
    }
    this.#again = due;
  }

  /** See {@link Checker.afterEvent}. */
  afterEvent(): void {
    if (this.#due()) this.#hold();
  }

  #due(): boolean {
    const { gpuvasLive, tablesLive } = this.#device.counters;
    return this.#pace.due((gpuvasLive ?? 0) + tablesLive);
  }

  /** The TLB against the tables, at both ends of what was asked for. */
  #lookAround(vm: ModelVm | undefined, ops: readonly BindOp[]): void {
    if (vm === undefined) return;
    const space = vm.addressSpace;
    for (const { addr, range } of ops.slice(0, AROUND_MAX)) {
      for (const va of [addr - 1, addr, addr + range - 1, addr + range]) {
        if (!(va >= 0 && va < 2 ** space.format.vaBits)) continue;
        const walked = found(space.walk(va, this.#walk));
        const translated = found(space.translate(va, this.#walk));
        if (walked === translated) continue;
        const text = `tlb-stale: ${hex(va)}: an access finds ${translated}, a walk ${walked}`;
        this.#report("invariant", "none", text);
        return;
      }
    }
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

/** What an access finds, in words. */
function found({ kind, pa }: Walk): string {
  return kind === "page" ? `a page (${hex(pa)})` : kind;
}
