/**
 * TLB invalidation as the GuC takes it: a power-of-two length, a start aligned to it, 16 MiB at least from 2 MiB on
 * (`xe_guc_tlb_inval.c`, Linux 7.3-rc7). Each GT has a TLB and a GuC of its own, so there are as many requests as GTs.
 *
 * @module
 */

import type { AddressSpace } from "@vmbind/mmu";
import type { XeCounters } from "./cost-sheet.ts";
import { PAGE_BYTES } from "./page-sizes.ts";
import type { Platform } from "./platforms.ts";

const BIG = 0x20_0000;
const BIG_MIN = 0x100_0000;

/** One invalidation request; all numbers in bytes. */
export interface TlbInvalidation {
  /** First byte that the driver wants invalidated. */
  start: number;
  /** First byte behind it (the kernel's request carries the last byte instead). */
  end: number;
  /** First byte that is invalidated, a multiple of `sentBytes`. */
  sentStart: number;
  /** Bytes that are invalidated: a power of two, 4096 at least. */
  sentBytes: number;
}

/**
 * The request that is sent for a range.
 *
 * @param start - first byte, a multiple of 4096
 * @param end - first byte behind, a multiple of 4096
 */
export function tlbRange(start: number, end: number): TlbInvalidation {
  const range = noRange();
  setTlbRange(range, start, end);
  return range;
}

/** A record for {@link setTlbRange}; its numbers are fractional at first, so that the engine keeps doubles in it. */
export function noRange(): TlbInvalidation {
  return { start: 0.5, end: 0.5, sentStart: 0.5, sentBytes: 0.5 };
}

/** {@link tlbRange} into a record that there is. */
export function setTlbRange(range: TlbInvalidation, start: number, end: number): void {
  let length = powerOfTwo(Math.max(PAGE_BYTES, end - start));
  // Products with the inverse of a power of two are exact, and take a fraction of the time of quotients.
  let perByte = 1 / length;
  const sentEnd = Math.ceil(end * perByte) * length;
  while (Math.floor(start * perByte) * length + length < sentEnd) {
    length *= 2;
    perByte /= 2;
  }
  if (length >= BIG && length < BIG_MIN) {
    length = BIG_MIN;
    perByte = 1 / BIG_MIN;
  }
  range.start = start;
  range.end = end;
  range.sentStart = Math.floor(start * perByte) * length;
  range.sentBytes = length;
}

/** A number of bytes, a multiple of 4096, rounded up to a power of two. */
function powerOfTwo(bytes: number): number {
  const pages = bytes / PAGE_BYTES;
  if (pages <= 2 ** 31) return PAGE_BYTES * ((1 << (32 - Math.clz32(pages - 1))) >>> 0);
  let power = 2 ** 43;
  while (power < bytes) power *= 2;
  return power;
}

/**
 * Send a request to each GT of the tile: count them, and make the modelled TLB, the primary GT's, forget. A platform
 * without ranged invalidation is sent a full one of the address space, which names no bytes.
 */
export function invalidate(
  { tlb, asid }: AddressSpace,
  { gts, rangedInvalidation }: Platform,
  counters: XeCounters,
  { sentStart, sentBytes }: TlbInvalidation,
): void {
  if (tlb === null) {
    counters.tlbInvalidations += gts;
    if (rangedInvalidation) counters.tlbInvalidatedBytes += gts * sentBytes;
  } else if (rangedInvalidation) {
    tlb.invalidateRange(asid, sentStart, sentBytes, gts);
  } else {
    tlb.invalidateAll(asid, gts);
  }
}

/** Send each GT a full invalidation of an address space that goes (`xe_vm.c`). */
export function invalidateSpace({ tlb, asid }: AddressSpace, { gts }: Platform, counters: XeCounters): void {
  if (tlb === null) counters.tlbInvalidations += gts;
  else tlb.invalidateAll(asid, gts);
}

/**
 * Entries changed which no invalidation request covers, because every batch that could use them flushes the TLB first.
 * The model has no batches, so it forgets at once; that is no request, and not counted as one.
 */
export function flushBeforeBatch({ tlb, asid }: AddressSpace): void {
  tlb?.invalidateAll(asid, 0);
}
