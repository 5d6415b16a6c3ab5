/**
 * Context slots: the GPU knows 64 address spaces at a time, and the number of a slot is the ASID in its TLB.
 *
 * Slot 0 is the kernel's. A VM gets one of the others when it first runs, and loses it when 63 others have run since
 * then. A VM without a slot has nothing in the TLB, so its invalidations cost nothing. So the driver does it (the downstream
 * asahi driver, branches of 2025).
 *
 * @module
 */

import type { Tlb } from "@vmbind/mmu";
import type { AsahiCounters } from "./cost-sheet.ts";

const SLOTS = 64;

/** Who runs in a slot; see `AsahiVm`. */
export interface SlotOwner {
  /** The slot, 0 for none. */
  readonly asid: number;
  /** The slot went to another one. @internal */
  slotLost(): void;
}

/** The slots of a device. */
export class ContextSlots {
  readonly #counters: AsahiCounters;
  readonly #tlb: Tlb;
  readonly #owners: (SlotOwner | null)[] = new Array(SLOTS).fill(null);
  /** VMs with a slot, the one that ran longest ago first. */
  readonly #order: Set<SlotOwner> = new Set();

  /**
   * @param counters - where steals are counted
   * @param tlb - forgets a slot that changes hands
   */
  constructor(counters: AsahiCounters, tlb: Tlb) {
    this.#counters = counters;
    this.#tlb = tlb;
  }

  /**
   * Give a VM a slot, or let it keep the one that it has.
   *
   * @param vm - the VM that is about to run
   * @returns 1..63
   */
  take(vm: SlotOwner): number {
    const slot = vm.asid || this.#freeSlot();
    this.#owners[slot] = vm;
    this.#order.delete(vm);
    this.#order.add(vm);
    return slot;
  }

  #freeSlot(): number {
    const slot = this.#owners.indexOf(null, 1);
    if (slot > 0) return slot;
    const oldest = this.#order.values().next().value as SlotOwner;
    const { asid } = oldest;
    this.release(oldest);
    this.#counters.contextSteals++;
    return asid;
  }

  /**
   * Take a VM's slot away, if it has one, and forget its translations.
   *
   * @param vm - any VM
   */
  release(vm: SlotOwner): void {
    const { asid } = vm;
    if (asid === 0) return;
    this.#owners[asid] = null;
    this.#order.delete(vm);
    this.#tlb.invalidateAll(asid);
    vm.slotLost();
  }
}
