/**
 * What comparisons find that need more than a strategy and a workload.
 *
 * @module
 */

import type { SweepFigures } from "../measure/sweep-figures.ts";

/** Comparisons that need more than a strategy and a workload. */
export interface LabExperiments {
  /** One MAP_SPARSE over 100e6 bytes, by how the memory of the kernel's dummy lies; empty without panthor-sparse. */
  dummies: DummyExperiment[];
  /** All 1526 tiles of 64 KiB of 100e6 bytes bound in random order, by how many of them one call has. */
  arrays: ArrayExperiment[];
  /** A cut off the window under the REPEAT patch as posted (v4); null without panthor-repeat. */
  postedRepeat: PostedRepeat | null;
}

/** What one MAP_SPARSE writes. */
export interface DummyExperiment {
  /** `huge`: one aligned 2 MiB page; `scattered`: 512 pages of 4 KiB. */
  dummy: "huge" | "scattered";
  /** Leaf entries written. */
  pteWrites: number;
  /** Page-table pages taken into use. */
  tablesAllocated: number;
  /** Calls of the kernel's io-pgtable map function. */
  ioMapCalls: number;
  /** A sequential sweep of it. */
  sequential: SweepFigures;
}

/** What binding the tiles takes. */
export interface ArrayExperiment {
  /** Name of the strategy. */
  strategy: string;
  /** Elements of one vkQueueBindSparse. */
  bindsPerCall: number;
  /** VM_BIND ioctls of the bind phase. */
  bindIoctls: number;
  /** Operations in them. */
  bindOps: number;
  /** Leaf entries written while binding. */
  pteWrites: number;
  /** Leaf entries set to zero while binding. */
  pteClears: number;
  /** TLB invalidation commands while binding. */
  tlbInvalidations: number;
}

/** Unbound pages around a cut, compared with before. */
export interface PostedRepeat {
  /** Unbound pages that were looked at. */
  samples: number;
  /** Pages that show another word after the cut. */
  changedByCut: number;
  /** Pages that fault after the cut. */
  faultsAfterCut: number;
  /** Pages that show another word once the object behind them was evicted and restored. */
  changedByRestore: number;
  /** Pages that fault then. */
  faultsAfterRestore: number;
}
