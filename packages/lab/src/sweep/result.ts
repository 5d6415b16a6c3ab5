/**
 * What a sweep comes to, as `vmbind sweep --json` prints it.
 *
 * @module
 */

import type { QuirkProfile } from "@vmbind/drm";
import type { Growth } from "./growth.ts";
import type { PointRow } from "./point.ts";
import type { LeftOutPoint, SweptWorkload } from "./points.ts";

/** What was asked for. */
export interface SweepKnobs {
  /** Names of the strategies. */
  strategies: string[];
  /** The kernel that they were run on. */
  kernel: QuirkProfile;
  /** Most operations or leaf entries of a point. */
  workMax: number;
  /** Bound part while the size changes: none in the usual workload. */
  boundFraction: number;
  /** Size of the resource while the bound part changes, bytes. */
  sizeBytes: number;
  /** Size of the resource while its start changes, bytes. */
  offsetBytes: number;
  /** Bytes of one bind. */
  tileBytes: number;
  /** The user's workload; absent for the usual one. */
  workload?: SweptWorkload;
}

/** A sweep. */
export interface Sweep {
  /** Names the format. */
  format: "vmbind-sweep";
  /** Version of the format. */
  version: 1;
  /** What was asked for. */
  knobs: SweepKnobs;
  /** Always null: it is the whole. Version 1 also had parts of a sweep, which said here which they are. */
  shard: null;
  /** Points measured: strategies in the order of the table, then axes, then `x` ascending. */
  rows: PointRow[];
  /** Points that were not, with the reason. */
  leftOut: LeftOutPoint[];
  /** How each figure grows. */
  growth: Growth[];
}
