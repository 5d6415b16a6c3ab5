/**
 * A progress bar for jobs that end in any order.
 *
 * @module
 */

import type { Io } from "../io.ts";
import { Progress } from "../text/progress.ts";

const WIDTH = 24;

/** The bar of one command. */
export class Bar {
  readonly #progress: Progress;
  readonly #total: number;
  #done = 0;

  /**
   * @param io - where it is drawn
   * @param total - how many jobs there are
   */
  constructor(io: Io, total: number) {
    this.#progress = new Progress(io);
    this.#total = total;
  }

  /**
   * Count a job that has ended.
   *
   * @param name - what it was
   */
  step(name: string): void {
    this.#done++;
    this.#progress.show(() => `${drawBar(this.#done, this.#total)} ${this.#done}/${this.#total} ${name}`);
  }

  /** Take the bar away. */
  close(): void {
    this.#progress.done();
  }
}

/**
 * @param done - how many
 * @param total - of how many
 * @returns `[######..................]`
 */
export function drawBar(done: number, total: number): string {
  const filled = total === 0 ? WIDTH : Math.floor((WIDTH * done) / total);
  return `[${"#".repeat(filled)}${".".repeat(WIDTH - filled)}]`;
}
