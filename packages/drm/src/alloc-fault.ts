/**
 * Allocation failure on purpose: the one hook that every allocation point of every driver asks.
 *
 * @module
 */

/** What is about to be allocated. */
export type AllocPoint = "gpuva" | "vm_bo" | "page-table" | "bo-pages" | "op-array" | "gem" | "vm";

/**
 * Decides about one allocation.
 *
 * @param point - what is about to be allocated
 * @returns true to make it fail with ENOMEM (or what the driver makes of that)
 */
export type AllocFault = (point: AllocPoint) => boolean;
