/**
 * The same scenario of two builds in one process, run in turns.
 *
 * Two runs of the whole benchmark, one after the other, differ by more than most changes do: the machine has other work, gets warm,
 * clocks down. What runs a millisecond apart sees the same machine. So each repetition of a step runs in both builds, the first
 * one in turns, and what counts is the ratio of the two. Which build was loaded first still shows (the engine has seen the
 * shapes of the other's objects by then), which is why whoever compares asks for both orders.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type { Area } from "./areas.ts";
import { clockFor, median, type Scenario, type Scenarios, type Timing, time, WarmUp } from "./harness.ts";

/** What to measure; travels between processes. */
export interface PairTask {
  /** Folders of the two builds, in the order in which they are loaded. */
  builds: readonly [string, string];
  /** A key of AREAS. */
  area: string;
  /** Ids of the scenario's steps. */
  steps: readonly string[];
  /** The largest size, see AREAS. */
  largest: number;
  /** Timed runs. */
  runs: number;
  /** Milliseconds of warm-up, see {@link WarmUp}. */
  warmUpMs: number;
}

/** One step of both builds, in the order in which they were loaded. */
export interface PairResult {
  /** See Step.id. */
  id: string;
  /** Median of the runs, nanoseconds per unit. */
  ns: [number, number];
  /** Fastest run, nanoseconds per unit. */
  min: [number, number];
  /** Median over the runs of the second's time divided by the first's in the same run. */
  ratio: number;
}

/** How a pair is measured. */
export interface PairOptions {
  /** Timed runs. */
  runs: number;
  /** Length of the warm-up in milliseconds of CPU time, see {@link WarmUp}. */
  warmUpMs: number;
  /** Told before each step of each run. */
  onStep?(id: string): void;
}

/** Where a clone, or the command's package, has its areas: with the models as its commands run them, in the bundle if there is one. */
const PLACES = ["quick", "micro"].flatMap((folder) => [
  join("apps", "bench", "dist", folder, "areas.js"),
  join("dist", folder, "areas.js"),
]);

/**
 * @param folder - a clone in which everything is built, or its `apps/bench`
 * @returns the file with its areas; null when there is no build
 */
export function areasIn(folder: string): string | null {
  return PLACES.map((place) => resolve(folder, place)).find((file) => existsSync(file)) ?? null;
}

/**
 * @param folder - a clone in which everything is built, or its `apps/bench`
 * @param area - a key of AREAS
 * @param largest - the largest size
 * @returns the scenarios of that build; null where it has no such area
 * @throws Error when there is no build in the folder
 */
export async function scenariosOf(folder: string, area: string, largest: number): Promise<Scenarios | null> {
  const file = areasIn(folder);
  if (file === null) throw new Error(`${folder}: no build of the command here`);
  const { AREAS } = (await import(pathToFileURL(file).href)) as { AREAS: AnyAreas };
  // Builds of before November 2026 have an object.
  const areas = new Map(AREAS instanceof Map ? AREAS : Object.entries(AREAS));
  return (await areas.get(area)?.(largest)) ?? null;
}

type AnyAreas = ReadonlyMap<string, Area> | Readonly<Record<string, Area>>;

/**
 * Measure it in this process.
 *
 * @param task - what
 * @param onStep - told before each step of each run
 * @throws Error for a scenario that one of the builds lacks, and for a wrong result
 */
export async function measurePairTask(task: PairTask, onStep: (id: string) => void): Promise<PairResult[]> {
  const pair: Scenarios[number][] = [];
  for (const build of task.builds) {
    const scenarios = await scenariosOf(build, task.area, task.largest);
    const found = scenarios?.find(({ steps }) => steps.map(({ id }) => id).join() === task.steps.join());
    if (!found) throw new Error(`${build} has no such workload`);
    pair.push(found);
  }
  const [first, second] = pair as [Scenarios[number], Scenarios[number]];
  return measurePair(first, second, { runs: task.runs, warmUpMs: task.warmUpMs, onStep });
}

interface StepTimes {
  first: Timing;
  second: Timing;
}

/**
 * Measure two scenarios with the same steps in turns.
 *
 * @param first - of one build
 * @param second - of the other
 * @param options - see {@link PairOptions}
 * @returns one result per step
 * @throws Error for a result that a step's check finds wrong
 */
export async function measurePair<S, T>(
  first: Scenario<S>,
  second: Scenario<T>,
  { runs, warmUpMs, onStep }: PairOptions,
): Promise<PairResult[]> {
  const figures = first.steps.map(emptyTimes);
  const warmUp = new WarmUp(warmUpMs);
  let turn = 0;
  for (let run = -1; run < runs; ) {
    const states = turn++ % 2 === 0 ? bothStates(first, second) : bothStates(second, first).reverse();
    const [a, b] = states as [S, T];
    // The process that waits for the figures hears how far they are, or is heard to have gone.
    await setImmediate();
    const times = first.steps.map(emptyTimes);
    for (let i = 0; i < (first.repeat ?? 1); i++) {
      for (const [s, step] of first.steps.entries()) {
        const other = second.steps[s] as (typeof second.steps)[number];
        const { first: mine, second: theirs } = times[s] as StepTimes;
        if (i === 0) onStep?.(step.id);
        const runFirst = (): void => runOnce(step, a, mine);
        const runSecond = (): void => runOnce(other, b, theirs);
        for (const play of (i + turn) % 2 === 0 ? [runFirst, runSecond] : [runSecond, runFirst]) play();
      }
    }
    if (run < 0 && !warmUp.isOver(times.flatMap(({ first: mine, second: theirs }) => [mine, theirs])))
      continue;
    if (run++ < 0) continue;
    for (const [s, { first: mine, second: theirs }] of times.entries()) {
      keepMedians((figures[s] as StepTimes).first, mine);
      keepMedians((figures[s] as StepTimes).second, theirs);
    }
  }
  return first.steps.map(({ id, units }, s) => {
    const { first: mine, second: theirs } = figures[s] as StepTimes;
    const clock = clockFor(mine.cpu);
    const [one, two] = [mine[clock], theirs[clock]].map((times) => times.map((t) => t / units)) as [
      number[],
      number[],
    ];
    return {
      id,
      ns: [median(one), median(two)],
      min: [Math.min(...one), Math.min(...two)],
      ratio: median(two.map((t, i) => t / (one[i] as number))),
    };
  });
}

function bothStates(one: Scenario<unknown>, other: Scenario<unknown>): unknown[] {
  return [one.prepare(), other.prepare()];
}

function emptyTimes(): StepTimes {
  return { first: { cpu: [], wall: [] }, second: { cpu: [], wall: [] } };
}

function runOnce<S>(step: Scenario<S>["steps"][number], state: S, timing: Timing): void {
  step.before?.(state);
  time(step, state, timing);
  const wrong = step.check(state);
  if (wrong !== null) throw new Error(`${step.id}: ${wrong}`);
}

function keepMedians(figures: Timing, { cpu, wall }: Timing): void {
  figures.cpu.push(median(cpu));
  figures.wall.push(median(wall));
}
