/**
 * What the command line asks `compare` for: names, files, and a size of the user's choice.
 *
 * @module
 */

import {
  type ComparePlan,
  planComparison as planWorkloads,
  type WorkloadRef,
  workloadNames,
} from "@vmbind/lab";
import type { Budgets } from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { UsageError } from "../errors.ts";
import { filesOf, JSON_FILES } from "../files/folders.ts";
import { isWorkloadFile, readWorkload } from "../files/workload-file.ts";
import { noSuchName } from "../text/nearest.ts";
import { byteCount, chosenKernel, chosenStrategies } from "./options.ts";

/** Largest `--size`, bytes. */
const SIZE_MAX = 2 ** 40;

/**
 * @param options - of the command line
 * @param budgets - amounts of work that a file may ask for, other than the standard ones
 * @throws {@link UsageError} for an unknown name or a bad size
 * @throws InputError for a workload file that breaks its format, or a module that is broken
 */
export async function planComparison(
  options: CommandInput["options"],
  budgets: Budgets,
): Promise<ComparePlan> {
  const kernel = chosenKernel(options);
  const strategies = await chosenStrategies(options);
  const size = byteCount(options, "size", 1, SIZE_MAX);
  const given = options["workload"] as string[] | undefined;
  for (const name of given ?? []) checkName(name);
  const names = given?.flatMap((name) => (isWorkloadFile(name) ? filesOf(name, JSON_FILES) : [name]));
  const workloads: (string | WorkloadRef)[] = await Promise.all(
    (names ?? []).map((name) => named(name, budgets)),
  );
  if (size !== undefined) workloads.push({ bytes: size });
  const details = ["details", "json", "report", "mail"].some((name) => options[name] !== undefined);
  return planWorkloads({ strategies, kernel, details, ...(workloads.length > 0 ? { workloads } : {}) });
}

function checkName(name: string): void {
  if (isWorkloadFile(name) || workloadNames().includes(name)) return;
  throw new UsageError(`--workload: ${noSuchName("workload", name, workloadNames(), ", and JSON files")}`);
}

async function named(name: string, budgets: Budgets): Promise<string | WorkloadRef> {
  return isWorkloadFile(name) ? { file: name, content: await readWorkload(name), budgets } : name;
}
