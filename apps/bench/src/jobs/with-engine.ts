/**
 * What a command needs to have many jobs done: threads, a bar, and a cache of what was done before.
 *
 * @module
 */

import type { Engine, OnDone } from "@vmbind/lab";
import { CachedEngine } from "../cache/cached-engine.ts";
import { codeDigest } from "../cache/code-digest.ts";
import { ResultCache } from "../cache/result-cache.ts";
import type { CommandInput } from "../command.ts";
import type { Io } from "../io.ts";
import { Bar } from "./bar.ts";
import { JobPool, workerCount } from "./pool.ts";

/**
 * Have jobs done.
 *
 * @param io - where progress is told, and where the cache is
 * @param options - of the command line: `--jobs` and `--no-cache`
 * @param groups - how many jobs there are of each group
 * @param work - hands them to an engine, and tells of those that have ended
 * @returns what `work` returns
 * @throws UsageError for a bad `--jobs`, and what `work` throws
 */
export async function withEngine<T>(
  io: Io,
  options: CommandInput["options"],
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
    return new ResultCache(folder, codeDigest());
  } catch {
    return null;
  }
}
