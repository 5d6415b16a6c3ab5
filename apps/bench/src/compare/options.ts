/**
 * Options that `compare` and `sweep` share.
 *
 * @module
 */

import { SPARSE_STRATEGIES, type SparseStrategy } from "@vmbind/lab";
import type { CommandInput } from "../command.ts";
import { UsageError } from "../errors.ts";
import { bytesOf, wholeOf } from "../text/amounts.ts";
import { noSuchName } from "../text/nearest.ts";

type Options = CommandInput["options"];

/**
 * @param options - of the command line
 * @param formats - of which each is an option
 * @returns the one that is asked for, or text
 * @throws {@link UsageError} when there is more than one of them
 */
export function outputFormat<Format extends string>(
  options: Options,
  formats: readonly Format[],
): Format | "text" {
  const given = formats.filter((name) => options[name]);
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
  const found = SPARSE_STRATEGIES.find((strategy) => strategy.name === name);
  if (found) return found;
  const names = SPARSE_STRATEGIES.map((strategy) => strategy.name);
  throw new UsageError(`${where}${noSuchName("strategy", name, names)}`);
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
  return amount(options, name, least, most, "a whole number", wholeOf);
}

/**
 * @param options - of the command line
 * @param name - of an option that takes a number of bytes
 * @param least - smallest value
 * @param most - largest value
 * @returns its value, undefined when it was not given
 * @throws {@link UsageError} naming the option and the rule
 */
export function byteCount(options: Options, name: string, least: number, most: number): number | undefined {
  return amount(options, name, least, most, "bytes (100e6, 64MiB, 1G)", bytesOf);
}

function amount(
  options: Options,
  name: string,
  least: number,
  most: number,
  what: string,
  read: (text: string) => number,
): number | undefined {
  const given = options[name] as string | undefined;
  if (given === undefined) return undefined;
  const value = read(given);
  if (value >= least && value <= most) return value;
  throw new UsageError(`--${name}: expected ${what} from ${least} to ${most}, got ${JSON.stringify(given)}`);
}
