/**
 * What the command line asks `compare` for: names, files, and a size of the user's choice.
 *
 * @module
 */

import {
  type ComparePlan,
  inFile,
  madeWorkload,
  planComparison as planWorkloads,
  type SparseStrategy,
  type WorkloadRef,
  workloadNames,
} from "@vmbind/lab";
import type { Budgets } from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { UsageError } from "../errors.ts";
import { filesOf, WORKLOAD_FILES } from "../files/folders.ts";
import { isWorkloadFile, madeFrom, readWorkload, type WorkloadChoice } from "../files/workload-file.ts";
import type { Io } from "../io.ts";
import { noSuchName } from "../text/nearest.ts";
import { byteCount, chosenKernel, chosenStrategies, wholeNumber } from "./options.ts";

/** Largest `--size`, bytes. */
const SIZE_MAX = 2 ** 40;

/**
 * @param options - of the command line
 * @param budgets - amounts of work that a file may ask for, other than the standard ones
 * @param io - where a warning goes that a trace has no end line
 * @throws {@link UsageError} for an unknown name or a bad size
 * @throws InputError for a workload file that breaks its format, or a module that is broken
 */
export async function planComparison(
  options: CommandInput["options"],
  budgets: Budgets,
  io?: Pick<Io, "err">,
): Promise<ComparePlan> {
  const kernel = chosenKernel(options);
  const strategies = await chosenStrategies(options);
  const seed = wholeNumber(options, "seed", 0, 2 ** 32 - 1);
  const size = byteCount(options, "size", 1, SIZE_MAX);
  const given = options["workload"] as string[] | undefined;
  for (const name of given ?? []) checkName(name);
  const names = given?.flatMap((name) => (isWorkloadFile(name) ? filesOf(name, WORKLOAD_FILES) : [name]));
  const workloads: (string | WorkloadRef)[] = await Promise.all(
    (names ?? []).map((name) =>
      named(name, { budgets, ...(io && { reader: { command: "compare", io } }) }, strategies),
    ),
  );
  if (size !== undefined) workloads.push({ bytes: size });
  const details = ["details", "json", "report", "mail"].some((name) => options[name] !== undefined);
  return planWorkloads({
    strategies,
    kernel,
    details,
    ...(seed === undefined ? {} : { seed }),
    ...(workloads.length > 0 ? { workloads } : {}),
  });
}

function checkName(name: string): void {
  if (isWorkloadFile(name) || workloadNames().includes(name)) return;
  throw new UsageError(
    `--workload: ${noSuchName("workload", name, workloadNames(), ", recordings that ship, and files: JSON, modules, traces")}`,
  );
}

async function named(
  name: string,
  choice: WorkloadChoice & { budgets: Budgets },
  strategies: readonly SparseStrategy[],
): Promise<string | WorkloadRef> {
  if (!isWorkloadFile(name)) return name;
  const { budgets } = choice;
  const made = await madeFrom(name, choice);
  if (made === null) return { file: name, content: await readWorkload(name), budgets };
  return { file: name, made: inFile(name, () => madeWorkload(made, strategies)), budgets };
}
