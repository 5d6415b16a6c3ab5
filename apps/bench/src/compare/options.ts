/**
 * Options that `compare` and `sweep` share.
 *
 * @module
 */

import { SPARSE_STRATEGIES, type SparseStrategy, sparseStrategy } from "@vmbind/lab";
import type { CommandInput } from "../command.ts";
import { UsageError } from "../errors.ts";
import type { TableFormat } from "../text/table.ts";

type Options = CommandInput["options"];

/**
 * @param options - of the command line
 * @returns what `--json`, `--csv` and `--markdown` ask for, or text
 * @throws {@link UsageError} when there is more than one of them
 */
export function outputFormat(options: Options): TableFormat | "json" {
  const given = (["json", "csv", "markdown"] as const).filter((name) => options[name]);
  if (given.length > 1) throw new UsageError(`--${given.join(" and --")} exclude each other`);
  return given[0] ?? "text";
}

/**
 * @param options - of the command line
 * @returns the strategies that `--strategy` names, or all; in the order of the table
 * @throws {@link UsageError} for an unknown name
 */
export function chosenStrategies(options: Options): SparseStrategy[] {
  const given = options["strategy"] as string[] | undefined;
  if (given === undefined) return [...SPARSE_STRATEGIES];
  const chosen = given.map((name) => strategyNamed(name, "--strategy: "));
  return SPARSE_STRATEGIES.filter((strategy) => chosen.includes(strategy));
}

/**
 * @param name - of a strategy, as a user typed it
 * @param where - begins the error
 * @throws {@link UsageError} for a name that is not in the table
 */
export function strategyNamed(name: string, where = ""): SparseStrategy {
  try {
    return sparseStrategy(name);
  } catch (error) {
    throw new UsageError(`${where}${(error as Error).message}`);
  }
}

/**
 * @param options - of the command line
 * @param name - of an option that takes a whole number
 * @param least - smallest value
 * @param most - largest value
 * @returns its value, undefined when it was not given
 * @throws {@link UsageError} naming the option and the rule
 */
export function wholeNumber(options: Options, name: string, least: number, most: number): number | undefined {
  const given = options[name] as string | undefined;
  if (given === undefined) return undefined;
  const value = /^(?:[0-9]+|0x[0-9a-fA-F]+)$/.test(given) ? Number(given) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(
    `--${name}: expected a whole number from ${least} to ${most}, got ${JSON.stringify(given)}`,
  );
}
