/**
 * What a sweep of loads takes, plain.
 *
 * @module
 */

/**
 * A GPU that reads its way through a resource with a cold TLB. Entries are as large as the leaves: what hardware makes of
 * xe's 64 KiB hint, or of neighbours that continue each other, is not modelled.
 */
export interface SweepFigures {
  /** Entries of the TLB; one holds a whole leaf, whatever its size. Walk caches are not modelled. */
  tlbEntries: number;
  /** Entries of one set. */
  tlbWays: number;
  /** Bytes from one sequential load to the next, and the grid of the random ones: 4096. */
  strideBytes: number;
  /** Loads. */
  accesses: number;
  /** Page-table entries that the walker read. */
  walkSteps: number;
  /** Loads that the TLB could not answer. */
  tlbMisses: number;
  /** Loads that found no translation. */
  faults: number;
}
