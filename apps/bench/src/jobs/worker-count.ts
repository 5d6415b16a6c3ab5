/**
 * How many threads a command's work is worth.
 *
 * @module
 */

import { availableParallelism } from "node:os";
import { UsageError } from "../errors.ts";

/** Most threads: beyond this the machine is no laboratory any more. */
const WORKERS_MAX = 256;

/** Node 20 cannot run the TypeScript sources that tests are run from: no threads there. */
export const HAS_THREADS: boolean = !import.meta.url.endsWith(".ts");

/**
 * How many jobs to run at a time; by default one per CPU but one, since the engine compiles and collects beside them: on two CPUs two
 * threads compile everything twice, take a third more CPU time and a tenth less of waiting.
 *
 * @param option - value of `--jobs`
 * @param jobs - how many there are to do
 * @param byDefault - how many without the option
 * @throws {@link UsageError} for anything but a whole number from 1 to 256
 */
export function workerCount(
  option: string | undefined,
  jobs: number,
  byDefault: number = availableParallelism() - 1,
): number {
  const wanted = option === undefined ? Math.min(byDefault, WORKERS_MAX) : Number(option);
  if (option !== undefined && (!/^[0-9]+$/.test(option) || wanted < 1 || wanted > WORKERS_MAX)) {
    throw new UsageError(`--jobs: expected a number from 1 to ${WORKERS_MAX}, got ${JSON.stringify(option)}`);
  }
  return Math.max(1, Math.min(wanted, jobs));
}
