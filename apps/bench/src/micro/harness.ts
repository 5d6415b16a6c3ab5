/**
 * The measuring of `vmbind micro`.
 *
 * A scenario prepares a state, then runs timed steps on it one after the other, and every step's result is checked
 * after the clock has stopped. The whole scenario is repeated: a warm-up, then the timed runs, of which median and
 * extremes are kept.
 *
 * Steps of a millisecond and more are timed by CPU time of the process: on a machine with other work, wall time of
 * such a step is mostly the scheduler's. Shorter steps are timed by wall time; they are repeated many times in a run,
 * and the median leaves preempted ones out.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";

/** Shorter steps are beyond the resolution of CPU time. */
const CPU_CLOCK_NS = 1e6;

/** The first run is interpreted, the second is compiled under way, the third may be compiled again. */
const WARM_UPS_MIN = 3;

/** Two runs agree whose figures differ by less than this part of the larger one. */
const AGREEMENT = 0.05;

/** Where no two runs agree, because the machine has other work, the warm-up ends after so many times its length. */
const WARM_UP_MOST = 3;

/** What the kernel's own code needs for the same step, on another machine of this kind. */
export interface Peer {
  /** Nanoseconds per unit: the lowest median where several were taken. */
  ns: number;
  /** Fastest single figure in nanoseconds per unit, if known. */
  best?: number;
  /** What ran there. */
  source: string;
}

/** One timed step of a scenario. */
export interface Step<S> {
  /** Names the step in tables, `--only` and JSON, e.g. `c-linked-100000`. */
  id: string;
  /** What is done, in words. */
  what: string;
  /** What the figure is per: `op`, `PTE`, ... */
  unit: string;
  /** Units of one run. */
  units: number;
  /** What the step finds done, not timed. */
  before?(state: S): void;
  /** The timed work. */
  run(state: S): void;
  /** Checks the result after the clock has stopped: null, or what is wrong. */
  check(state: S): string | null;
  /** The figure to stand beside. */
  peer: Peer | null;
}

/** Steps that share a state. */
export interface Scenario<S> {
  /** Makes a fresh state, not timed. */
  prepare(): S;
  /** In order. */
  steps: readonly Step<S>[];
  /** How often a run does all steps on one state, default 1; a run's figure is the median of these. */
  repeat?: number;
}

/** The scenarios of an area. */
// biome-ignore lint/suspicious/noExplicitAny: each scenario has a state of its own that nobody else looks into
export type Scenarios = readonly Scenario<any>[];

/** A step's figures. */
export interface MicroResult {
  /** Area, e.g. `gpuvm`. */
  area: string;
  /** See {@link Step.id}. */
  id: string;
  /** See {@link Step.what}. */
  what: string;
  /** See {@link Step.unit}. */
  unit: string;
  /** Units of one run. */
  units: number;
  /** Timed runs. */
  runs: number;
  /** Median of the runs, nanoseconds per unit. */
  ns: number;
  /** Fastest run, nanoseconds per unit. */
  min: number;
  /** Slowest run, nanoseconds per unit. */
  max: number;
  /** How far the runs lie apart: the middle half of them, as a part of the median. */
  spread: number;
  /** Each run in its turn, nanoseconds per unit. */
  times: number[];
  /** Which clock. */
  clock: "cpu" | "wall";
  /** The kernel's code, or null. */
  peer: Peer | null;
  /** `ns` divided by the peer's, or null. */
  ratio: number | null;
  /** What the check found wrong, or null. */
  wrong: string | null;
}

/** How a scenario is measured. */
export interface MeasureOptions {
  /** Timed runs. */
  runs: number;
  /** Length of the warm-up in milliseconds of CPU time, see {@link WarmUp}. */
  warmUpMs: number;
  /** Told before each step of each run, once for all its repetitions. */
  onStep?(id: string): void;
}

/**
 * Measure a scenario.
 *
 * @param area - for the results
 * @param scenario - what to run
 * @param options - see {@link MeasureOptions}
 * @returns one result per step
 */
