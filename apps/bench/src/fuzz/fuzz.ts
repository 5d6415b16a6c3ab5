/**
 * A fuzz run: sessions one after the other until the calls are used up or something is found.
 *
 * Each session has draws of its own, so that sessions can be run on several machines: what a stretch of them came to is a tally, plain
 * data, and tallies in their order sum up to the result of the run.
 *
 * @module
 */

import type { TraceHeader } from "@vmbind/trace";
import { causeOf, looksLike } from "./cause.ts";
import type { FuzzFinding } from "./examiner.ts";
import { runSession, SESSION_CALLS, type SessionFinding, type Target } from "./session.ts";
import { shrink } from "./shrink.ts";
import { runSimulation } from "./simulation.ts";
import { traceOf } from "./trace-file.ts";

/** How often invariants are looked at when not after every call. */
const EVERY = 200;

/** Most stretches of a run. */
const STRETCHES_MAX = 4096;

/** Kinds of sessions: random and mutated bytes against a twin, or a simulation against the naive model of pages. */
export const SESSION_KINDS = ["mutation", "simulation"] as const;

/** See {@link SESSION_KINDS}. */
type SessionKind = (typeof SESSION_KINDS)[number];

/** How to run. */
export interface FuzzOptions {
  /** Determines every draw. */
  readonly seed: number;
  /** Calls to issue; a simulation issues some more, which show that its VMs live. */
  readonly runs: number;
  /** Look at everything after every call. */
  readonly check: boolean;
  /** Kinds of sessions, which take turns; all unless given. */
  readonly kinds?: readonly SessionKind[];
  /** Go on after a finding; not unless given. */
  readonly keepGoing?: boolean;
  /** Called after each session with the calls issued by it. */
  onSession?(issued: number): void;
}

/** A finding that was shrunk. */
interface SmallFinding extends FuzzFinding {
  /** Same for findings with the same cause. */
  cause: string;
  /** Steps of the reproducer. */
  reproducerCalls: number;
  /** Text of a trace that shows the finding. */
  reproducer: string;
}

/** Findings of a stretch that look alike. */
interface Alike {
  /** What they are known by. */
  looks: string;
  /** Number of the first session that came upon it. */
  session: number;
  /** How many did. */
  sessions: number;
  /** The first of them, shrunk; null where an earlier stretch on the same machine has one. */
  small: SmallFinding | null;
}

/** What a stretch of sessions came to. */
export interface FuzzTally {
  /** Calls issued. */
  ioctls: number;
  /** Those that returned 0. */
  succeeded: number;
  /** Sessions, each on a fresh device. */
  sessions: number;
  /** What was found, by the first session. */
  found: Alike[];
}

/** A cause of findings. */
interface FuzzCause extends Omit<SmallFinding, "cause"> {
  /** Number of the first session that came upon it, from 0. */
  session: number;
  /** How many sessions did. */
  sessions: number;
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
  /** The first finding, null for nothing. */
  finding: FuzzFinding | null;
  /** Steps of its reproducer, 0 for nothing. */
  reproducerCalls: number;
  /** Text of a trace that shows it, null for nothing. */
  reproducer: string | null;
  /** All that was found, by cause, in the order of their first sessions. */
  causes: FuzzCause[];
}

/** Sessions that follow each other. */
export interface Stretch {
  /** Number of the first, from 0. */
  readonly first: number;
  /** Number behind the last. */
  readonly end: number;
}

/**
 * @param runs - calls of a run
 * @returns its sessions in stretches of about the same length, which another machine may run
 */
export function stretchesOf(runs: number): Stretch[] {
  const sessions = Math.ceil(runs / SESSION_CALLS);
  const length = Math.max(1, Math.ceil(sessions / STRETCHES_MAX));
  return Array.from({ length: Math.ceil(sessions / length) }, (_, i) => ({
    first: i * length,
    end: Math.min(sessions, (i + 1) * length),
  }));
}

/**
 * Fuzz a driver.
 *
 * @param target - from `targetFor`
 * @param options - see {@link FuzzOptions}
 */
export function fuzz(target: Target, options: FuzzOptions): FuzzResult {
  const known = new Set<string>();
  const tallies: FuzzTally[] = [];
  for (const stretch of stretchesOf(options.runs)) {
    const tally = runStretch(target, options, stretch, known);
    tallies.push(tally);
    if (tally.found.length > 0 && !options.keepGoing) break;
  }
  return summedUp(target.lens.name, options.seed, tallies);
}

