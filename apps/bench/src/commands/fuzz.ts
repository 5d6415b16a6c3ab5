/**
 * `vmbind fuzz`: random and mutated ioctls against a driver model.
 *
 * @module
 */

import { availableParallelism } from "node:os";
import { counted } from "@vmbind/drm";
import type { CommandInput } from "../command.ts";
import { DRIVER_NAMES } from "../drivers/table.ts";
import { EXIT, UsageError } from "../errors.ts";
import {
  type FuzzOptions,
  type FuzzResult,
  type FuzzTally,
  fuzz,
  runStretch,
  SESSION_KINDS,
  type Stretch,
  stretchesOf,
  summedUp,
} from "../fuzz/fuzz.ts";
import type { fuzzOnThreads } from "../fuzz/on-threads.ts";
import { SESSION_CALLS } from "../fuzz/session.ts";
import { targetFor } from "../fuzz/targets.ts";
import type { Io } from "../io.ts";
import { HAS_THREADS, workerCount } from "../jobs/worker-count.ts";
import { checkOutput, makeFile } from "../output/whole-file.ts";
import { mergedPart, type OneShard, type PartOutcome, partOutcome } from "../shard/division.ts";
import { ownParts, writeShard } from "../shard/shard-file.ts";
import { noSuchName } from "../text/nearest.ts";
import { Progress } from "../text/progress.ts";

const RUNS_DEFAULT = 100_000;

/**
 * With fewer for each thread two are no faster than one: both compile everything, for half a second, and where there are no more CPUs than
 * threads, what compiles beside them takes theirs.
 */
const IOCTLS_PER_THREAD = availableParallelism() > 2 ? 40_000 : 100_000;

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, division }: CommandInput, io: Io): Promise<number> {
  const name = options["driver"];
  if (typeof name !== "string")
    throw new UsageError(`--driver is missing: one of ${DRIVER_NAMES.join(", ")}`);
  if (!DRIVER_NAMES.includes(name)) {
    throw new UsageError(`--driver: ${noSuchName("driver", name, DRIVER_NAMES)}`);
  }
  const seed = integer("seed", options["seed"], 1);
  const runs = integer("runs", options["runs"], RUNS_DEFAULT);
  const only = SESSION_KINDS.find((kind) => kind === options["only"]);
  if (options["only"] !== undefined && only === undefined) {
    throw new UsageError(`--only: ${noSuchName("kind of sessions", String(options["only"]), SESSION_KINDS)}`);
  }
  const out = {
    option: "--out",
    path: typeof options["out"] === "string" ? options["out"] : `fuzz-${name}-${seed}.jsonl`,
  };
  // Without the option nothing is written unless something is found.
  if (options["out"] !== undefined && division.kind !== "shard") await checkOutput(out, []);
  const progress = new Progress(io);
  let issued = 0;
  const fuzzOptions: FuzzOptions = {
    seed,
    runs,
    check: options["check"] === true,
    ...(only !== undefined && { kinds: [only] }),
    keepGoing: options["keep-going"] === true || division.kind !== "whole",
    onSession: (calls) => {
      issued += calls;
      progress.show(() => `${name}: ${issued} of ${runs} ioctls`);
    },
  };
  const jobs = options["jobs"] as string | undefined;
  if (division.kind === "shard") {
    await runShard(division, name, fuzzOptions, jobs, io);
    progress.done();
    return EXIT.ok;
  }
  const result =
    division.kind === "merged"
      ? summedUp(
          name,
          seed,
          stretchesOf(runs).map((stretch) => mergedPart(division, stretchId(stretch)) as FuzzTally),
        )
      : await fuzzHere(name, fuzzOptions, jobs);
  progress.done();
  const { reproducer: _, causes, ...facts } = result;
  const files = causes.map((_, i) => numbered(out.path, i));
  if (options["json"] === true) {
    const found = causes.map(({ reproducer: _, ...cause }, i) => ({ ...cause, file: files[i] }));
    io.out(`${JSON.stringify({ ...facts, file: files[0] ?? null, causes: found })}\n`);
  } else io.out(describe(result, files));
  // What was found is on the screen before anything can go wrong with the files.
  for (const [i, { reproducer }] of causes.entries())
    await makeFile(io, { ...out, path: files[i] as string }, reproducer);
  return causes.length === 0 ? EXIT.ok : EXIT.difference;
}

