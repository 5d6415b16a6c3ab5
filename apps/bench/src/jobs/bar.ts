/**
 * How far many jobs are that end in any order: a bar on a terminal, a line for each group that is complete in a log.
 *
 * @module
 */

import type { Io } from "../io.ts";
import { Progress } from "../text/progress.ts";

const WIDTH = 24;

/** The bar of one command. */
export class Bar {
  readonly #progress: Progress;
  readonly #terminal: boolean;
  readonly #left: Map<string, number>;
  readonly #total: number;
  #done = 0;

  /**
   * @param io - where it is drawn
   * @param groups - how many jobs there are of each group
   */
  constructor(io: Io, groups: ReadonlyMap<string, number>) {
    this.#progress = new Progress(io);
    this.#terminal = io.errIsTerminal;
    this.#left = new Map(groups);
    this.#total = [...groups.values()].reduce((sum, jobs) => sum + jobs, 0);
  }

  /**
   * Count a job that has ended.
   *
   * @param name - what it was
   * @param group - which it belongs to
   */
  step(name: string, group: string): void {
    this.#done++;
    const left = (this.#left.get(group) ?? 0) - 1;
    this.#left.set(group, left);
    const count = `${this.#done}/${this.#total}`;
    if (left === 0) this.#progress.tell(`${count} ${group}`);
    const bar = this.#terminal ? `${drawBar(this.#done, this.#total)} ` : "";
    this.#progress.show(() => `${bar}${count} ${name}`);
  }

  /**
   * Say something about all of them, in a log.
   *
   * @param text - what
   */
  tell(text: string): void {
    this.#progress.tell(text);
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
