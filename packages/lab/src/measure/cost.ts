/**
 * What a workload costs under a strategy: the device's cost sheet by phase, the references that the steps leave behind,
 * and what the GPU sees of the workload's largest resource.
 *
 * @module
 */

import { type CostSheet, UAPI_COSTS } from "@vmbind/drm";
import { GPUVM_COSTS } from "@vmbind/gpuvm-core";
import { MMU_COSTS } from "@vmbind/mmu";
import { PHASES, type Phase } from "@vmbind/trace";
import type { CostFigures, CostResult, GpuView, SharedFigure } from "../result.ts";
import { strategyFor } from "../strategy/fine.ts";
import { type RunOptions, type StrategyRun, startRun } from "../strategy/run.ts";
import type { SparseStrategy } from "../strategy/strategy.ts";
import { expectedMappings } from "../workload/expected-mappings.ts";
import type { Step, Workload } from "../workload/workload.ts";
import { gpuViews } from "./gpu-view.ts";
import { type References, references } from "./references.ts";

/** References at the end of a phase's last step, and the most that there were until then. */
interface Levels {
  live: References;
  peak: References;
}

/** How to measure. */
export interface MeasureOptions extends RunOptions {
  /** False leaves out what the GPU sees: a sweep over a TiB loads 2^28 words. True unless told. */
  views?: boolean;
  /** The workload's steps for the strategy's block; asked of it unless given. */
  steps?: readonly Step[];
  /**
   * Looks at the fresh session before the first step, or arranges it.
   *
   * @param run - opened, nothing done
   */
  prepare?(run: StrategyRun): void;
}

type StructBytes = Pick<CostResult, "gpuvaBytes" | "vmBoBytes" | "tablePageBytes">;

/**
 * Run a workload and count.
 *
 * @param workload - what to do
 * @param given - how sparse is said
 * @param options - see {@link MeasureOptions}
 * @throws RefusedError when the driver refuses an ioctl
 */
export async function measure(
  workload: Workload,
  given: SparseStrategy,
  options: MeasureOptions = {},
): Promise<CostResult> {
  const strategy = strategyFor(workload, given);
  const run = await startRun(strategy, options);
  options.prepare?.(run);
  const { accounts } = run.session;
  const steps = options.steps ?? workload.steps(strategy.blockBytes);
  run.session.vm.gpuvm?.expect?.(expectedMappings(steps, strategy));
  const watched = options.views === false ? null : largestResource(steps);
  const views: GpuView[] = [];
  let live = referencesOf(run);
  let peak = live;
  const levels = new Map<string, Levels>([["setup", { live, peak }]]);
  let bound = false;
  for (const step of steps) {
    const ends = step.step === "destroy" && step.resource === watched;
    if (ends && bound) views.push(...gpuViews(run, run.resource(watched), "used"));
    const before = { ...run.cost };
    run.perform(step);
    live = referencesOf(run);
    peak = highest(peak, live);
    const phase = PHASES.find((name) => run.cost[name] !== before[name]) as Phase;
    levels.set(phase, { live, peak });
    if (step.step === "create" && step.resource === watched) {
      views.push(...gpuViews(run, run.resource(watched), "created"));
    }
    if (step.step === "bind" && step.resource === watched) bound = true;
  }
  const facts = {
    gpuvaBytes: accounts.mappingBytes,
    vmBoBytes: accounts.pairBytes,
    tablePageBytes: run.session.memory.tables.pageBytes,
  };
  const phases: CostResult["phases"] = {};
  for (const name of PHASES) {
    const sheet = run.cost[name];
    if (sheet) phases[name] = figures(sheet, levels.get(name) as Levels, facts);
  }
  const whole = workloadSheet(run);
  return {
    workload: workload.name,
    description: workload.description,
    seed: workload.seed,
    strategy: strategy.name,
    driver: strategy.driver,
    device: options.device ?? strategy.devices[0],
    blockBytes: strategy.blockBytes,
    ...facts,
    steps: steps.length,
    phases,
    total: figures(whole, { live, peak }, facts),
    driverTotal: driversOwn(whole),
    accesses: run.accesses,
    views,
  };
}

