/**
 * What the strategies of this driver have in common: one user-mode driver, one GPU, one granule.
 *
 * @module
 */

import type { SparseStrategy } from "../../strategy/strategy.ts";

/** Bytes of a page. */
export const PAGE: number = 2 ** 12;
/** Bytes of a leaf one level up, and of the objects that panvk maps over and over. */
export const BLOCK_2M: number = 2 ** 21;

/** Columns of the table that are the same in each row. */
export const PANVK: Pick<
  SparseStrategy,
  "driver" | "umd" | "shortDriver" | "resourceBytesMax" | "blockBytes" | "devices" | "reportsStrict"
> = {
  driver: "panthor",
  umd: "panvk",
  shortDriver: "p",
  resourceBytesMax: 2 ** 40,
  blockBytes: PAGE,
  devices: ["g610"],
  reportsStrict: false,
};

/**
 * Leaves of a range that is mapped in as large pieces as there are: whole blocks, and pages in front of the first and
 * behind the last one.
 *
 * @param bytes - of the range
 */
export function fewestLeaves(bytes: number): number {
  return Math.floor(bytes / BLOCK_2M) + Math.min(Math.ceil(bytes / PAGE), (2 * BLOCK_2M) / PAGE);
}
