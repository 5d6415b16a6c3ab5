/**
 * One scenario by its place in its area, so that a process can be told which to measure.
 *
 * @module
 */

import { AREAS } from "./areas.ts";
import { type MicroResult, measure } from "./harness.ts";

/** What to measure; travels between processes. */
export interface Task {
  /** A key of {@link AREAS}. */
  area: string;
  /** Index of the scenario in the area. */
  scenario: number;
  /** The largest size, see {@link Area}. */
  largest: number;
  /** Timed runs. */
  runs: number;
  /** Milliseconds of warm-up. */
  warmUpMs: number;
}

/**
 * Measure it in this process.
 *
 * @param task - what
 * @param onStep - told before each step of each run
 */
export async function measureTask(task: Task, onStep: (id: string) => void): Promise<MicroResult[]> {
  const { area, scenario, largest, runs, warmUpMs } = task;
  const scenarios = await AREAS.get(area)?.(largest);
  if (!scenarios?.[scenario]) throw new Error(`measureTask: no scenario ${scenario} in area ${area}`);
  return measure(area, scenarios[scenario], { runs, warmUpMs, onStep });
}
