/**
 * What an Xe device counts: one plain object for all layers.
 *
 * @module
 */

import { type GpuvmCounters, gpuvmCounters, type UapiCounters, uapiCounters } from "@vmbind/gpuvm-core";
import { type MmuCounters, mmuCounters } from "@vmbind/mmu";

/** The cost sheet of an Xe device. All numbers since the device was made. */
export interface XeCounters extends UapiCounters, GpuvmCounters, MmuCounters {
  /** Page-table operations that were run: binds and unbinds of one mapping each. */
  ptOps: number;
  /** Updates that were applied: runs of entries in one table that existed before. */
  ptUpdates: number;
  /** Entries written by those updates. */
  ptQwords: number;
  /** Pieces of split mappings that were bound again from scratch. */
  remnantsRebound: number;
  /** Pieces of split mappings that kept their entries. */
  remnantsSkipped: number;
  /** Increments of a VM's `tlb_flush_seqno`: the next batch of each queue starts with a TLB flush. */
  tlbFlushRequests: number;
  /** Warnings that the kernel would have logged. */
  kernelWarnings: number;
}

/** @returns all zero */
export function xeCounters(): XeCounters {
  return {
    ...uapiCounters(),
    ...gpuvmCounters(),
    ...mmuCounters(),
    ptOps: 0,
    ptUpdates: 0,
    ptQwords: 0,
    remnantsRebound: 0,
    remnantsSkipped: 0,
    tlbFlushRequests: 0,
    kernelWarnings: 0,
  };
}
