/**
 * Jobs of a VM that wait, as the naive model has them. A driver may let a job run before one that was asked for earlier, where the two
 * have nothing in common; which ones have is its own affair. So a job of this model has happened for sure when all before it have,
 * may have when all has that it surely waits for, and in between a page may be as before or as behind. Jobs that are about one page
 * happen in their order.
 *
 * @module
 */

import { type Expected, holds, type LogLine, type PageRules, Place } from "./page-log.ts";
import type { Sign } from "./page-syncs.ts";

/** A job. */
export interface WaitingJob {
  /** What it does, all at once. */
  readonly lines: readonly LogLine[];
  /** What it waits for, beside jobs before it. */
  readonly waits: readonly Sign[];
  /** The queue that it is in. */
  readonly queue: object;
  /** The next of its queue has to wait for it. */
  readonly holdsUp: boolean;
  /** Its own end. */
  readonly end: Sign;
}

/** The jobs of one VM that have not happened for sure, in the order of their calls. */
export class PageJobs {
  readonly #jobs: WaitingJob[] = [];

  /** How many there are. */
  get count(): number {
    return this.#jobs.length;
  }

  /** What they do. */
  *lines(): Generator<LogLine> {
    for (const { lines } of this.#jobs) yield* lines;
  }

  /**
   * @param job - that was asked for last
   * @param free - it may have nothing to write, and then is over at once, whatever it waits for
   */
  push(job: WaitingJob, free: boolean): void {
    if (free && job.end.done === "no") job.end.done = "maybe";
    this.#jobs.push(job);
  }

  /**
   * See what can have happened by now.
   *
   * @param happened - is told of each job that has, in order
   * @returns whether anything is new
   */
  run(happened: (job: WaitingJob) => void): boolean {
    let news = false;
    for (let job = this.#jobs[0]; job?.waits.every(({ done }) => done === "yes"); job = this.#jobs[0]) {
      this.#jobs.shift();
      happened(job);
      job.end.done = "yes";
      news = true;
    }
    const last = new Map<object, WaitingJob>();
    for (const job of this.#jobs) {
      const before = last.get(job.queue);
      if (job.end.done === "no" && isPossible(job.waits) && before?.end.done !== "no") {
        job.end.done = "maybe";
        news = true;
      }
      if (job.holdsUp) last.set(job.queue, job);
    }
    return news;
  }

  /**
   * What else a page may show while jobs wait.
   *
   * @param place - as it is for sure
   * @param rules - see {@link PageRules}
   * @returns the page as it is behind each job that may have happened
   */
  *possible(place: Place, rules: PageRules): Generator<Place> {
    let expected: Expected = place;
    for (const { lines, end } of this.#jobs) {
      let next: Place | null = null;
      for (const line of lines) {
        if (line.kind === "range" && !holds(line, place.va)) continue;
        next ??= new Place(place.va, rules, expected);
        next.take(line);
      }
      // To unbind what is not bound is nothing that could come before or behind anything.
      if (next === null || isSame(next, expected)) continue;
      if (end.done === "no") return;
      yield next;
      expected = next;
    }
  }
}

function isSame(a: Expected, b: Expected): boolean {
  return a.line === b.line && a.taken === b.taken && a.advised === b.advised;
}

function isPossible(signs: readonly Sign[]): boolean {
  return signs.every(({ done }) => done !== "no");
}