export async function measure<S>(
  area: string,
  scenario: Scenario<S>,
  options: MeasureOptions,
): Promise<MicroResult[]> {
  const { runs, warmUpMs } = options;
  const figures = scenario.steps.map((): Timing => ({ cpu: [], wall: [] }));
  const wrong = scenario.steps.map((): string | null => null);
  const warmUp = new WarmUp(warmUpMs);
  for (let run = -1; run < runs; ) {
    const state = scenario.prepare();
    // The process that waits for the figures hears how far they are, or is heard to have gone.
    await setImmediate();
    const timings = scenario.steps.map((): Timing => ({ cpu: [], wall: [] }));
    for (let i = 0; i < (scenario.repeat ?? 1); i++) {
      for (const [s, step] of scenario.steps.entries()) {
        if (i === 0) options.onStep?.(step.id);
        step.before?.(state);
        time(step, state, timings[s] as Timing);
        wrong[s] ??= step.check(state);
      }
    }
    // The first runs warm the compiler and the caches up.
    if (run < 0 && !warmUp.isOver(timings)) continue;
    if (run++ < 0) continue;
    for (const [s, { cpu, wall }] of timings.entries()) {
      figures[s]?.cpu.push(median(cpu));
      figures[s]?.wall.push(median(wall));
    }
  }
  return scenario.steps.map((step, s) => {
    const { cpu, wall } = figures[s] as Timing;
    const clock = clockFor(cpu);
    const times = (clock === "cpu" ? cpu : wall).map((t) => t / step.units);
    const ns = median(times);
    return {
      area,
      id: step.id,
      what: step.what,
      unit: step.unit,
      units: step.units,
      runs,
      ns,
      min: Math.min(...times),
      max: Math.max(...times),
      spread: spread(times),
      times,
      clock,
      peer: step.peer,
      ratio: step.peer ? ns / step.peer.ns : null,
      wrong: wrong[s] as string | null,
    };
  });
}

/**
 * @param cpu - CPU times of runs, nanoseconds
 * @returns the clock that tells more about steps of this length
 */
export function clockFor(cpu: readonly number[]): keyof Timing {
  return median(cpu) >= CPU_CLOCK_NS ? "cpu" : "wall";
}

/**
 * Says when the timed runs may begin: after three runs and a length of CPU time, once two runs in a row agree in every step.
 *
 * By wall time a loaded machine ends the warm-up while the engine still compiles, and so does any fixed length for code that is
 * compiled late. Two runs that agree are what both leave behind. On a machine on which none do, three times the length ends it.
 */
export class WarmUp {
  readonly #ms: number;
  readonly #cpuMs: () => number;
  #runs = 0;
  #last: readonly number[] = [];

  /**
   * Begins now.
   *
   * @param ms - its length in milliseconds of CPU time
   * @param cpuMs - CPU time of the process since the warm-up began, in milliseconds
   */
  constructor(ms: number, cpuMs: () => number = cpuClock()) {
    this.#ms = ms;
    this.#cpuMs = cpuMs;
  }

  /**
   * @param timings - of the run that has just ended, by step
   * @returns whether it was the last untimed one
   */
  isOver(timings: readonly Timing[]): boolean {
    const before = this.#last;
    this.#last = timings.map((timing) => median(timing[clockFor(timing.cpu)]));
    if (++this.#runs < WARM_UPS_MIN) return false;
    const ms = this.#cpuMs();
    return (
      ms >= this.#ms * WARM_UP_MOST ||
      (ms >= this.#ms && this.#last.every((time, s) => agree(time, before[s] as number)))
    );
  }
}

function cpuClock(): () => number {
  const start = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  };
}

function agree(one: number, other: number): boolean {
  return Math.abs(one - other) <= AGREEMENT * Math.max(one, other);
}

/** Nanoseconds of the repetitions of one step in one run, or of its runs. */
export interface Timing {
  /** CPU time of the process. */
  cpu: number[];
  /** Wall time. */
  wall: number[];
}

/**
 * @param values - at least one number
 * @returns the middle one, or the mean of the two in the middle
 */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/**
 * @param values - at least one number above 0
 * @returns the distance of the quartiles as a part of the median
 */
function spread(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number): number => {
    const place = part * (sorted.length - 1);
    const [lower, upper] = [sorted[Math.floor(place)] as number, sorted[Math.ceil(place)] as number];
    return lower + (upper - lower) * (place % 1);
  };
  return (at(0.75) - at(0.25)) / at(0.5);
}

/**
 * A check in words.
 *
 * @param what - names the value
 * @param got - what came out
 * @param expected - what must come out; undefined asks for nothing
 * @returns null, or what is wrong
 */
export function compare(
  what: string,
  got: number | string,
  expected: number | string | undefined,
): string | null {
  return expected === undefined || got === expected ? null : `${what}: expected ${expected}, got ${got}`;
}

/**
 * Run a step once and note how long it took.
 *
 * @param step - what to run
 * @param state - on what
 * @param timing - where both clocks are noted
 */
export function time<S>(step: Step<S>, state: S, timing: Timing): void {
  const cpu = process.cpuUsage();
  const wall = process.hrtime.bigint();
  step.run(state);
  timing.wall.push(Number(process.hrtime.bigint() - wall));
  const { user, system } = process.cpuUsage(cpu);
  timing.cpu.push((user + system) * 1000);
}
