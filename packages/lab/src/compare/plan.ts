/**
 * What a comparison runs: which recorded workloads, which generated ones, under which strategies.
 *
 * A name may stand for both: the recording of Mesa's ioctls, and the Vulkan-level workload that is lowered anew.
 *
 * @module
 */

import type { QuirkProfile } from "@vmbind/drm";
import { WORKLOADS } from "../recorded/library.ts";
import { DEFAULT_KERNEL } from "../strategy/kernel.ts";
import type { SparseStrategy } from "../strategy/strategy.ts";
import { SPARSE_STRATEGIES } from "../strategy/table.ts";
import { BUILTIN_WORKLOADS } from "../workload/builtin.ts";
import { LAB_WORKLOADS } from "../workload/lab-workloads.ts";
import { resolveWorkload, type WorkloadRef } from "../workload/workload-ref.ts";

/** A Vulkan-level workload to run. */
export interface GeneratedWorkload {
  /** Its name. */
  name: string;
  /** In one sentence. */
  description: string;
  /** How an engine finds it. */
  ref: WorkloadRef;
}

/** What to run. */
export interface ComparePlan {
  /** In the order of the table, others behind them. */
  strategies: readonly SparseStrategy[];
  /** The kernel that they are run on. */
  kernel: QuirkProfile;
  /** Names of recorded workloads. */
  recorded: readonly string[];
  /** Vulkan-level workloads. */
  generated: readonly GeneratedWorkload[];
  /** Also the semantics matrix, the accounting, the experiments and the findings. */
  details: boolean;
}

/** What somebody wants compared; everything unless told. */
export interface CompareRequest {
  /** Which strategies; the plan has them in the order of the table, others behind them. */
  strategies?: readonly SparseStrategy[];
  /** The kernel that they are run on. */
  kernel?: QuirkProfile;
  /** Which workloads: names from {@link workloadNames}, or others. */
  workloads?: readonly (string | WorkloadRef)[];
  /** Of the draws of generated workloads; 1 unless told. */
  seed?: number;
  /** See {@link ComparePlan.details}; true unless told. */
  details?: boolean;
}

/** @returns names of the recorded and generated workloads, those that run unless told first */
export function workloadNames(): string[] {
  const generated = [...LAB_WORKLOADS.map(({ name }) => name), ...BUILTIN_WORKLOADS.keys()];
  return [...new Set([...WORKLOADS, ...generated])];
}

/**
 * @param request - what is wanted
 * @throws RangeError for a name that is not among {@link workloadNames}
 */
export function planComparison(request: CompareRequest = {}): ComparePlan {
  const {
    strategies = SPARSE_STRATEGIES,
    kernel = DEFAULT_KERNEL,
    workloads,
    seed,
    details = true,
  } = request;
  const unknown = workloads?.find((w) => typeof w === "string" && !workloadNames().includes(w));
  if (unknown !== undefined) {
    throw new RangeError(`no workload ${JSON.stringify(unknown)}; there are ${workloadNames().join(", ")}`);
  }
  const refs = workloads?.flatMap((w) => (typeof w === "string" ? refsOf(w) : [w]));
  return {
    strategies: [
      ...SPARSE_STRATEGIES.filter((strategy) => strategies.includes(strategy)),
      ...strategies.filter((strategy) => !SPARSE_STRATEGIES.includes(strategy)),
    ],
    kernel,
    recorded: WORKLOADS.filter((name) => workloads === undefined || workloads.includes(name)),
    generated: (refs ?? LAB_WORKLOADS.map(({ name }) => ({ lab: name }))).map((unseeded) => {
      const ref =
        seed === undefined || "bytes" in unseeded || "made" in unseeded ? unseeded : { ...unseeded, seed };
      const { name, description } = resolveWorkload(ref);
      return { name, description, ref };
    }),
    details,
  };
}

function refsOf(name: string): WorkloadRef[] {
  if (LAB_WORKLOADS.some((workload) => workload.name === name)) return [{ lab: name }];
  return BUILTIN_WORKLOADS.has(name) ? [{ builtin: name }] : [];
}
