/**
 * The measuring of `vmbind micro`.
 *
 * A scenario prepares a state, then runs timed steps on it one after the other, and every step's result is checked
 * after the clock has stopped. The whole scenario is repeated: a warm-up, then the timed runs, of which median and
 * extremes are kept.
 *
 * Steps of a millisecond and more are timed by CPU time of the process: on a machine with other work, wall time of
 * such a step is mostly the scheduler's. Shorter steps are beyond the resolution of CPU time; they are repeated many
 * times in a run with wall time around each, and the median leaves preempted ones out.
 *
 * @module
 */

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
  /** How often a run repeats all steps on one state; above 1 each step is timed by wall time. Default 1. */
  repeat?: number;
}

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
  /** Which clock. */
  clock: "cpu" | "wall";
  /** The kernel's code, or null. */
  peer: Peer | null;
  /** `ns` divided by the peer's, or null. */
  ratio: number | null;
  /** What the check found wrong, or null. */
  wrong: string | null;
}

/**
 * Measure a scenario.
 *
 * @param area - for the results
 * @param scenario - what to run
 * @param runs - timed runs
 * @param onStep - told before each step of each run
 * @returns one result per step
 */
export function measure<S>(
  area: string,
  scenario: Scenario<S>,
  runs: number,
  onStep: (id: string) => void = () => {},
): MicroResult[] {
  const repeat = scenario.repeat ?? 1;
  const samples = scenario.steps.map((): number[] => []);
  const wrong = scenario.steps.map((): string | null => null);
  for (let run = -1; run < runs; run++) {
    const state = scenario.prepare();
    const perStep = scenario.steps.map((): number[] => []);
    for (let i = 0; i < repeat; i++) {
      for (const [s, step] of scenario.steps.entries()) {
        onStep(step.id);
        (perStep[s] as number[]).push(repeat > 1 ? wallNs(step, state) : cpuNs(step, state));
        wrong[s] ??= step.check(state);
      }
    }
    // The first run warms the compiler and the caches up.
    if (run >= 0) for (const [s, times] of perStep.entries()) (samples[s] as number[]).push(median(times));
  }
  return scenario.steps.map((step, s) => {
    const times = (samples[s] as number[]).map((t) => t / step.units);
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
      clock: repeat > 1 ? "wall" : "cpu",
      peer: step.peer,
      ratio: step.peer ? ns / step.peer.ns : null,
      wrong: wrong[s] as string | null,
    };
  });
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

function cpuNs<S>(step: Step<S>, state: S): number {
  const before = process.cpuUsage();
  step.run(state);
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1000;
}

function wallNs<S>(step: Step<S>, state: S): number {
  const before = process.hrtime.bigint();
  step.run(state);
  return Number(process.hrtime.bigint() - before);
}
