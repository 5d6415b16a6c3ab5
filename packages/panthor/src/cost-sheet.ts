/**
 * What a Panthor device counts: one plain object for all layers. AS commands are those of `panthor_mmu.c`, map calls and
 * cache cleans those of `io-pgtable-arm.c` (Linux 7.3).
 *
 * @module
 */

import type { UapiCounters } from "@vmbind/drm";
import type { GpuvmCounters } from "@vmbind/gpuvm-core";
import type { MmuCounters } from "@vmbind/mmu";

/** The cost sheet of a Panthor device. All numbers since the device was made. */
export interface PanthorCounters extends UapiCounters, GpuvmCounters, MmuCounters {
  /** LOCK commands: one per AS_LOCKADDR write. Not counted while the VM owns no AS slot; so for flush and UNLOCK. */
  asLock: number;
  /** GPU cache flushes, one before each UNLOCK. */
  asFlush: number;
  /** UNLOCK commands. */
  asUnlock: number;
  /** Bytes of the blocks that LOCK commands named. */
  lockedBytes: number;
  /** Calls of the io-pgtable map function, failing ones included. */
  ioMapCalls: number;
  /** Calls of the io-pgtable unmap function, failing ones included. */
  ioUnmapCalls: number;
  /** Cache cleans of page-table memory; only on devices that are not coherent. */
  cacheCleans: number;
  /** Bytes that those cleans covered. */
  cacheCleanBytes: number;
  /** Warnings that the kernel would have logged: broken expectations of io-pgtable and of the driver. */
  kernelWarnings: number;
  /** Jobs that asynchronous VM_BIND calls queued. */
  bindJobs: number;
  /** Objects whose pages were swapped out. */
  evictions: number;
  /** Objects whose pages were brought back for a job. */
  restores: number;
}

/** @returns all zero; one literal, bytes fractional at first, for the reasons that `mmuCounters` gives */
export function panthorCounters(): PanthorCounters {
  const sheet: PanthorCounters = {
    ioctls: 0,
    ioctlErrors: 0,
    bindIoctls: 0,
    bindOps: 0,
    payloadBytes: 0.5,
    tablesReserved: 0,
    tablesReturned: 0,
    mapSteps: 0,
    remapSteps: 0,
    unmapSteps: 0,
    gpuvasLive: 0,
    gpuvasPeak: 0,
    vmBosLive: 0,
    vmBosPeak: 0,
    pteWrites: 0,
    pteClears: 0,
    tableWrites: 0,
    tablesAllocated: 0,
    tablesFreed: 0,
    tablesLive: 0,
    tablesPeak: 0,
    tlbInvalidations: 0,
    tlbInvalidatedBytes: 0.5,
    backingBytes: 0.5,
    backingPeakBytes: 0.5,
    walkSteps: 0,
    tlbHits: 0,
    tlbMisses: 0,
    asLock: 0,
    asFlush: 0,
    asUnlock: 0,
    lockedBytes: 0.5,
    ioMapCalls: 0,
    ioUnmapCalls: 0,
    cacheCleans: 0,
    cacheCleanBytes: 0.5,
    kernelWarnings: 0,
    bindJobs: 0,
    evictions: 0,
    restores: 0,
  };
  sheet.payloadBytes = 0;
  sheet.tlbInvalidatedBytes = 0;
  sheet.backingBytes = 0;
  sheet.backingPeakBytes = 0;
  sheet.lockedBytes = 0;
  sheet.cacheCleanBytes = 0;
  return sheet;
}
