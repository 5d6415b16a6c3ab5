/**
 * Workloads as data: what names one to another thread, which makes the steps itself.
 *
 * @module
 */

import { type Budgets, InputError } from "@vmbind/trace";
import { BUILTIN_WORKLOADS } from "./builtin.ts";
import { LAB_WORKLOADS } from "./lab-workloads.ts";
import { parametric } from "./parametric.ts";
import { checkSteps, type WorkloadFile } from "./schema.ts";
import { type Workload, WorkloadError } from "./workload.ts";

/** Where a workload comes from. */
export type WorkloadRef =
  | {
      /** Name of one of {@link LAB_WORKLOADS}. */
      lab: string;
    }
  | {
      /** Name of one of {@link BUILTIN_WORKLOADS}, as it is unless told. */
      builtin: string;
    }
  | {
      /** Size of one buffer, nothing bound. */
      bytes: number;
    }
  | {
      /** Path of a user's file, for errors. */
      file: string;
      /** What it says, checked by {@link parseWorkload}. */
      content: WorkloadFile;
      /** Amounts of work other than the standard ones. */
      budgets?: Budgets;
    };

const SEED = 1;

/**
 * @param ref - where it comes from
 * @throws RangeError for an unknown name
 */
export function resolveWorkload(ref: WorkloadRef): Workload {
  if ("bytes" in ref) return parametric(`buffer-${ref.bytes}`, 0, { size: ref.bytes, bound: 0 });
  if ("file" in ref) return workloadOfFile(ref.file, ref.content, SEED, ref.budgets);
  const found =
    "lab" in ref
      ? LAB_WORKLOADS.find(({ name }) => name === ref.lab)
      : BUILTIN_WORKLOADS.get(ref.builtin)?.make(SEED, undefined);
  if (!found) throw new RangeError(`the laboratory has no workload ${JSON.stringify(ref)}`);
  return found;
}

/**
 * The workload of a file.
 *
 * @param path - of the file, for errors
 * @param file - its content, checked
 * @param seed - of the draws, where it has knobs in place of steps
 * @param budgets - amounts of work other than the standard ones
 * @returns the workload; its `steps()` throw {@link InputError} where a rule that depends on the driver's block is broken, and
 * for more work than the budgets
 */
export function workloadOfFile(path: string, file: WorkloadFile, seed: number, budgets?: Budgets): Workload {
  const { name, description, steps, parametric: knobs } = file;
  if (!steps) {
    const workload = parametric(name, seed, knobs, budgets);
    return { ...workload, steps: (blockBytes) => inFile(path, () => workload.steps(blockBytes)) };
  }
  return {
    name,
    description: description ?? `${steps.length} steps from ${path}`,
    seed: 0,
    steps(blockBytes) {
      inFile(path, () => checkSteps(steps, blockBytes));
      return steps;
    },
  };
}

/**
 * @param path - of a file
 * @param run - reads it
 * @returns what `run` returns
 * @throws {@link InputError} naming the file, for a {@link WorkloadError}
 */
export function inFile<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof WorkloadError) throw new InputError(path, 0, error.message);
    throw error;
  }
}
