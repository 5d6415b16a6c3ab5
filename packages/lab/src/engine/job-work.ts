/**
 * How long a job will take, before it is done: so that those who divide jobs among machines give each about as much.
 *
 * The unit is a leaf entry that is written. What creating a resource takes is the strategy's own estimate; the rest are weights that
 * were read off a profile of all jobs, and are right to within a factor of a few. A wrong one costs time and changes no result.
 *
 * @module
 */

import { strategyFor } from "../strategy/fine.ts";
import type { SparseStrategy } from "../strategy/strategy.ts";
import { inTable, type StrategyFinder, type StrategyRef } from "../strategy/strategy-ref.ts";
import { knobsAt } from "../sweep/points.ts";
import { BUILTIN_WORKLOADS } from "../workload/builtin.ts";
import { parametricBinds } from "../workload/parametric.ts";
import type { Step, Workload } from "../workload/workload.ts";
import { resolveWorkload } from "../workload/workload-ref.ts";
import type { JobMessage } from "./engine.ts";
import type { JobTask } from "./jobs.ts";

/** An operation of VM_BIND, with its ioctl, its steps and its table walk. */
const OPERATION = 16;
/** One element of vkQueueBindSparse is an unmap and a map somewhere in the middle of a tree. */
const BIND = 64;
/** A fresh device, a VM, a heap. */
const DEVICE = 2000;
/** A page of a resource that the GPU is sent through. */
const VIEWED_PAGE = 1;
const PAGE = 4096;
const VIEW_BYTES_MAX = 2 ** 34;
/** The question's buffer, which recordings, semantics and accounts are about. */
const QUESTION_BYTES = 100_000_000;
/** A recording has its answers compared. */
const REPLAYED = 2;
/** It is read and parsed before. */
const RECORDING = 200_000;
/** A recording of an image binds as much as so many creations of the question's buffer. */
const IMAGE = 4;
/** Times that the semantics matrix and the accounts create a resource. */
const ASKED = 4;

/**
 * Estimate a job.
 *
 * @param job - which, and on what
 * @param find - knows the strategies; those of the table unless told
 * @returns leaf entries that take about as long
 */
export async function jobWork(job: JobMessage, find: StrategyFinder = inTable): Promise<number> {
  const strategyOf = async (ref: StrategyRef): Promise<SparseStrategy> => find(ref);
  switch (job.kind) {
    case "point": {
      const { strategy, workload, ...point } = job.task as JobTask<"point">;
      const knobs = knobsAt(point, workload);
      return DEVICE + created(await strategyOf(strategy), knobs.size) + BIND * parametricBinds(knobs);
    }
    case "cost": {
      const { workload, strategy, views } = job.task as JobTask<"cost">;
      return workloadWork(resolveWorkload(workload), await strategyOf(strategy), views);
    }
    case "recorded": {
      const { workload, strategy } = job.task as JobTask<"recorded">;
      const found = await strategyOf(strategy);
      const alike = BUILTIN_WORKLOADS.get(workload)?.make(1, undefined);
      const work = alike ? workloadWork(alike, found, false) : IMAGE * created(found, QUESTION_BYTES);
      return RECORDING + REPLAYED * work;
    }
    case "semantics":
    case "accounting": {
      const { strategy } = job.task as JobTask<"semantics" | "accounting">;
      return DEVICE + ASKED * created(await strategyOf(strategy), QUESTION_BYTES);
    }
    case "experiments": {
      const { strategies } = job.task as JobTask<"experiments">;
      const found = await Promise.all(strategies.map(strategyOf));
      return found.reduce((sum, strategy) => sum + DEVICE + ASKED * created(strategy, QUESTION_BYTES), 0);
    }
  }
}

function workloadWork(workload: Workload, strategy: SparseStrategy, views: boolean): number {
  let work = DEVICE;
  let largest = 0;
  for (const step of stepsOf(workload, strategy)) {
    if (step.step === "bind") work += BIND * step.binds.length;
    else if (step.step !== "create") work += OPERATION;
    else if (step.size <= strategy.resourceBytesMax) {
      work += created(strategy, step.size);
      largest = Math.max(largest, step.size);
    }
  }
  return work + (views && largest <= VIEW_BYTES_MAX ? VIEWED_PAGE * Math.ceil(largest / PAGE) : 0);
}

/** A workload that cannot be made says so when it is run. */
function stepsOf(workload: Workload, strategy: SparseStrategy): readonly Step[] {
  try {
    return workload.steps(strategyFor(workload, strategy).blockBytes);
  } catch {
    return [];
  }
}

/** Created and destroyed. */
function created(strategy: SparseStrategy, bytes: number): number {
  const { operations, leafEntries } = strategy.workOf(Math.min(bytes, strategy.resourceBytesMax));
  return OPERATION * operations + leafEntries;
}
