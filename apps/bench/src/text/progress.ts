/**
 * How far the work is, on standard error: one rewritten line on a terminal, a line now and then in a pipe or a log.
 *
 * @module
 */

import { visible } from "@vmbind/trace";
import { columnsIn, type Io } from "../io.ts";

const QUIET_MS = 1000;
const INTERVAL_MS = 100;

/** Between two lines of a log. */
const LOG_MS = 10_000;

/** The progress line of one command. */
export class Progress {
  readonly #io: Io;
  readonly #started = Date.now();
  #shownAt = 0;
  #toldAt = Date.now();

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
    const now = Date.now();
    if (!this.#io.errIsTerminal) {
      if (now - this.#toldAt >= LOG_MS) this.tell(text());
      return;
    }
    if (now - this.#started < QUIET_MS || now - this.#shownAt < INTERVAL_MS) return;
    this.#shownAt = now;
    // A line that wraps cannot be taken back.
    this.#io.err(`\r\x1b[K${visible(text()).slice(0, columnsIn(this.#io) - 1)}`);
  }

  /**
   * Say that a part of the work is done; only where there is no terminal, whose line says it already.
   *
   * @param text - what is done
   */
  tell(text: string): void {
    if (!this.#io.progressLines) return;
    this.#toldAt = Date.now();
    this.#io.err(`${visible(text)}\n`);
  }

  /** Take the line away. */
  done(): void {
    if (this.#shownAt > 0) this.#io.err("\r\x1b[K");
    this.#shownAt = 0;
  }

  /**
   * Say something else.
   *
   * @param text - whole lines
   */
  readonly err = (text: string): void => {
    this.done();
    this.#io.err(text);
  };
}
