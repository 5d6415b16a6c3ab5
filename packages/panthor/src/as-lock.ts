/**
 * The AS commands of one operation: LOCK a region of the address space, change the tables, flush, UNLOCK.
 *
 * The hardware locks naturally aligned power-of-two blocks of at least 32 KiB. UNLOCK also drops what the TLB holds of
 * the locked block, which is all the TLB maintenance that Panthor does (the io-pgtable callbacks are empty). A request
 * inside the region that is locked already costs nothing; one that leaves it locks the union.
 *
 * ```text
 * AS_LOCKADDR   63 ............ w | ... 5 ... 0      block = 2^(w+1) bytes around the address
 *               address bits      |     w
 * ```
 *
 * @module
 */

import type { Tlb } from "@vmbind/mmu";
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

/** Number of the highest set bit of `a ^ b`, counted from 1; 0 when equal. Both below 2^53. */
function differingBits(a: number, b: number): number {
  const high = ((a / 4294967296) ^ (b / 4294967296)) >>> 0;
  return high !== 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(a ^ b);
}

/** log2 of the bytes of the smallest lockable block around [start, start + bytes). */
function blockLg2(start: number, bytes: number): number {
  return Math.max(differingBits(start, start + bytes - 1), MIN_LOCK_LG2);
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
  const half = 2 ** (lg2 - 1);
  const base = Math.floor(start / half) * half;
  return { value: base + lg2 - 1, start: base, bytes: 2 * half };
}

/** The AS slot of a VM, as far as VM_BIND uses it. */
export class AsLock {
  readonly #counters: PanthorCounters;
  readonly #tlb: Tlb;
  readonly #asid: number;
  #start = 0;
  #end = 0;
  // The block the hardware locked; what UNLOCK invalidates.
  #blockStart = 0;
  #blockBytes = 0;

  /** True while the VM owns an AS slot; without one no command is issued. */
  active: boolean;
  /** Receives the AS_LOCKADDR value of every LOCK command; null: nobody looks. */
  onLock: ((lockaddr: number) => void) | null = null;

  /**
   * @param counters - cost sheet of the device
   * @param asid - tags the VM's TLB entries
   * @param tlb - the device's TLB
   * @param active - whether the VM owns an AS slot
   */
  constructor(counters: PanthorCounters, asid: number, tlb: Tlb, active: boolean) {
    this.#counters = counters;
    this.#asid = asid;
    this.#tlb = tlb;
    this.active = active;
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
    if (!this.active) {
      this.#start = start;
      this.#end = end;
      return;
    }
    const lg2 = blockLg2(start, end - start);
    const half = 2 ** (lg2 - 1);
    const base = Math.floor(start / half) * half;
    this.#start = base;
    this.#end = base + 2 * half;
    this.#blockBytes = 2 * half;
    this.#blockStart = Math.floor(start / this.#blockBytes) * this.#blockBytes;
    this.#counters.asLock++;
    this.#counters.lockedBytes += this.#blockBytes;
    if (this.onLock !== null) this.onLock(base + lg2 - 1);
  }

  /** End of the operation: flush the caches, UNLOCK, and forget the region. */
  unlock(): void {
    this.#start = 0;
    this.#end = 0;
    if (!this.active) return;
    this.#counters.asFlush++;
    this.#counters.asUnlock++;
    if (this.#blockBytes > 0) {
      this.#tlb.invalidateRange(this.#asid, this.#blockStart, this.#blockBytes);
      this.#blockBytes = 0;
    }
  }
}
