/**
 * A run of the fuzzer on several threads, this one among them.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";
import { FUZZ_YOUNG_MIB } from "../engine.ts";
import { ThreadPool } from "../jobs/thread-pool.ts";
import type { FuzzOptions, FuzzTally, Stretch } from "./fuzz.ts";
import type { ThreadOrders } from "./fuzz-thread.ts";
import { endRun, gathered, runTaken, sharedRun, type TakenStretch, takeStretch } from "./shared-run.ts";
import { targetFor } from "./targets.ts";

/**
 * Run stretches.
 *
 * @param driver - name of the driver
 * @param options - of the whole run
 * @param stretches - which to run, in their order
 * @param threads - how many, at least two
 * @param file - what the further ones run: in the bundle, and as it is compiled, it is beside this module; others in tests
 * @returns the same tallies as of one thread that runs one stretch after the other
 * @throws what a thread throws, see `ThreadPool`
 */
export async function fuzzOnThreads(
  driver: string,
  options: FuzzOptions,
  stretches: readonly Stretch[],
  threads: number,
  file: URL = new URL("./fuzz-thread.js", import.meta.url),
): Promise<FuzzTally[]> {
  const run = sharedRun(driver, options, stretches, threads);
  const pool = await ThreadPool.start(threads - 1, file, FUZZ_YOUNG_MIB);
  try {
    const orders = Array.from({ length: threads - 1 }, (_, i): ThreadOrders => ({ run, thread: i + 1 }));
    const others = Promise.all(orders.map((one) => pool.send(one))) as Promise<TakenStretch[][]>;
    others.catch(() => endRun(run));
    const target = await targetFor(driver);
    let told = 0;
    const onSession = (): void => {
      const issued = run.issued.reduce((sum, calls) => sum + calls, 0);
      options.onSession?.(issued - told);
      told = issued;
    };
    const own: TakenStretch[] = [];
    for (let index = takeStretch(run); index !== null; index = takeStretch(run)) {
      own.push(runTaken(target, run, index, 0, onSession));
      // Of one that has died is heard in between.
      await setImmediate();
    }
    return gathered(target, run, [own, ...(await others)].flat());
  } finally {
    await pool.close();
  }
}
