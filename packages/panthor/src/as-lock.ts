/**
 * The AS commands of one operation: LOCK a region of the address space, change the tables, flush, UNLOCK
 * (`panthor_mmu.c`, Linux 7.3-rc7).
 *
 * The hardware locks naturally aligned power-of-two blocks of at least 32 KiB. UNLOCK also drops what the TLB holds of
 * the locked block, which is all the TLB maintenance that Panthor does (the io-pgtable callbacks are empty). A request
 * inside the region that is locked already costs nothing; one that leaves it locks the union. A VM without an AS slot
 * (`as-slots.ts`) has nothing in the TLB and needs no command.
 *
 * ```text
 * AS_LOCKADDR   63 ............ w | ... 5 ... 0      block = 2^(w+1) bytes around the address
 *               address bits      |     w
 * ```
 *
 * @module
 */

import type { Tlb } from "@vmbind/mmu";
import type { SlotOwner } from "./as-slots.ts";
import type { PanthorCounters } from "./cost-sheet.ts";

/** What one LOCK command covers. */
export interface LockRegion {
  /** Value of AS_LOCKADDR: address bits and log2 of half the block. */
  value: number;
  /** First byte of the region that the driver remembers. */
  start: number;
  /** Bytes of that region. */
  bytes: number;
}

const MIN_LOCK_LG2 = 15;
const TWO_32 = 4294967296;

/** log2 of the bytes of the smallest lockable block around [start, start + bytes). */
function blockLg2(start: number, bytes: number): number {
  const last = start + bytes - 1;
  const high = (start / TWO_32) ^ (last / TWO_32);
  const differing = high !== 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(start ^ last);
  return Math.max(differing, MIN_LOCK_LG2);
}

/** `address` with the bits below `lg2` cleared. */
function alignDown(address: number, lg2: number): number {
  if (lg2 < 32) return address - ((address & ((1 << lg2) - 1)) >>> 0);
  const unit = 2 ** lg2;
  return Math.floor(address / unit) * unit;
}

/** 2^lg2, without the cost of a power for blocks below 2 GiB. */
function bytesOf(lg2: number): number {
  return lg2 < 31 ? 1 << lg2 : 2 ** lg2;
}

/**
 * The region that a LOCK command for a range covers (`panthor_mmu.c`).
 *
 * For a range below 32 KiB with bit 14 of its start set, `start` keeps that bit: the remembered window is 16 KiB off the
 * block that the hardware locks. The kernel does the same; it is harmless.
 *
 * @param start - first byte, below 2^53
 * @param bytes - length, not 0
 */
export function lockRegion(start: number, bytes: number): LockRegion {
  const lg2 = blockLg2(start, bytes);
  const base = alignDown(start, lg2 - 1);
  return { value: base + lg2 - 1, start: base, bytes: bytesOf(lg2) };
}

/** The AS slot of a VM, as far as VM_BIND uses it. */
export class AsLock implements SlotOwner {
  readonly #counters: PanthorCounters;
  readonly #tlb: Tlb;
  #slot = 0;
  #start = 0;
  #end = 0;
  // The block the hardware locked; what UNLOCK invalidates.
  #blockStart = 0;
  #blockBytes = 0;

  /** Receives the AS_LOCKADDR value of every LOCK command; null: nobody looks. */
  onLock: ((lockaddr: number) => void) | null = null;

  /**
   * @param counters - cost sheet of the device
   * @param tlb - the device's TLB
   */
  constructor(counters: PanthorCounters, tlb: Tlb) {
    this.#counters = counters;
    this.#tlb = tlb;
  }

  /** AS slot, and ASID in the TLB: 1 or more, 0 for none. Without one no command is issued. */
  get slot(): number {
    return this.#slot;
  }

  /** The VM has a slot now. Whoever had it before left nothing in the TLB. @internal */
  slotTaken(slot: number): void {
    this.#slot = slot;
  }

  /** The slot goes to another VM, or is free: caches are flushed, what is locked is unlocked, the translations go. @internal */
  slotLost(): void {
    this.#counters.asFlush++;
    if (this.#blockBytes > 0) this.#counters.asUnlock++;
    this.#blockBytes = 0;
    this.#tlb.invalidateAll(this.#slot);
    this.#slot = 0;
  }

  /**
   * Make sure that a range is locked. An empty range needs no lock.
   *
   * @param start - first byte
   * @param bytes - length
   */
  lock(start: number, bytes: number): void {
    if (bytes <= 0) return;
    let end = start + bytes;
    if (this.#end > this.#start) {
      if (start >= this.#start && end <= this.#end) return;
      if (this.#start < start) start = this.#start;
      if (this.#end > end) end = this.#end;
    }
    if (this.#slot === 0) {
      this.#start = start;
      this.#end = end;
      return;
    }
    const lg2 = blockLg2(start, end - start);
    const base = alignDown(start, lg2 - 1);
    const block = bytesOf(lg2);
    this.#start = base;
    this.#end = base + block;
    this.#blockStart = alignDown(start, lg2);
    this.#blockBytes = block;
    this.#counters.asLock++;
    this.#counters.lockedBytes += block;
    if (this.onLock !== null) this.onLock(base + lg2 - 1);
  }

  /**
   * {@link AsLock.lock} and {@link AsLock.unlock} for each of `count` leaves that follow one another, while nothing is locked.
   *
   * @param start - first byte of the first
   * @param bytes - of each: a power of two of which `start` is a multiple
   * @param count - how many
   */
  lockEach(start: number, bytes: number, count: number): void {
    if (this.#slot === 0) return;
    const lg2 = blockLg2(start, bytes);
    const block = bytesOf(lg2);
    const counters = this.#counters;
    counters.asLock += count;
    counters.lockedBytes += block * count;
    counters.asFlush += count;
    counters.asUnlock += count;
    const end = start + bytes * count;
    // Small leaves share a block, which is then dropped once for all of them.
    for (let at = start; at < end; ) {
      const first = alignDown(at, lg2);
      const behind = Math.min(first + block, end);
      this.#tlb.invalidateRange(this.#slot, first, block, (behind - at) / bytes);
      at = behind;
    }
    if (this.onLock === null) return;
    for (let at = start; at < end; at += bytes) this.onLock(alignDown(at, lg2 - 1) + lg2 - 1);
  }

  /** End of the operation: flush the caches, UNLOCK, and forget the region. */
  unlock(): void {
    this.#start = 0;
    this.#end = 0;
    if (this.#slot === 0) return;
    this.#counters.asFlush++;
    this.#counters.asUnlock++;
    if (this.#blockBytes > 0) {
      this.#tlb.invalidateRange(this.#slot, this.#blockStart, this.#blockBytes);
      this.#blockBytes = 0;
    }
  }
}
