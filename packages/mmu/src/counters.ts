/**
 * What the memory side of a GPU is asked to do, counted. Costs in this project are counts, never wall time: the
 * same workload gives the same sheet on every machine. One plain object is shared by all parts of a device, and
 * each part adds to its own fields, once per run of work and not once per entry.
 */

/** The counters of page tables, TLB and backing memory. */
export interface MmuCounters {
  /** Leaf entries written, valid or NULL. */
  pteWrites: number;
  /** Leaf entries set to zero. */
  pteClears: number;
  /** Directory entries (pointers to a next-level table) written or cleared. */
  tableWrites: number;
  /** Page-table pages taken from memory since the start. */
  tablesAllocated: number;
  /** Page-table pages given back since the start. */
  tablesFreed: number;
  /** Page-table pages in use now. */
  tablesLive: number;
  /** The highest value that {@link MmuCounters.tablesLive} has had. */
  tablesPeak: number;
  /** TLB invalidation commands. */
  tlbInvalidations: number;
  /** Bytes of virtual addresses that range invalidations named; "invalidate all" adds nothing. */
  tlbInvalidatedBytes: number;
  /** Bytes of physical memory that buffer objects hold now, stored to or not. */
  backingBytes: number;
  /** The highest value that {@link MmuCounters.backingBytes} has had. */
  backingPeakBytes: number;
  /** Table entries read by the walker. */
  walkSteps: number;
  /** Translations that the TLB served. */
  tlbHits: number;
  /** Translations that the TLB did not hold. */
  tlbMisses: number;
}

/**
 * A fresh sheet, all zero. It is one literal, and so are those of the drivers: a sheet made of spreads gets a shape that
 * is forgotten when no sheet of it is left, and everything that counts is compiled again. Bytes begin as fractions, so
 * that passing 2^31 does not change the shape either.
 */
export function mmuCounters(): MmuCounters {
  const sheet: MmuCounters = {
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
  };
  sheet.tlbInvalidatedBytes = 0;
  sheet.backingBytes = 0;
  sheet.backingPeakBytes = 0;
  return sheet;
}
