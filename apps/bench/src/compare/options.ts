/**
 * Options that `compare` and `sweep` share.
 *
 * @module
 */

import { QUIRK_PROFILES, type QuirkProfile } from "@vmbind/drm";
import { DEFAULT_KERNEL, onDevice, SPARSE_STRATEGIES, type SparseStrategy } from "@vmbind/lab";
import type { CommandInput } from "../command.ts";
import { UsageError } from "../errors.ts";
import { filesOf, WORKLOAD_FILES } from "../files/folders.ts";
import { isModule } from "../files/module-name.ts";
import { bundledTraces } from "../files/trace-files.ts";
import { isWorkloadFile } from "../files/workload-file.ts";
import { strategiesOf } from "../strategies/user-strategies.ts";
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

/** Stands for all strategies of the table. */
const ALL = "all";

/**
 * @param options - of the command line
 * @returns the strategies that `--strategy` names, or all of the table; in the order of the table, those of modules behind them; each
 * also on those of its devices that `--device` names
 * @throws {@link UsageError} for an unknown name
 * @throws InputError for a module that is broken
 */
export async function chosenStrategies(options: Options): Promise<SparseStrategy[]> {
  const chosen = await namedStrategies(options);
  const devices = (options["device"] ?? []) as string[];
  for (const device of devices) checkDevice(device, chosen);
  return chosen.flatMap((strategy) => [
    strategy,
    ...strategy.devices
      .slice(1)
      .flatMap((device) => (devices.includes(device) ? [onDevice(strategy, device)] : [])),
  ]);
}

function checkDevice(name: string, strategies: readonly SparseStrategy[]): void {
  const known = [...new Set(strategies.flatMap(({ devices }) => devices))];
  if (!known.includes(name)) throw new UsageError(`--device: ${noSuchName("device", name, known)}`);
}

async function namedStrategies(options: Options): Promise<SparseStrategy[]> {
  const given = options["strategy"] as string[] | undefined;
  if (given === undefined) return [...SPARSE_STRATEGIES];
  const own: SparseStrategy[] = [];
  const chosen: SparseStrategy[] = [];
  for (const name of new Set(given)) {
    if (isModule(name)) own.push(...(await strategiesOf(name, own.length)));
    else chosen.push(...(name === ALL ? SPARSE_STRATEGIES : [strategyNamed(name, "--strategy: ")]));
  }
  const names = own.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw new UsageError(`--strategy: two modules have a ${twice}`);
  return [...SPARSE_STRATEGIES.filter((strategy) => chosen.includes(strategy)), ...own];
}

/**
 * @param options - of the command line
 * @returns paths of the user's files that jobs are made of: modules of strategies, and workloads, folders as the files in them
 */
export function ownFiles(options: Options): string[] {
  const given = (name: string): string[] => [options[name] ?? []].flat().map(String);
  return [
    ...given("strategy").filter(isModule),
    ...given("workload")
      .filter(isWorkloadFile)
      .flatMap((path) => (bundledTraces().includes(path) ? [] : filesOf(path, WORKLOAD_FILES))),
  ];
}

/**
 * @param given - a name or a module, as a user typed it
 * @returns the strategy
 * @throws {@link UsageError} for an unknown name, or a module with several
 * @throws InputError for a module that is broken
 */
export async function chosenStrategy(given: string): Promise<SparseStrategy> {
  if (!isModule(given)) return strategyNamed(given);
  const [first, ...others] = await strategiesOf(given);
  if (first && others.length === 0) return first;
  throw new UsageError(`--strategy: ${given} has ${others.length + 1} strategies, and one is needed`);
}

function strategyNamed(name: string, where = ""): SparseStrategy {
  const found = SPARSE_STRATEGIES.find((strategy) => strategy.name === name);
  if (found) return found;
  const names = SPARSE_STRATEGIES.map((strategy) => strategy.name);
  throw new UsageError(`${where}${noSuchName("strategy", name, names, ", and modules (.ts, .js)")}`);
}

/**
 * @param options - of the command line
 * @returns the kernel that `--kernel` names
 * @throws {@link UsageError} for an unknown one
 */
export function chosenKernel(options: Options): QuirkProfile {
  const given = options["kernel"];
  if (given === undefined) return DEFAULT_KERNEL;
  const found = QUIRK_PROFILES.find((name) => name === given);
  if (found) return found;
  throw new UsageError(`--kernel: ${noSuchName("kernel", String(given), QUIRK_PROFILES)}`);
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