/**
 * Do what was left out where many threads ran stretches: shrink what was found, the first of what looks alike.
 *
 * @param target - from `targetFor`
 * @param options - of the whole run
 * @param tallies - of stretches that followed each other on this machine, in their order; changed
 */
export function shrinkFirsts(target: Target, options: FuzzOptions, tallies: readonly FuzzTally[]): void {
  const known = new Set<string>();
  for (const one of tallies.flatMap(({ found }) => found)) {
    if (known.has(one.looks)) continue;
    known.add(one.looks);
    const again = { first: one.session, end: one.session + 1 };
    one.small = runStretch(target, options, again, new Set()).found[0]?.small ?? null;
  }
}

/**
 * Run some sessions.
 *
 * @param target - from `targetFor`
 * @param options - of the whole run
 * @param stretch - which sessions
 * @param known - what findings look like that were shrunk before on this machine, in earlier stretches; more is added. Nothing is
 *   shrunk where it is null, see {@link shrinkFirsts}
 */
export function runStretch(
  target: Target,
  options: FuzzOptions,
  { first, end }: Stretch,
  known: Set<string> | null,
): FuzzTally {
  const tally: FuzzTally = { ioctls: 0, succeeded: 0, sessions: 0, found: [] };
  // Most calls fail, and nobody reads where the errors of those were made.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    for (let session = first; session < end; session++) {
      if (runOne(target, options, session, tally, known) && !options.keepGoing) break;
    }
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  return tally;
}

/** @returns whether something was found */
function runOne(
  target: Target,
  { seed, runs, check, kinds = SESSION_KINDS, onSession }: FuzzOptions,
  session: number,
  tally: FuzzTally,
  known: Set<string> | null,
): boolean {
  const calls = Math.min(SESSION_CALLS, runs - session * SESSION_CALLS);
  const device = Math.floor(session / kinds.length) % target.fuzz.devices.length;
  const run = kinds[session % kinds.length] === "simulation" ? runSimulation : runSession;
  const { header, issued, succeeded, found } = run(target, seed, session, device, calls, check ? 1 : EVERY);
  tally.ioctls += issued;
  tally.succeeded += succeeded;
  tally.sessions++;
  onSession?.(issued);
  if (found === null) return false;
  const looks = looksLike(target, found);
  const before = tally.found.find((alike) => alike.looks === looks);
  if (before !== undefined) before.sessions++;
  else {
    const small = known === null || known.has(looks) ? null : shrunk(target, header, found);
    known?.add(looks);
    tally.found.push({ looks, session, sessions: 1, small });
  }
  return true;
}

function shrunk(target: Target, header: TraceHeader, found: SessionFinding): SmallFinding {
  const small = shrink(target, header, found);
  return {
    ...small.finding,
    cause: causeOf(target, small),
    reproducerCalls: small.steps.length,
    reproducer: traceOf(target, header, small),
  };
}

/**
 * Sum up a run.
 *
 * @param driver - name of the driver
 * @param seed - of the run
 * @param tallies - of its stretches, in their order
 */
export function summedUp(driver: string, seed: number, tallies: readonly FuzzTally[]): FuzzResult {
  const sum = { ioctls: 0, succeeded: 0, sessions: 0 };
  const alike = new Map<string, Alike>();
  for (const { ioctls, succeeded, sessions, found } of tallies) {
    sum.ioctls += ioctls;
    sum.succeeded += succeeded;
    sum.sessions += sessions;
    for (const one of found) {
      const first = alike.get(one.looks);
      if (first === undefined) alike.set(one.looks, { ...one });
      else first.sessions += one.sessions;
    }
  }
  const byCause = new Map<string, FuzzCause>();
  for (const { session, sessions, small } of [...alike.values()].sort((a, b) => a.session - b.session)) {
    // The first of those that look alike was the first of its machine, too.
    if (small === null) throw new Error(`session ${session}: what it found was not shrunk`);
    const { cause, ...finding } = small;
    const first = byCause.get(cause);
    if (first === undefined) byCause.set(cause, { ...finding, session, sessions });
    else first.sessions += sessions;
  }
  const causes = [...byCause.values()];
  const [first] = causes;
  return {
    driver,
    seed,
    ...sum,
    finding: first === undefined ? null : { kind: first.kind, text: first.text },
    reproducerCalls: first?.reproducerCalls ?? 0,
    reproducer: first?.reproducer ?? null,
    causes,
  };
}
