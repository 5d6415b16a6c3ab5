/**
 * Where the command writes: the terminal in real life, two strings in tests.
 *
 * @module
 */

import { styleText } from "node:util";

/** The outside world of one run of the command. */
export interface Io {
  /** Write to standard output; the text brings its own line ends. */
  out(text: string): void;
  /** Write to standard error. */
  err(text: string): void;
  /** Whether standard output is a terminal, so that emphasis may be used. */
  readonly outIsTerminal: boolean;
  /** Whether standard error is a terminal, so that progress may be shown. */
  readonly errIsTerminal: boolean;
}

/** @returns the real standard streams; NO_COLOR switches emphasis off */
export function processIo(): Io {
  return {
    out: (text) => {
      process.stdout.write(text);
    },
    err: (text) => {
      process.stderr.write(text);
    },
    outIsTerminal: process.stdout.isTTY === true && !process.env["NO_COLOR"],
    errIsTerminal: process.stderr.isTTY === true,
  };
}

/**
 * Emphasise a heading.
 *
 * @param io - where it will be written
 * @param text - the heading
 * @returns the text, bold on a terminal and unchanged in a pipe
 */
export function heading(io: Io, text: string): string {
  return io.outIsTerminal ? styleText("bold", text) : text;
}
