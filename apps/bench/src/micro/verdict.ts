/**
 * Whether two sets of timed runs differ, or only look so: the test of Mann and Whitney (1947), which asks how often runs of one build
 * are slower than runs of another, and needs no assumption about how times are distributed. (They are not normal: a machine is never
 * too fast.)
 *
 * It knows nothing but these runs. A build that is started again, or linked in another order, may lie a few percent elsewhere for all of
 * its runs, so a difference below that says nothing, however sure the test is.
 *
 * @module
 */

/** A difference that chance makes less often than this is one. Five runs each, all of one slower, come to 0.0079. */
const CHANCE_MAX = 0.01;

/** Two starts of one build may differ by so much, as a part of the smaller median. */
const START = 0.05;

/** Pairs up to which the probability is counted out; beyond, the normal distribution is as good. */
const COUNTED_OUT = 2500;

/** What two sets of runs say. */
export interface RunsVerdict {
  /** `too few` where no outcome could be sure. */
  verdict: "slower" | "faster" | "same" | "too few";
  /** How often chance alone makes a difference as large, from 0 to 1. */
  p: number;
}

/**
 * @param now - times of some runs, at least one
 * @param then - times of others, at least one
 * @param ratio - of the medians, now divided by then
 */
export function verdictOf(now: readonly number[], then: readonly number[], ratio: number): RunsVerdict {
  const p = chance(now, then);
  const surest = 2 / choose(now.length + then.length, now.length);
  if (surest > CHANCE_MAX) return { verdict: "too few", p };
  const differ = p < CHANCE_MAX && Math.abs(Math.log(ratio)) > Math.log1p(START);
  return { verdict: differ ? (ratio > 1 ? "slower" : "faster") : "same", p };
}

/**
 * @param a - times, at least one
 * @param b - others, at least one
 * @returns the two-sided probability that as many pairs, or more, are in one order when both come from one distribution, exact for up to
 * 50 and 50; a pair of equal times counts half for either order
 */
export function chance(a: readonly number[], b: readonly number[]): number {
  let slower = 0;
  for (const x of a) for (const y of b) slower += x > y ? 1 : x === y ? 0.5 : 0;
  const pairs = a.length * b.length;
  const least = Math.floor(Math.min(slower, pairs - slower) + 0.5);
  if (pairs > COUNTED_OUT) {
    const deviation = Math.sqrt((pairs * (a.length + b.length + 1)) / 12);
    return Math.min(1, 2 * normalTail((pairs / 2 - least - 0.5) / deviation));
  }
  const ways = waysOf(a.length, b.length);
  const tail = ways.slice(0, least + 1).reduce((sum, n) => sum + n, 0);
  return Math.min(1, (2 * tail) / choose(a.length + b.length, a.length));
}

/** How many orders of `m` and `n` different times have `u` pairs in which the first is slower, by `u`. */
function waysOf(m: number, n: number): number[] {
  // Coefficients of the Gaussian binomial: times (1 - q^(n + i)), divided by (1 - q^i), for each i.
  const size = m * n + 1;
  const ways = new Array<number>(size).fill(0);
  ways[0] = 1;
  for (let i = 1; i <= m; i++) {
    for (let u = size - 1; u >= n + i; u--) ways[u] = (ways[u] as number) - (ways[u - n - i] as number);
    for (let u = i; u < size; u++) ways[u] = (ways[u] as number) + (ways[u - i] as number);
  }
  return ways;
}

/** Probability of more than `z` deviations above the mean: Abramowitz and Stegun 26.2.17, right to 7.5e-8. */
function normalTail(z: number): number {
  if (z < 0) return 1 - normalTail(-z);
  const t = 1 / (1 + 0.2316419 * z);
  const series =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * series;
}

function choose(n: number, k: number): number {
  let ways = 1;
  for (let i = 1; i <= k; i++) ways = (ways * (n - k + i)) / i;
  return ways;
}
