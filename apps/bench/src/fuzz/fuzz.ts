/**
 * A fuzz run: sessions one after the other until the calls are used up or something is found.
 *
 * @module
 */

import type { FuzzFinding } from "./examiner.ts";
import {
  deviceOf,
  headerFor,
  runSession,
  SESSION_CALLS,
  type SessionFinding,
  type Target,
} from "./session.ts";
import { shrink } from "./shrink.ts";
import { traceOf } from "./trace-file.ts";

/** How often invariants are looked at when not after every call. */
const EVERY = 200;

/** How to run. */
export interface FuzzOptions {
  /** Determines every draw. */
  readonly seed: number;
  /** Calls to issue. */
  readonly runs: number;
  /** Look at everything after every call. */
  readonly check: boolean;
  /** Called after each session with the calls issued so far. */
  onSession?(issued: number): void;
}

/** What a run came to. */
export interface FuzzResult {
  /** Driver. */
  driver: string;
  /** Seed. */
  seed: number;
  /** Calls issued. */
  ioctls: number;
  /** Those that returned 0. */
  succeeded: number;
  /** Sessions, each on a fresh device. */
  sessions: number;
  /** What was found, null for nothing. */
  finding: FuzzFinding | null;
  /** Calls of the reproducer, 0 for nothing. */
  reproducerCalls: number;
  /** Text of a trace that shows the finding, null for nothing. */
  reproducer: string | null;
}

/**
 * Fuzz a driver.
 *
 * @param target - from `targetFor`
 * @param options - see {@link FuzzOptions}
 */
export function fuzz(target: Target, options: FuzzOptions): FuzzResult {
  const { seed, runs, check } = options;
  const result: FuzzResult = {
    driver: target.lens.name,
    seed,
    ioctls: 0,
    succeeded: 0,
    sessions: 0,
    finding: null,
    reproducerCalls: 0,
    reproducer: null,
  };
  // Most calls fail, and nobody reads where the errors of those were made.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  let found: SessionFinding | null = null;
  while (result.ioctls < runs && found === null) {
    const session = result.sessions++;
    const calls = Math.min(SESSION_CALLS, runs - result.ioctls);
    const outcome = runSession(target, seed, session, calls, check ? 1 : EVERY);
    result.ioctls += outcome.issued;
    result.succeeded += outcome.succeeded;
    found = outcome.found;
    options.onSession?.(result.ioctls);
  }
  Error.stackTraceLimit = stackTraceLimit;
  if (found !== null) report(result, target, deviceOf(target, result.sessions - 1), found);
  return result;
}

function report(result: FuzzResult, target: Target, device: number, found: SessionFinding): void {
  const header = headerFor(target, device, result.seed);
  const small = shrink(target, header, found);
  result.finding = small.finding;
  result.reproducerCalls = small.calls.length;
  result.reproducer = traceOf(target, header, small);
}
