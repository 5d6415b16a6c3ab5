/**
 * The recorded workloads: what Mesa really sent, and the same with each sparse operation replaced, replayed on the models.
 *
 * @module
 */

import type { QuirkProfile } from "@vmbind/drm";
import type { ReplayResult } from "@vmbind/trace";
import { replayTrace } from "../drivers.ts";
import { DEFAULT_KERNEL } from "../strategy/kernel.ts";
import type { SparseStrategy } from "../strategy/strategy.ts";
import { BUILTIN_WORKLOADS } from "../workload/builtin.ts";
import { expectedMappings } from "../workload/expected-mappings.ts";
import { openStrategyTrace, type TraceLibrary } from "./library.ts";

/** A recorded workload under a strategy, as `vmbind compare --json` prints it. */
export interface TraceRow {
  /** Workload. */
  workload: string;
  /** Strategy. */
  strategy: string;
  /** Driver. */
  driver: string;
  /** Whether a real driver sent these ioctls. */
  recorded: boolean;
  /** False when the user-mode driver cannot do the workload; the metrics are then null. */
  supported: boolean;
  /** Operations that the model refused or answered differently. */
  differences: number;
  /** Figures by name. */
  metrics: Record<string, number | null>;
}

/** A figure of a replay. */
export interface Metric {
  /** Name in JSON and CSV. */
  name: string;
  /** Name for people. */
  title: string;
  /**
   * The figure.
   *
   * @param result - of a replay
   */
  of(result: ReplayResult): number;
}

const cost =
  (name: string) =>
  ({ workloadCost }: ReplayResult): number =>
    workloadCost[name] ?? 0;

const createCost =
  (name: string) =>
  ({ costByPhase }: ReplayResult): number =>
    costByPhase.create?.[name] ?? 0;

/** What it costs to make the sparse resources. */
export const CREATE_METRICS: readonly Metric[] = [
  { name: "createOps", title: "operations", of: (r) => r.counts.byPhase.create?.bindOps ?? 0 },
  { name: "createIoctls", title: "ioctls", of: (r) => r.counts.byPhase.create?.bindIoctls ?? 0 },
  { name: "createPayloadBytes", title: "payload bytes", of: createCost("payloadBytes") },
  { name: "createMappings", title: "mappings", of: createCost("mapSteps") },
  { name: "createPteWrites", title: "leaf entries", of: createCost("pteWrites") },
  { name: "createTables", title: "table pages", of: createCost("tablesAllocated") },
  { name: "createTlbInvalidations", title: "TLB invalidations", of: createCost("tlbInvalidations") },
];

/** What is compared, over the workload between device set-up and teardown; levels and peaks are of the whole device. */
export const METRICS: readonly Metric[] = [
  { name: "bindOps", title: "operations", of: (r) => r.counts.workload.bindOps },
  { name: "bindIoctls", title: "VM_BIND ioctls", of: (r) => r.counts.workload.bindIoctls },
  { name: "payloadBytes", title: "payload bytes", of: (r) => r.counts.workload.payloadBytes },
  {
    name: "gpuvmSteps",
    title: "split and merge steps",
    of: (r) => cost("mapSteps")(r) + cost("remapSteps")(r) + cost("unmapSteps")(r),
  },
  { name: "gpuvasPeak", title: "mappings, peak", of: cost("gpuvasPeak") },
  { name: "vmBosPeak", title: "vm_bos, peak", of: cost("vmBosPeak") },
  { name: "pteWrites", title: "leaf entries written", of: cost("pteWrites") },
  { name: "pteClears", title: "leaf entries cleared", of: cost("pteClears") },
  { name: "tableWrites", title: "directory entries written", of: cost("tableWrites") },
  { name: "tablesReserved", title: "table pages reserved", of: cost("tablesReserved") },
  { name: "tablesAllocated", title: "table pages used", of: cost("tablesAllocated") },
  { name: "tablesPeak", title: "table pages, peak", of: cost("tablesPeak") },
  { name: "tableBytesPeak", title: "table bytes, peak", of: (r) => cost("tablesPeak")(r) * r.tablePageBytes },
  { name: "tlbInvalidations", title: "TLB invalidations", of: cost("tlbInvalidations") },
  { name: "tlbInvalidatedBytes", title: "bytes invalidated", of: cost("tlbInvalidatedBytes") },
  { name: "backingPeakBytes", title: "backing bytes, peak", of: cost("backingPeakBytes") },
];

/**
 * Replay a workload's trace under a strategy.
 *
 * @param workload - one of WORKLOADS
 * @param strategy - how sparse is said
 * @param library - where traces are
 * @param kernel - the kernel that it is replayed on, whatever the header of the trace says
 * @returns its figures, or null when the library has no trace
 */
export async function replayRecorded(
  workload: string,
  strategy: SparseStrategy,
  library: TraceLibrary,
  kernel: QuirkProfile = DEFAULT_KERNEL,
): Promise<TraceRow | null> {
  const trace = await openStrategyTrace(strategy, workload, library);
  if (!trace) return null;
  const recorded = strategy.traces.derive === undefined;
  const header = { ...trace.header, quirks: kernel };
  // What is recorded under a name is, but for its chance, what is generated under it.
  const alike = recorded ? undefined : BUILTIN_WORKLOADS.get(workload)?.make(1, undefined);
  const mappings = alike ? expectedMappings(alike.steps(strategy.blockBytes), strategy) : 0;
  const options = { compareMappings: recorded, countKinds: false, mappings };
  const result = await replayTrace({ ...trace, header }, {}, options);
  // A trace of something that the user-mode driver lacks holds a mark and no bind.
  const supported = result.counts.workload.bindIoctls > 0;
  return {
    workload,
    strategy: strategy.name,
    driver: result.driver,
    recorded,
    supported,
    differences: result.differenceCount,
    metrics: Object.fromEntries(
      [...CREATE_METRICS, ...METRICS].map((m) => [m.name, supported ? m.of(result) : null]),
    ),
  };
}
