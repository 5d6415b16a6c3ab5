/**
 * Finding a workload: one that comes with the program, or a user's file: steps as JSON, a module that yields them, or a trace, which is
 * lifted to what its application asked for.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { counted, size } from "@vmbind/drm";
import {
  BUILTIN_WORKLOADS,
  inFile,
  lensOf,
  parseWorkload,
  stepsInBlocks,
  stepsOfLifted,
  type Workload,
  type WorkloadFile,
  withProbes,
  workloadNames,
  workloadOfFile,
} from "@vmbind/lab";
import { type Budgets, InputError, liftTrace } from "@vmbind/trace";
import { UsageError } from "../errors.ts";
import type { Io } from "../io.ts";
import { listOf, noSuchName } from "../text/nearest.ts";
import { readJsonFile } from "./json-file.ts";
import { asKind, kindOf } from "./kinds.ts";
import { isModule } from "./module-name.ts";
import { STANDARD_INPUT } from "./standard-input.ts";
import { bundledTraces, openTrace } from "./trace-files.ts";

/** Every kernel takes binds that are made of this. */
const LARGEST_PAGE = 0x1_0000;

/** What can be said about a workload beside its name. */
export interface WorkloadChoice {
  /** Seed of the draws; 1 unless told. */
  seed?: number | undefined;
  /** Bytes of the resource, for workloads with a size of their own choice. */
  size?: number | undefined;
  /** Amounts of work that it may ask for, other than the standard ones. */
  budgets?: Budgets;
  /** Who reads it, for a warning about a trace without an end line. */
  reader?: { command: string; io: Pick<Io, "err"> };
}

/**
 * Find a workload.
 *
 * @param operand - a name of {@link BUILTIN_WORKLOADS}, the path of a file, or the name of a recording that ships
 * @param choice - seed and size
 * @throws {@link UsageError} for a size that the workload does not take
 * @throws InputError for a file that cannot be read or breaks a rule of the format
 */
export async function findWorkload(operand: string, choice: WorkloadChoice = {}): Promise<Workload> {
  const { seed = 1, size: bytes, budgets } = choice;
  const builtin = BUILTIN_WORKLOADS.get(operand);
  if (!builtin && !isWorkloadFile(operand)) {
    const recorded = bundledTraces().filter((name) => name.endsWith(`-${operand}`));
    if (recorded.length > 0) {
      const problem = `no workload ${JSON.stringify(operand)}`;
      throw new UsageError(`${problem}, but drivers were recorded under it: ${listOf(recorded)}`);
    }
    const others = ", recordings that ship, and files: JSON, modules, traces";
    throw new UsageError(noSuchName("workload", operand, BUILTIN_WORKLOADS.keys(), others));
  }
  if (bytes !== undefined && !builtin?.sized) throw new UsageError(`--size: ${operand} has sizes of its own`);
  if (builtin) return builtin.make(seed, bytes, budgets);
  const made = await madeFrom(operand, choice);
  return made ?? workloadOfFile(operand, await readWorkload(operand), seed, budgets);
}

/**
 * @param operand - what a user typed
 * @returns whether it is a path, `-` for standard input, or a recording that ships, and no name of a workload
 */
export function isWorkloadFile(operand: string): boolean {
  if (operand === STANDARD_INPUT || /[./\\]/.test(operand)) return true;
  if (workloadNames().includes(operand)) return false;
  return existsSync(operand) || bundledTraces().includes(operand);
}

/**
 * The workload of a file that is code or a trace.
 *
 * @param operand - a file, as {@link isWorkloadFile} has it
 * @param choice - budgets, and who reads
 * @returns the workload, null for a file of another kind
 * @throws InputError for a file that cannot be read or breaks a rule
 */
export async function madeFrom(operand: string, choice: WorkloadChoice): Promise<Workload | null> {
  if (isModule(operand)) {
    const { workloadOfModule } = await import("./workload-module.ts");
    return workloadOfModule(operand, choice.budgets);
  }
  const isBundled = !existsSync(operand) && bundledTraces().includes(operand);
  if (!isBundled && (await kindOf(operand)) !== "trace") return null;
  return liftedWorkload(operand, choice);
}

/** What a trace's application asked for. */
async function liftedWorkload(operand: string, { budgets, reader }: WorkloadChoice): Promise<Workload> {
  const trace = await openTrace(operand, budgets, reader);
  const lifted = stepsOfLifted(await liftTrace(trace, await lensOf(trace)));
  if (lifted.steps.length === 0) {
    throw new InputError(trace.path, 0, "nothing in it can be lifted: it maps nothing");
  }
  const { umd, device } = trace.header;
  return {
    name: trace.name,
    description: `lifted from a trace of ${umd} on ${device}: ${counted(lifted.steps.length, "step")}${madeOf(lifted.unitBytes)}`,
    seed: 0,
    fine: true,
    steps: (blockBytes) => withProbes(stepsInBlocks(lifted, blockBytes)),
  };
}

/** What a recording's binds are made of, where there is a kernel that does not take it. */
function madeOf(unitBytes: number): string {
  if (unitBytes === 0 || unitBytes >= LARGEST_PAGE) return "";
  return `, its binds as they are, made of ${size(unitBytes)}; where a kernel's pages are larger, all that is bound is larger by as much`;
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
