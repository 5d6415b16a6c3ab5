/**
 * Finding a workload: one that comes with the program, or a user's file.
 *
 * @module
 */

import { existsSync } from "node:fs";
import {
  BUILTIN_WORKLOADS,
  inFile,
  parseWorkload,
  type Workload,
  type WorkloadFile,
  workloadNames,
  workloadOfFile,
} from "@vmbind/lab";
import type { Budgets } from "@vmbind/trace";
import { UsageError } from "../errors.ts";
import { noSuchName } from "../text/nearest.ts";
import { readJsonFile } from "./json-file.ts";
import { asKind } from "./kinds.ts";
import { STANDARD_INPUT } from "./standard-input.ts";

/** What can be said about a workload beside its name. */
export interface WorkloadChoice {
  /** Seed of the draws; 1 unless told. */
  seed?: number | undefined;
  /** Bytes of the resource, for workloads with a size of their own choice. */
  size?: number | undefined;
  /** Amounts of work that it may ask for, other than the standard ones. */
  budgets?: Budgets;
}

/**
 * Find a workload.
 *
 * @param operand - a name of {@link BUILTIN_WORKLOADS}, or the path of a JSON file
 * @param choice - seed and size
 * @throws {@link UsageError} for a size that the workload does not take
 * @throws InputError for a file that cannot be read or breaks a rule of the format
 */
export async function findWorkload(operand: string, choice: WorkloadChoice = {}): Promise<Workload> {
  const { seed = 1, size, budgets } = choice;
  const builtin = BUILTIN_WORKLOADS.get(operand);
  if (!builtin && !isWorkloadFile(operand)) {
    throw new UsageError(noSuchName("workload", operand, BUILTIN_WORKLOADS.keys(), ", and JSON files"));
  }
  if (size !== undefined && !builtin?.sized) throw new UsageError(`--size: ${operand} has sizes of its own`);
  if (builtin) return builtin.make(seed, size, budgets);
  return workloadOfFile(operand, await readWorkload(operand), seed, budgets);
}

/**
 * @param operand - what a user typed
 * @returns whether it is a path, or `-` for standard input, and no name
 */
export function isWorkloadFile(operand: string): boolean {
  if (operand === STANDARD_INPUT || /[./\\]/.test(operand)) return true;
  return !workloadNames().includes(operand) && existsSync(operand);
}

/**
 * Read a workload file.
 *
 * @param path - of a JSON file as `schema/workload.schema.json` describes it
 * @throws InputError naming the file, the place and the rule
 */
export async function readWorkload(path: string): Promise<WorkloadFile> {
  return asKind("workload", path, async () => {
    const value = await readJsonFile(path);
    return inFile(path, () => parseWorkload(value));
  });
}
