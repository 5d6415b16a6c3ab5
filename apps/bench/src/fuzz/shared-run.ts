/**
 * A run of the fuzzer that threads share: each takes the next stretch of sessions when it has done one, in the order of the run, until
 * there are none left or something is found that ends it.
 *
 * What they tell each other is a few numbers in memory that all of them see: none waits for another, however short a stretch is.
 *
 * @module
 */

import { type FuzzOptions, type FuzzTally, runStretch, type Stretch, shrinkFirsts } from "./fuzz.ts";
import type { Target } from "./session.ts";

/** What a thread is told; it can be cloned. */
export interface SharedRun {
  /** Name of the driver. */
  readonly driver: string;
  /** Of the whole run. */
  readonly options: Omit<FuzzOptions, "onSession">;
  /** Those to be run, in their order. */
  readonly stretches: readonly Stretch[];
  /** How many were taken, and whether no more are to be. */
  readonly taken: Int32Array;
  /** Calls that each thread has issued. */
  readonly issued: Float64Array;
}

/** What came of a stretch. */
export interface TakenStretch {
  /** Its index in {@link SharedRun.stretches}. */
  readonly index: number;
  /** With nothing shrunk. */
  readonly tally: FuzzTally;
}

const COUNT = 0;
const ENDED = 1;

/**
 * @param driver - name of the driver
 * @param options - of the whole run
 * @param stretches - those to be run, in their order
 * @param threads - how many will take them
 */
export function sharedRun(
  driver: string,
  { onSession: _, ...options }: FuzzOptions,
  stretches: readonly Stretch[],
  threads: number,
): SharedRun {
  return {
    driver,
    options,
    stretches,
    taken: new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)),
    issued: new Float64Array(new SharedArrayBuffer(threads * Float64Array.BYTES_PER_ELEMENT)),
  };
}

/**
 * Nobody takes a stretch from here on.
 *
 * @param run - see {@link sharedRun}
 */
export function endRun({ taken }: SharedRun): void {
  Atomics.store(taken, ENDED, 1);
}

/**
 * @param run - see {@link sharedRun}
 * @returns index of the next stretch, which nobody else has; null when there is none
 */
export function takeStretch({ stretches, taken }: SharedRun): number | null {
  if (Atomics.load(taken, ENDED) !== 0) return null;
  const index = Atomics.add(taken, COUNT, 1);
  return index < stretches.length ? index : null;
}

/**
 * Run a stretch. A finding ends the run unless that goes on: all stretches before were taken by then, and whoever has them runs them, so
 * the first finding is had, whoever is fast.
 *
 * @param target - of the run's driver
 * @param run - see {@link sharedRun}
 * @param index - of the stretch, from {@link takeStretch}
 * @param thread - who runs it, from 0
 * @param onSession - called after each session
 */
export function runTaken(
  target: Target,
  run: SharedRun,
  index: number,
  thread: number,
  onSession?: () => void,
): TakenStretch {
  const { options, stretches, issued } = run;
  const counted: FuzzOptions = {
    ...options,
    onSession: (calls) => {
      issued[thread] = (issued[thread] as number) + calls;
      onSession?.();
    },
  };
  const tally = runStretch(target, counted, stretches[index] as Stretch, null);
  if (tally.found.length > 0 && !options.keepGoing) endRun(run);
  return { index, tally };
}

/**
 * @param target - of the run's driver
 * @param run - see {@link sharedRun}
 * @param taken - all that was run, in any order
 * @returns the same tallies as of one thread that runs one stretch after the other
 */
export function gathered(
  target: Target,
  { options }: SharedRun,
  taken: readonly TakenStretch[],
): FuzzTally[] {
  const tallies: FuzzTally[] = [];
  for (const { index, tally } of taken) tallies[index] = tally;
  const last = options.keepGoing ? -1 : tallies.findIndex(({ found }) => found.length > 0);
  // What others ran meanwhile does not count.
  if (last >= 0) tallies.length = last + 1;
  shrinkFirsts(target, options, tallies);
  return tallies;
}
