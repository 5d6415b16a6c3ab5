/**
 * A fuzz run: sessions one after the other until the calls are used up or something is found.
 *
 * @module
 */

import type { TraceHeader } from "@vmbind/trace";
import type { FuzzFinding } from "./examiner.ts";
import {
  runSession,
  SESSION_CALLS,
  type SessionFinding,
  type SessionResult,
  type Target,
} from "./session.ts";
import { shrink } from "./shrink.ts";
import { runSimulation } from "./simulation.ts";
import { traceOf } from "./trace-file.ts";

/** How often invariants are looked at when not after every call. */
const EVERY = 200;

/** Kinds of sessions: random and mutated bytes against a twin, or a simulation against the naive model of pages. */
export const SESSION_KINDS = ["mutation", "simulation"] as const;

/** See {@link SESSION_KINDS}. */
type SessionKind = (typeof SESSION_KINDS)[number];

/** How to run. */
export interface FuzzOptions {
  /** Determines every draw. */
  readonly seed: number;
  /** Calls to issue. */
  readonly runs: number;
  /** Look at everything after every call. */
  readonly check: boolean;
  /** Kinds of sessions, which take turns; all unless given. */
  readonly kinds?: readonly SessionKind[];
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
  /** Steps of the reproducer, 0 for nothing. */
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
  const { seed, runs, check, kinds = SESSION_KINDS } = options;
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
  let last: SessionResult | null = null;
  while (result.ioctls < runs && !last?.found) {
    const session = result.sessions++;
    const calls = Math.min(SESSION_CALLS, runs - result.ioctls);
    const device = Math.floor(session / kinds.length) % target.fuzz.devices.length;
    const run = kinds[session % kinds.length] === "simulation" ? runSimulation : runSession;
    last = run(target, seed, session, device, calls, check ? 1 : EVERY);
    result.ioctls += last.issued;
    result.succeeded += last.succeeded;
    options.onSession?.(result.ioctls);
  }
  Error.stackTraceLimit = stackTraceLimit;
  if (last?.found) report(result, target, last.header, last.found);
  return result;
}

function report(result: FuzzResult, target: Target, header: TraceHeader, found: SessionFinding): void {
  const small = shrink(target, header, found);
  result.finding = small.finding;
  result.reproducerCalls = small.steps.length;
  result.reproducer = traceOf(target, header, small);
}
