/**
 * One rewritten line on standard error for work that takes longer than a second; silent in a pipe.
 *
 * @module
 */

import { visible } from "@vmbind/trace";
import type { Io } from "../io.ts";

const QUIET_MS = 1000;
const INTERVAL_MS = 100;

/** The progress line of one command. */
export class Progress {
  readonly #io: Io;
  readonly #started = Date.now();
  #shownAt = 0;

  /** @param io - where the line goes */
  constructor(io: Io) {
    this.#io = io;
  }

  /**
   * Say what is being done. Cheap enough to call for every item.
   *
   * @param text - makes the text, called only when the line is written
   */
  show(text: () => string): void {
    if (!this.#io.errIsTerminal) return;
    const now = Date.now();
    if (now - this.#started < QUIET_MS || now - this.#shownAt < INTERVAL_MS) return;
    this.#shownAt = now;
    this.#io.err(`\r\x1b[K${visible(text())}`);
  }

  /** Take the line away. */
  done(): void {
    if (this.#shownAt > 0) this.#io.err("\r\x1b[K");
    this.#shownAt = 0;
  }
}