/** Of all VMs together. */
function referencesOf({ sessions }: StrategyRun): References {
  const sum = { vmRefs: 0, vmBoRefs: 0, gemRefs: 0, submitLocks: 0 };
  for (const { accounts } of sessions) {
    const { vmRefs, vmBoRefs, gemRefs, submitLocks } = references(accounts);
    sum.vmRefs += vmRefs;
    sum.vmBoRefs += vmBoRefs;
    sum.gemRefs += gemRefs;
    sum.submitLocks += submitLocks;
  }
  return sum;
}

/** The resource to look at: the first of the largest ones. */
function largestResource(steps: readonly Step[]): string {
  let largest = { resource: "", size: 0 };
  for (const step of steps) {
    if (step.step === "create" && !step.plain && step.size > largest.size) largest = step;
  }
  return largest.resource;
}

function highest(a: References, b: References): References {
  return {
    vmRefs: Math.max(a.vmRefs, b.vmRefs),
    vmBoRefs: Math.max(a.vmBoRefs, b.vmBoRefs),
    gemRefs: Math.max(a.gemRefs, b.gemRefs),
    submitLocks: Math.max(a.submitLocks, b.submitLocks),
  };
}

/** All phases but setup: sums add up, levels and peaks are those of now. */
function workloadSheet(run: StrategyRun): CostSheet {
  const { counters, costSchema } = run.session;
  const sum: CostSheet = {};
  for (const [name, { kind }] of Object.entries(costSchema)) {
    if (kind !== "sum") sum[name] = counters[name] as number;
    else sum[name] = PHASES.reduce((n, p) => n + (p === "setup" ? 0 : (run.cost[p]?.[name] ?? 0)), 0);
  }
  return sum;
}

function figures(sheet: CostSheet, { live, peak }: Levels, facts: StructBytes): CostFigures {
  const of = (name: SharedFigure): number => sheet[name] as number;
  return {
    ioctls: of("ioctls"),
    bindIoctls: of("bindIoctls"),
    bindOps: of("bindOps"),
    payloadBytes: of("payloadBytes"),
    mapSteps: of("mapSteps"),
    remapSteps: of("remapSteps"),
    unmapSteps: of("unmapSteps"),
    gpuvmSteps: of("mapSteps") + of("remapSteps") + of("unmapSteps"),
    gpuvasLive: of("gpuvasLive"),
    gpuvasPeak: of("gpuvasPeak"),
    gpuvaBytesLive: of("gpuvasLive") * facts.gpuvaBytes,
    gpuvaBytesPeak: of("gpuvasPeak") * facts.gpuvaBytes,
    vmBosLive: of("vmBosLive"),
    vmBosPeak: of("vmBosPeak"),
    vmBoBytesLive: of("vmBosLive") * facts.vmBoBytes,
    vmBoBytesPeak: of("vmBosPeak") * facts.vmBoBytes,
    vmRefsLive: live.vmRefs,
    vmRefsPeak: peak.vmRefs,
    vmBoRefsLive: live.vmBoRefs,
    vmBoRefsPeak: peak.vmBoRefs,
    gemRefsLive: live.gemRefs,
    gemRefsPeak: peak.gemRefs,
    submitLocksLive: live.submitLocks,
    submitLocksPeak: peak.submitLocks,
    pteWrites: of("pteWrites"),
    pteClears: of("pteClears"),
    tableWrites: of("tableWrites"),
    tablesReserved: of("tablesReserved"),
    tablesReturned: of("tablesReturned"),
    tablesAllocated: of("tablesAllocated"),
    tablesFreed: of("tablesFreed"),
    tablesLive: of("tablesLive"),
    tablesPeak: of("tablesPeak"),
    tableBytesLive: of("tablesLive") * facts.tablePageBytes,
    tableBytesPeak: of("tablesPeak") * facts.tablePageBytes,
    tlbInvalidations: of("tlbInvalidations"),
    tlbInvalidatedBytes: of("tlbInvalidatedBytes"),
    backingBytes: of("backingBytes"),
    backingPeakBytes: of("backingPeakBytes"),
  };
}

/** What is left of a sheet without the counters that all drivers have. */
function driversOwn(sheet: CostSheet): Record<string, number> {
  const common = { ...UAPI_COSTS, ...GPUVM_COSTS, ...MMU_COSTS };
  return Object.fromEntries(Object.entries(sheet).filter(([name]) => !(name in common)));
}
