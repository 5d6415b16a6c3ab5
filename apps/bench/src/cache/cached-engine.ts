/**
 * An engine that does no job twice.
 *
 * @module
 */

import { type Engine, type JobKind, type JobResult, type JobTask, outcomeOf, unwrap } from "@vmbind/lab";
import type { ResultCache } from "./result-cache.ts";

/** Looks into a cache before it lets another engine do a job. */
export class CachedEngine implements Engine {
  /** Jobs that were found. */
  found = 0;
  readonly #engine: Engine;
  readonly #cache: ResultCache;

  /**
   * @param engine - does what was not done before
   * @param cache - what was
   */
  constructor(engine: Engine, cache: ResultCache) {
    this.#engine = engine;
    this.#cache = cache;
  }

  async run<K extends JobKind>(kind: K, task: JobTask<K>): Promise<JobResult<K>> {
    const known = await this.#cache.find(kind, task);
    if (known !== null) {
      this.found++;
      return unwrap(known);
    }
    try {
      const value = await this.#engine.run(kind, task);
      await this.#cache.keep(kind, task, { value });
      return value;
    } catch (error) {
      // A rule that stands in the way stands there the next time, too.
      await this.#cache.keep(kind, task, await outcomeOf(() => Promise.reject(error)));
      throw error;
    }
  }
}
