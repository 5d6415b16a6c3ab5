/**
 * How a strategy is named to those who do jobs, on whatever thread: functions do not travel, a name and a path do.
 *
 * @module
 */

import type { QuirkProfile } from "@vmbind/drm";
import { blamed } from "./blame.ts";
import { underKernel } from "./kernel.ts";
import { onDevice } from "./on-device.ts";
import type { SparseStrategy, StrategyModule } from "./strategy.ts";
import { sparseStrategy } from "./table.ts";

/** A strategy on a kernel, as plain data. Equal ones give equal results. */
export interface StrategyRef {
  /** Its name. */
  name: string;
  /** The kernel that it is run on. */
  kernel: QuirkProfile;
  /** The device, where that is not its usual one. */
  device?: string;
  /** The module that it is in; absent for rows of the table. */
  module?: StrategyModule;
}

/**
 * Finds the strategy of a reference, whichever the kernel.
 *
 * @param ref - what is wanted
 * @throws RangeError when there is none
 */
export type StrategyFinder = (ref: StrategyRef) => SparseStrategy | Promise<SparseStrategy>;

/** Finds rows of the table. */
export const inTable: StrategyFinder = ({ name }) => sparseStrategy(name);

/**
 * Name a strategy to those who do jobs.
 *
 * @param strategy - a strategy
 * @param kernel - the kernel that it is to be run on
 */
export function refOf({ name, pinned, module }: SparseStrategy, kernel: QuirkProfile): StrategyRef {
  return {
    name: pinned?.of ?? name,
    kernel,
    ...(pinned && { device: pinned.device }),
    ...(module && { module }),
  };
}

/**
 * Do something with the strategy of a reference. What goes wrong in a module is the module's fault, and is said so.
 *
 * @param ref - which strategy, on which kernel
 * @param find - knows the strategies
 * @param job - what to do
 * @returns what the job returns
 * @throws InputError naming the module for whatever the job throws that is no error of a driver or of a workload
 */
export async function withStrategy<T>(
  ref: StrategyRef,
  find: StrategyFinder,
  job: (strategy: SparseStrategy) => Promise<T>,
): Promise<T> {
  const found = await find(ref);
  const strategy = underKernel(ref.device === undefined ? found : onDevice(found, ref.device), ref.kernel);
  if (!ref.module) return job(strategy);
  try {
    return await job(strategy);
  } catch (error) {
    throw blamed(error, ref.module.path, ref.name);
  }
}
