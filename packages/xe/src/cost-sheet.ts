/**
 * What an Xe device counts: one plain object for all layers. Page-table operations and updates are those of `xe_pt.c`
 * (Linux 7.3).
 *
 * @module
 */

import type { UapiCounters } from "@vmbind/drm";
import type { GpuvmCounters } from "@vmbind/gpuvm-core";
import type { MmuCounters } from "@vmbind/mmu";

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
  /** Increments of a VM's `tlb_flush_seqno` (`xe_vm_types.h`): the next batch of each queue starts with a TLB flush. */
  tlbFlushRequests: number;
  /** Warnings that the kernel would have logged. */
  kernelWarnings: number;
}

/** @returns all zero; one literal, bytes fractional at first, for the reasons that `mmuCounters` gives */
export function xeCounters(): XeCounters {
  const sheet: XeCounters = {
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
    ptOps: 0,
    ptUpdates: 0,
    ptQwords: 0,
    remnantsRebound: 0,
    remnantsSkipped: 0,
    tlbFlushRequests: 0,
    kernelWarnings: 0,
  };
  sheet.payloadBytes = 0;
  sheet.tlbInvalidatedBytes = 0;
  sheet.backingBytes = 0;
  sheet.backingPeakBytes = 0;
  return sheet;
}
