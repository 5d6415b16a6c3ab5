/**
 * What the memory side of a GPU is asked to do, counted. Costs in this project are counts, never wall time: the
 * same workload gives the same sheet on every machine. One plain object is shared by all parts of a device, and
 * each part adds to its own fields, once per run of work and not once per entry.
 *
 * @module
 */

/** One counter: what kind of number it is, its unit, its title and how it is counted. */
export interface MmuCost {
  /** A `sum` only grows; a `level` is how much there is now, a `peak` the most there ever was. */
  readonly kind: "sum" | "level" | "peak";
  /** What it counts. */
  readonly unit: "count" | "bytes";
  /** What it is called in text. */
  readonly title: string;
  /** How it is counted. */
  readonly how: string;
}

/** Names of the counters of {@link MMU_COSTS}. */
export type MmuCounter =
  | "pteWrites"
  | "pteClears"
  | "tableWrites"
  | "tablesAllocated"
  | "tablesFreed"
  | "tablesLive"
  | "tablesPeak"
  | "tlbInvalidations"
  | "tlbInvalidatedBytes"
  | "backingBytes"
  | "backingPeakBytes"
  | "walkSteps"
  | "tlbHits"
  | "tlbMisses";

/** The part of a device's sheet that counts page tables, TLB and backing memory. */
export type MmuCounters = Record<MmuCounter, number>;

/** The counters of page tables, TLB and backing memory. */
export const MMU_COSTS: Readonly<Record<MmuCounter, MmuCost>> = {
  pteWrites: {
    kind: "sum",
    unit: "count",
    title: "leaf entries written",
    how: "Page-table entries written that end a walk, null entries included; an entry written twice counts twice.",
  },
  pteClears: {
    kind: "sum",
    unit: "count",
    title: "leaf entries cleared",
    how: "Leaf entries set to zero.",
  },
  tableWrites: {
    kind: "sum",
    unit: "count",
    title: "directory entries",
    how: "Directory entries written or cleared.",
  },
  tablesAllocated: {
    kind: "sum",
    unit: "count",
    title: "tables used",
    how: "Page-table pages taken into use.",
  },
  tablesFreed: {
    kind: "sum",
    unit: "count",
    title: "tables freed",
    how: "Page-table pages given back.",
  },
  tablesLive: {
    kind: "level",
    unit: "count",
    title: "tables left",
    how: "Page-table pages in use at the end of the stretch.",
  },
  tablesPeak: {
    kind: "peak",
    unit: "count",
    title: "tables, peak",
    how: "The most page-table pages in use, those of the user-mode driver's own mappings included.",
  },
  tlbInvalidations: {
    kind: "sum",
    unit: "count",
    title: "TLB invalidations",
    how: "TLB invalidation commands that the driver sends: one for each TLB that is told, so two where media has a GT of its own.",
  },
  tlbInvalidatedBytes: {
    kind: "sum",
    unit: "bytes",
    title: "bytes invalidated",
    how: "Bytes of VA that those commands name, rounded up as the hardware takes them.",
  },
  backingBytes: {
    kind: "level",
    unit: "bytes",
    title: "memory behind objects",
    how: "Memory behind objects at the end; page tables are not among it.",
  },
  backingPeakBytes: {
    kind: "peak",
    unit: "bytes",
    title: "memory behind objects, peak",
    how: "The most memory behind objects.",
  },
  walkSteps: {
    kind: "sum",
    unit: "count",
    title: "walk steps",
    how: "Table entries that the walker read.",
  },
  tlbHits: {
    kind: "sum",
    unit: "count",
    title: "TLB hits",
    how: "Translations that the TLB served.",
  },
  tlbMisses: {
    kind: "sum",
    unit: "count",
    title: "TLB misses",
    how: "Translations that the TLB did not hold.",
  },
};

/**
 * A fresh sheet, all zero. Parsed, so that it has the shape of a literal (whatever counts is compiled for that), and bytes
 * begin as fractions, so that passing 2^31 does not change the shape either.
 */
export function mmuCounters(): MmuCounters {
  const names = Object.entries(MMU_COSTS).map(
    ([name, { unit }]) => `"${name}":${unit === "bytes" ? 0.5 : 0}`,
  );
  const sheet: MmuCounters = JSON.parse(`{${names.join()}}`);
  sheet.tlbInvalidatedBytes = 0;
  sheet.backingBytes = 0;
  sheet.backingPeakBytes = 0;
  return sheet;
}
