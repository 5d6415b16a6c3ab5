/**
 * What a command needs to have many jobs done: threads, a bar, and a cache of what was done before; or the results of shards.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";
import { type Engine, type JobMessage, jobWork, type OnDone } from "@vmbind/lab";
import { InputError } from "@vmbind/trace";
import { CachedEngine } from "../cache/cached-engine.ts";
import { codeDigest } from "../cache/code-digest.ts";
import { ResultCache } from "../cache/result-cache.ts";
import type { CommandInput } from "../command.ts";
import type { Io } from "../io.ts";
import { type OneShard, partOutcome } from "../shard/division.ts";
import { inputDigest, ownParts, writeShard } from "../shard/shard-file.ts";
import { inWords } from "../shard/whose.ts";
import { findStrategy } from "../strategies/user-strategies.ts";
import { Bar } from "./bar.ts";
import { AskedEngine, MergedEngine } from "./divided.ts";
import { JobPool } from "./pool.ts";
import { workerCount } from "./worker-count.ts";

/** What a command asks an engine for. */
export interface JobsOfCommand<T> {
  /** How many jobs there are of each group. */
  readonly groups: ReadonlyMap<string, number>;
  /** Paths of the user's files that the jobs are made of. */
  readonly inputs: readonly string[];
  /** Hands all jobs to an engine before it waits for any, and tells of those that have ended. */
  ask(engine: Engine, onDone: OnDone): Promise<T>;
}

/**
 * Have jobs done.
 *
 * @param io - where progress is told, and where the cache is
 * @param input - of the command line: `--jobs`, `--no-cache`, and how the work is divided
 * @param work - the jobs
 * @returns what `work.ask` returns; null where this was a shard, whose file is then on standard output
 * @throws UsageError for a bad `--jobs`, {@link InputError} for a file that has changed since shards read it, and what the jobs throw
 */
export async function withEngine<T>(
  io: Io,
  input: Pick<CommandInput, "options" | "division">,
  work: JobsOfCommand<T>,
): Promise<T | null> {
  const { division } = input;
  switch (division.kind) {
    case "whole":
      return onThreads(io, input, work.groups, (engine, onDone) => work.ask(engine, onDone));
    case "merged":
      for (const { path, sha256 } of division.inputs) {
        if ((await inputDigest(path)).sha256 === sha256) continue;
        throw new InputError(path, 0, `is not the file that ${division.path} was made of`);
      }
      return work.ask(new MergedEngine(division), () => {});
    case "shard":
      await runShard(io, input, division, work);
      return null;
  }
}

async function runShard(
  io: Io,
  input: Pick<CommandInput, "options">,
  one: OneShard,
  { ask, inputs }: JobsOfCommand<unknown>,
): Promise<void> {
  const asked = new AskedEngine();
  await Promise.race([ask(asked, () => {}), setImmediate()]);
  const jobs = [...asked.jobs];
  const parts = await Promise.all(
    jobs.map(async ([id, job]) => ({ id, work: await jobWork(job, findStrategy) })),
  );
  const plan = { parts, inputs: await Promise.all(inputs.map(inputDigest)) };
  const mine = ownParts(one, parts);
  const group = `shard ${inWords(one.given.shard)}`;
  await onThreads(io, input, new Map([[group, mine.length]]), (engine, onDone) => {
    const outcomes = mine.map((i) => {
      const { kind, task } = (jobs[i] as [string, JobMessage])[1];
      const outcome = partOutcome(() => engine.run(kind, task));
      // Each is waited for in its turn; none may fail unseen before.
      outcome.then(
        () => onDone(kind, group),
        () => {},
      );
      return outcome;
    });
    return writeShard(one, plan, mine, outcomes, io);
  });
}

/** On all cores, what was done before from the cache. */
async function onThreads<T>(
  io: Io,
  { options }: Pick<CommandInput, "options">,
  groups: ReadonlyMap<string, number>,
  work: (engine: Engine, onDone: OnDone) => Promise<T>,
): Promise<T> {
  const total = [...groups.values()].reduce((sum, jobs) => sum + jobs, 0);
  const pool = new JobPool(workerCount(options["jobs"] as string | undefined, total));
  const cache = options["no-cache"] ? null : openCache(io.cacheFolder);
  const engine = cache && new CachedEngine(pool, cache);
  const bar = new Bar(io, groups);
  try {
    const found = await work(engine ?? pool, (name, group) => bar.step(name, group));
    if (engine?.found)
      bar.tell(`${engine.found} of ${total} found in the cache; --no-cache counts them anew`);
    return found;
  } finally {
    bar.close();
    await cache?.close();
    await pool.close();
  }
}

/** None where there is no folder for it, or where the program cannot read itself. */
function openCache(folder: string | undefined): ResultCache | null {
  if (folder === undefined) return null;
  try {
    return new ResultCache(folder, `${process.version} ${codeDigest()}`);
  } catch {
    return null;
  }
}
