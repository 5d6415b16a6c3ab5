/**
 * Where the command writes: the terminal in real life, two strings in tests. Every output of the program goes through here.
 *
 * @module
 */

import { isatty } from "node:tty";
import { styleText } from "node:util";
import { oneLine, visible, visibleLines } from "@vmbind/trace/input";
import { cacheFolder } from "./cache/cache-folder.ts";
import { EXIT, type Failure, failureOf, MESSAGE_MAX, OutputError } from "./errors.ts";
import { TextStream, writeAll } from "./output/stream.ts";
import { type Save, saveFile } from "./output/whole-file.ts";
import { foldLines } from "./text/wrap.ts";

/** The outside world of one run of the command. */
export interface Io {
  /**
   * Write to standard output; the text brings its own line ends.
   *
   * @param text - what to write; of control characters only line feeds and emphasis come through, whatever a file said
   * @throws ReaderGone when nobody reads any more; {@link OutputError} when it cannot be written
   */
  out(text: string): void;
  /**
   * Write what is held back of standard output. Whoever writes a file calls it before, so that what was found is out first.
   *
   * @throws as {@link Io.out}
   */
  flush(): void;
  /** Write to standard error. Nothing is thrown: there is nowhere left to say it. */
  err(text: string): void;
  /** Write a file as a whole. */
  readonly save: Save;
  /** Whether standard output is a terminal, so that emphasis may be used. */
  readonly outIsTerminal: boolean;
  /** Whether standard error is a terminal, so that progress may be shown. */
  readonly errIsTerminal: boolean;
  /** Whether progress is told in lines where standard error is no terminal; not unless told. */
  readonly progressLines?: boolean;
  /** Most characters of a line of a table or a paragraph; no limit unless told. */
  readonly columns?: number;
  /** Whether the lines of a listing are folded to that, too: on a terminal; elsewhere each is one line, for `grep`. */
  readonly foldsListings?: boolean;
  /** Folder in which results are kept between runs; none unless told. */
  readonly cacheFolder?: string;
}

/** Width of text that goes into a file or a pipe. */
const COLUMNS = 80;

/** A terminal that is narrower wraps. */
const COLUMNS_MIN = 40;

/**
 * How wide text may be: as `COLUMNS` says, or the terminal, or 80 characters where there is none. So what is piped does not depend on
 * the window that it was made in.
 *
 * @param terminal - columns of the terminal; undefined where standard output is none
 */
function columnsOf(terminal: number | undefined): number {
  const told = Number(process.env["COLUMNS"]);
  return Math.max(COLUMNS_MIN, Number.isInteger(told) && told > 0 ? told : (terminal ?? COLUMNS));
}

/**
 * @param save - writes files; in this thread unless given
 * @param terminal - columns of the terminal, where standard output is one
 * @returns the real standard streams; NO_COLOR switches emphasis off
 */
export function processIo(save: Save = saveFile, terminal?: number): Io {
  const stdout = new TextStream(1, isatty(1));
  return {
    out: (text) => stdout.write(text),
    flush: () => stdout.flush(),
    err: (text) => {
      try {
        writeAll(2, text);
      } catch {
        // Nobody is told, and the status says it.
      }
    },
    save,
    outIsTerminal: isatty(1) && !process.env["NO_COLOR"],
    errIsTerminal: isatty(2),
    progressLines: !isatty(2),
    columns: columnsOf(terminal),
    foldsListings: isatty(1),
    cacheFolder: cacheFolder(),
  };
}

/** Bold on and off, as {@link heading} writes them, and as they are when made visible. */
const EMPHASIS = ["\u001b[1m", "\u001b[22m"].map((code) => [visible(code), code] as const);

/**
 * The same outside world, safe from what files say: a name in a trace cannot drive the terminal.
 *
 * @param io - the outside world
 */
export function guarded(io: Io): Io {
  const emphasis = io.outIsTerminal ? EMPHASIS : [];
  return {
    ...io,
    out: (text) =>
      io.out(emphasis.reduce((shown, [seen, code]) => shown.replaceAll(seen, code), visibleLines(text))),
  };
}

/**
 * Say what is wrong, in one line of at most 300 visible characters.
 *
 * @param io - where
 * @param command - name of the command, empty for the program
 * @param message - what is wrong; it may hold anything, in any length
 */
export function complain(io: Pick<Io, "err">, command: string, message: string): void {
  io.err(`${oneLine(`vmbind${command === "" ? "" : ` ${command}`}: ${message}`, MESSAGE_MAX)}\n`);
}

/**
 * Say in one line what was thrown, and with VMBIND_STACK where, if the program is to blame.
 *
 * @param io - where
 * @param command - name of the command, empty for the program
 * @param error - what was thrown
 * @returns how the run ends
 */
export function complainOf(io: Pick<Io, "err">, command: string, error: unknown): Failure {
  const failure = failureOf(error);
  if (failure.message !== null) complain(io, command, failure.message);
  if (failure.status === EXIT.internal && process.env["VMBIND_STACK"] && error instanceof Error) {
    io.err(`${error.stack}\n`);
  }
  return failure;
}

/**
 * Emphasise a heading.
 *
 * @param io - where it will be written
 * @param text - the heading; what a file said may stand in it as it is
 * @returns the text in one line, bold on a terminal and plain in a pipe
 */
export function heading(io: Pick<Io, "outIsTerminal">, text: string): string {
  return io.outIsTerminal ? styleText("bold", visible(text)) : visible(text);
}

/**
 * @param io - where it will be written
 * @returns most characters of a line of a table or a paragraph
 */
export function columnsIn({ columns }: Pick<Io, "columns">): number {
  return columns ?? Number.POSITIVE_INFINITY;
}

/**
 * Lines of a listing: a trace in words, what differs.
 *
 * @param io - where they will be written
 * @param text - lines, each with its line end
 * @returns the same, what is wider than a terminal folded, deeper indented
 */
export function listing(io: Pick<Io, "columns" | "foldsListings">, text: string): string {
  return io.foldsListings ? foldLines(text, columnsIn(io)) : text;
}
