/**
 * What a comparison runs: which recorded workloads, which generated ones, under which strategies.
 *
 * A name may stand for both: the recording of Mesa's ioctls, and the Vulkan-level workload that is lowered anew.
 *
 * @module
 */

import { BUILTIN_WORKLOADS, LAB_WORKLOADS, type SparseStrategy, WORKLOADS } from "@vmbind/lab";
import type { CommandInput } from "../command.ts";
import { UsageError } from "../errors.ts";
import { chosenStrategies, wholeNumber } from "./options.ts";
import { resolveWorkload, type WorkloadRef } from "./workload-ref.ts";

/** Largest `--size`, bytes. */
const SIZE_MAX = 2 ** 40;

/** A Vulkan-level workload to run. */
export interface GeneratedWorkload {
  /** Its name. */
  name: string;
  /** In one sentence. */
  description: string;
  /** How a worker finds it. */
  ref: WorkloadRef;
}

/** What to run. */
export interface ComparePlan {
  /** In the order of the table. */
  strategies: SparseStrategy[];
  /** Names of recorded workloads. */
  recorded: string[];
  /** Vulkan-level workloads. */
  generated: GeneratedWorkload[];
  /** Also the semantics matrix, the accounting, the experiments and the findings. */
  details: boolean;
}

/**
 * @param options - of the command line
 * @throws {@link UsageError} for an unknown name or a bad size
 * @throws InputError for a workload file that breaks its format
 */
export async function planComparison(options: CommandInput["options"]): Promise<ComparePlan> {
  const strategies = chosenStrategies(options);
  const size = wholeNumber(options, "size", 1, SIZE_MAX);
  const names = options["workload"] as string[] | undefined;
  for (const name of names ?? []) checkName(name);
  const refs = names?.flatMap(refsOf) ?? [];
  if (size !== undefined) refs.push({ bytes: size });
  const everything = names === undefined && size === undefined;
  if (everything) refs.push(...LAB_WORKLOADS.map(({ name }) => ({ lab: name })));
  return {
    strategies,
    recorded: WORKLOADS.filter((name) => everything || names?.includes(name)),
    generated: await Promise.all(refs.map(generated)),
    details: ["details", "json", "report"].some((name) => options[name] !== undefined),
  };
}

function checkName(name: string): void {
  if (isFile(name) || isRecorded(name) || refsOf(name).length > 0) return;
  const names = [
    ...WORKLOADS,
    ...LAB_WORKLOADS.map((workload) => workload.name),
    ...BUILTIN_WORKLOADS.keys(),
  ];
  throw new UsageError(
    `--workload: no ${JSON.stringify(name)}; there are ${[...new Set(names)].join(", ")}, and JSON files`,
  );
}

function refsOf(name: string): WorkloadRef[] {
  if (LAB_WORKLOADS.some((workload) => workload.name === name)) return [{ lab: name }];
  return isFile(name) || BUILTIN_WORKLOADS.has(name) ? [{ operand: name }] : [];
}

function isFile(name: string): boolean {
  return /[./]/.test(name);
}

function isRecorded(name: string): boolean {
  return (WORKLOADS as readonly string[]).includes(name);
}

async function generated(ref: WorkloadRef): Promise<GeneratedWorkload> {
  const { name, description } = await resolveWorkload(ref);
  return { name, description, ref };
}
