/**
 * What a Panthor device counts: one plain object for all layers.
 *
 * @module
 */

import { type GpuvmCounters, gpuvmCounters, type UapiCounters, uapiCounters } from "@vmbind/gpuvm-core";
import { type MmuCounters, mmuCounters } from "@vmbind/mmu";

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

/** Kept alive, and fractional at first where bytes are counted, for the reasons that `mmuCounters` has. */
const ZERO: PanthorCounters = {
  ...uapiCounters(),
  ...gpuvmCounters(),
  ...mmuCounters(),
  payloadBytes: 0.5,
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
ZERO.payloadBytes = 0;
ZERO.lockedBytes = 0;
ZERO.cacheCleanBytes = 0;

/** @returns all zero */
export function panthorCounters(): PanthorCounters {
  return { ...ZERO };
}