async function fuzzHere(driver: string, options: FuzzOptions, jobs: string | undefined): Promise<FuzzResult> {
  const stretches = stretchesOf(options.runs);
  const threads = threadsFor(jobs, stretches);
  return threads === 1
    ? fuzz(await targetFor(driver), options)
    : summedUp(driver, options.seed, await onThreads(driver, options, stretches, threads));
}

async function runShard(
  one: OneShard,
  driver: string,
  options: FuzzOptions,
  jobs: string | undefined,
  io: Io,
): Promise<void> {
  const stretches = stretchesOf(options.runs);
  const parts = stretches.map((stretch) => ({
    id: stretchId(stretch),
    work: stretch.end - stretch.first,
  }));
  const mine = ownParts(one, parts);
  const own = mine.map((i) => stretches[i] as Stretch);
  const threads = threadsFor(jobs, own);
  const target = threads === 1 ? await targetFor(driver) : null;
  const known = new Set<string>();
  function* outcomes(): Generator<Promise<PartOutcome>> {
    if (target !== null) {
      for (const stretch of own) yield partOutcome(async () => runStretch(target, options, stretch, known));
      return;
    }
    const tallies = onThreads(driver, options, own, threads);
    for (const i of own.keys()) yield partOutcome(async () => (await tallies)[i]);
  }
  await writeShard(one, { parts, inputs: [] }, mine, outcomes(), io);
}

/** Only where it is needed is the code of threads loaded. */
async function onThreads(...what: Parameters<typeof fuzzOnThreads>): Promise<FuzzTally[]> {
  return (await import("../fuzz/on-threads.ts")).fuzzOnThreads(...what);
}

/**
 * How many threads run stretches, this one among them. By default one per CPU, where `workerCount` leaves one to the engine: there are
 * none that only wait, and what a thread compiles is soon paid for, since it runs the same code all the time.
 */
function threadsFor(option: string | undefined, stretches: readonly Stretch[]): number {
  const ioctls = stretches.reduce((sum, { first, end }) => sum + SESSION_CALLS * (end - first), 0);
  const worth = Math.floor(ioctls / IOCTLS_PER_THREAD);
  const threads = workerCount(option, stretches.length, Math.min(availableParallelism(), worth));
  return HAS_THREADS ? threads : 1;
}

function stretchId({ first, end }: Stretch): string {
  return `sessions ${first}-${end - 1}`;
}

/** `fuzz.jsonl`, `fuzz-2.jsonl`, ... */
function numbered(path: string, i: number): string {
  return i === 0 ? path : path.replace(/(\.jsonl(\.gz)?)?$/, (ending) => `-${i + 1}${ending}`);
}

function describe(
  { driver, seed, ioctls, succeeded, sessions, causes }: FuzzResult,
  files: readonly string[],
): string {
  const done = `${driver}, seed ${seed}: ${counted(ioctls, "ioctl")} on ${counted(sessions, "device")}, ${succeeded} succeeded`;
  if (causes.length === 0) return `${done}, nothing found\n`;
  const found = causes.map(({ kind, text, reproducerCalls, sessions: times }, i) => {
    const often = times > 1 ? ` (in ${times} sessions)` : "";
    return (
      `${kind}: ${text}${often}\n` +
      `reproducer of ${counted(reproducerCalls, "ioctl")}: ${files[i]} (vmbind replay --check ${files[i]})\n`
    );
  });
  return `${done}\n${found.join("")}`;
}

function integer(name: string, value: unknown, otherwise: number): number {
  if (value === undefined) return otherwise;
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 0) {
    throw new UsageError(`--${name}: expected an integer from 0, got ${JSON.stringify(value)}`);
  }
  return number;
}
