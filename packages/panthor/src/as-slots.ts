/**
 * AS slots: the GPU knows a few address spaces at a time (`AS_PRESENT`), and the number of a slot is the ASID in its TLB.
 *
 * Slot 0 is the firmware's. A VM gets one of the others when a group of it is put on the hardware, and keeps it while it is
 * idle. When none is free, the VM that has been idle longest loses its own. A VM without a slot has nothing in the TLB, so
 * its operations need neither LOCK nor UNLOCK (`panthor_mmu.c`, Linux 7.3-rc7).
 *
 * ```text
 *            activate                      idle
 * no slot  ------------>  busy (slot n)  ------->  idle (slot n)  ---> no slot, when another VM needs the slot and
 *                              ^                        |               this one has been idle longest
 *                              +------- activate -------+
 * ```
 *
 * @module
 */

import { EBUSY, fail } from "@vmbind/drm";
import type { PanthorCounters } from "./cost-sheet.ts";

/** Whose a slot is; see `AsLock`. */
export interface SlotOwner {
  /** The slot, 0 for none. */
  readonly slot: number;
  /** It has a slot now: the registers are written. @internal */
  slotTaken(slot: number): void;
  /** The slot went to another one. @internal */
  slotLost(): void;
}

/** Whether `AS_PRESENT` can be so: two or more bits from bit 0 on, without gaps. @internal */
export function isSlotMask(present: number): boolean {
  return present >= 3 && present < 2 ** 32 && Number.isInteger(Math.log2(present + 1));
}

/** The slots of a device. */
export class AsSlots {
  readonly #counters: PanthorCounters;
  readonly #owners: (SlotOwner | null)[];
  /** VMs that run, and how many groups of each. */
  readonly #busy: Map<SlotOwner, number> = new Map();
  /** VMs that have a slot and do not run, the one longest idle first. */
  readonly #idle: Set<SlotOwner> = new Set();
  /** The VM that became idle last. */
  #latest: SlotOwner | null = null;

  /**
   * @param counters - where steals are counted
   * @param present - `AS_PRESENT`: a bit for each slot, without gaps
   */
  constructor(counters: PanthorCounters, present: number) {
    this.#counters = counters;
    this.#owners = new Array(32 - Math.clz32(present)).fill(null);
  }

  /** Slots, the firmware's included. */
  get count(): number {
    return this.#owners.length;
  }

  /** Whether a VM without a slot could be activated now. */
  get available(): boolean {
    return this.#idle.size > 0 || this.#owners.indexOf(null, 1) > 0;
  }

  /**
   * @param slot - a number
   * @returns whose it is, null when it is free, the firmware's or none
   */
  owner(slot: number): SlotOwner | null {
    return this.#owners[slot] ?? null;
  }

  /**
   * A group of a VM is put on the hardware (`panthor_vm_active`): the VM gets a slot, or keeps the one that it has.
   *
   * @param vm - the VM
   * @returns 1 or more
   * @throws `DrmError` EBUSY when none is free and no other VM is idle; then nothing has changed
   */
  activate(vm: SlotOwner): number {
    if (vm.slot === 0) {
      const slot = this.#freeSlot();
      this.#owners[slot] = vm;
      vm.slotTaken(slot);
    }
    this.#idle.delete(vm);
    this.#busy.set(vm, (this.#busy.get(vm) ?? 0) + 1);
    return vm.slot;
  }

  /**
   * A group of a VM leaves the hardware (`panthor_vm_idle`). With the last one the VM is idle.
   *
   * @param vm - the VM; nothing happens when it is not active
   */
  idle(vm: SlotOwner): void {
    const groups = this.#busy.get(vm);
    if (groups === undefined) return;
    if (groups > 1) {
      this.#busy.set(vm, groups - 1);
      return;
    }
    this.#busy.delete(vm);
    this.#idle.add(vm);
    this.#latest = vm;
  }

  /**
   * A group of a VM is on the hardware for a moment.
   *
   * @param vm - the VM
   * @returns its slot
   * @throws `DrmError` EBUSY as {@link AsSlots.activate}
   */
  visit(vm: SlotOwner): number {
    const { slot } = vm;
    if (slot !== 0 && (vm === this.#latest || this.#busy.has(vm))) return slot;
    this.activate(vm);
    this.idle(vm);
    return vm.slot;
  }

  /**
   * Take a VM's slot away, if it has one.
   *
   * @param vm - any VM
   */
  release(vm: SlotOwner): void {
    if (this.#latest === vm) this.#latest = null;
    this.#busy.delete(vm);
    this.#idle.delete(vm);
    if (vm.slot === 0) return;
    this.#owners[vm.slot] = null;
    vm.slotLost();
  }

  #freeSlot(): number {
    const free = this.#owners.indexOf(null, 1);
    if (free > 0) return free;
    const oldest =
      this.#idle.values().next().value ?? fail(EBUSY, `as: all ${this.count - 1} slots are of VMs that run`);
    const { slot } = oldest;
    this.release(oldest);
    this.#counters.asSteals++;
    return slot;
  }
}
