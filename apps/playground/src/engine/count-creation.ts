/** What it costs to create one sparse resource, nothing bound: one strategy, one size, counted on a fresh device. */

import { sparseStrategy, startRun } from "@vmbind/lab";

/** What is asked. */
export interface CreationRequest {
  /** How sparse is said. */
  readonly strategy: string;
  /** Of the resource, 1 or more. */
  readonly bytes: number;
}

/** What was counted. */
export interface CreationCost {
  /** Bytes of the range: whole blocks of the driver. */
  readonly bytes: number;
  /** VM_BIND operations. */
  readonly operations: number;
  /** Ioctls that bind. */
  readonly ioctls: number;
  /** Bytes that cross into the kernel with them. */
  readonly payloadBytes: number;
  /** Leaf entries that were written. */
  readonly leaves: number;
  /** Page-table pages that were taken. */
  readonly tables: number;
  /** TLB invalidations. */
  readonly invalidations: number;
}

/**
 * @param request - what to create
 * @returns its cost
 * @throws RefusedError where the driver refuses it, RangeError for a strategy that is in no table
 */
export async function countCreation({ strategy, bytes }: CreationRequest): Promise<CreationCost> {
  const run = await startRun(sparseStrategy(strategy));
  run.perform({ step: "create", resource: "buffer", size: bytes });
  const cost = run.cost.create ?? {};
  return {
    bytes: run.resource("buffer").bytes,
    operations: cost["bindOps"] ?? 0,
    ioctls: cost["bindIoctls"] ?? 0,
    payloadBytes: cost["payloadBytes"] ?? 0,
    leaves: cost["pteWrites"] ?? 0,
    tables: cost["tablesAllocated"] ?? 0,
    invalidations: cost["tlbInvalidations"] ?? 0,
  };
}
