/**
 * Workloads as data: what names one to another thread, which makes the steps itself.
 *
 * @module
 */

import { type Budgets, InputError } from "@vmbind/trace";
import { strategyFor } from "../strategy/fine.ts";
import type { SparseStrategy } from "../strategy/strategy.ts";
import { BUILTIN_WORKLOADS } from "./builtin.ts";
import { labWorkloads } from "./lab-workloads.ts";
import { parametric } from "./parametric.ts";
import { checkSteps, type WorkloadFile } from "./schema.ts";
import { type Step, type Workload, WorkloadError } from "./workload.ts";

/** Where a workload comes from. */
export type WorkloadRef =
  | {
      /** Name of one of {@link labWorkloads}. */
      lab: string;
      /** Of its draws; 1 unless told. */
      seed?: number;
    }
  | {
      /** Name of one of {@link BUILTIN_WORKLOADS}, as it is unless told. */
      builtin: string;
      /** Of its draws; 1 unless told. */
      seed?: number;
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
      /** Of its draws, where it has knobs in place of steps; 1 unless told. */
      seed?: number;
      /** Amounts of work other than the standard ones. */
      budgets?: Budgets;
    }
  | {
      /** Path of a user's trace or module, for errors. */
      file: string;
      /** What it came to. */
      made: MadeWorkload;
      /** Amounts of work other than the standard ones. */
      budgets?: Budgets;
    };

/** A workload whose steps have been made already. */
export interface MadeWorkload {
  /** Its name. */
  name: string;
  /** One sentence. */
  description: string;
  /** See {@link Workload.fine}. */
  fine: boolean;
  /** Its steps by block, bytes. */
  byBlock: readonly (readonly [blockBytes: number, steps: readonly Step[]])[];
}

/**
 * Make the steps of a workload, so that they can be sent elsewhere.
 *
 * @param workload - whose `steps()` may be code of a user's
 * @param strategies - that will run it
 * @returns it as data
 */
export function madeWorkload(workload: Workload, strategies: readonly SparseStrategy[]): MadeWorkload {
  const { name, description, fine = false } = workload;
  const blocks = new Set(strategies.map((strategy) => strategyFor(workload, strategy).blockBytes));
  return {
    name,
    description,
    fine,
    byBlock: [...blocks].map((block) => [block, [...workload.steps(block)]]),
  };
}

const SEED = 1;

/**
 * @param ref - where it comes from
 * @throws RangeError for an unknown name
 */
export function resolveWorkload(ref: WorkloadRef): Workload {
  if ("made" in ref) return workloadOfMade(ref.file, ref.made);
  if ("bytes" in ref) return parametric(`buffer-${ref.bytes}`, 0, { size: ref.bytes, bound: 0 });
  if ("file" in ref) return workloadOfFile(ref.file, ref.content, ref.seed ?? SEED, ref.budgets);
  const found =
    "lab" in ref
      ? labWorkloads(ref.seed).find(({ name }) => name === ref.lab)
      : BUILTIN_WORKLOADS.get(ref.builtin)?.make(ref.seed ?? SEED, undefined);
  if (!found) throw new RangeError(`the laboratory has no workload ${JSON.stringify(ref)}`);
  return found;
}

function workloadOfMade(path: string, { name, description, fine, byBlock }: MadeWorkload): Workload {
  return {
    name,
    description,
    seed: 0,
    fine,
    steps(blockBytes) {
      const found = byBlock.find(([block]) => block === blockBytes);
      if (found) return found[1];
      throw new InputError(path, 0, `its steps were not made for a block of ${blockBytes} bytes`);
    },
  };
}

/**
 * The workload of a file.
 *
 * @param path - of the file, for errors
 * @param file - its content, checked
 * @param seed - of the draws, where it has knobs in place of steps
 * @param budgets - amounts of work other than the standard ones
 * @returns the workload; its `steps()` throw {@link @vmbind/trace!InputError InputError} where a rule that depends on the driver's block is broken, and
 * for more work than the budgets
 */
export function workloadOfFile(path: string, file: WorkloadFile, seed: number, budgets?: Budgets): Workload {
  const { name, description, fine = false, steps, parametric: knobs } = file;
  if (!steps) {
    const workload = parametric(name, seed, knobs, budgets);
    return { ...workload, steps: (blockBytes) => inFile(path, () => workload.steps(blockBytes)) };
  }
  return {
    name,
    description: description ?? `${steps.length} steps from ${path}`,
    seed: 0,
    fine,
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
 * @throws {@link @vmbind/trace!InputError InputError} naming the file, for a {@link WorkloadError}
 */
export function inFile<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof WorkloadError) throw new InputError(path, 0, error.message);
    throw error;
  }
}
