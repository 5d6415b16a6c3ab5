/**
 * How a run ends, and what is said of it: the exit statuses, the errors that a user can cause, and the one line that each
 * error becomes. Whatever else is thrown is a defect of the program; it ends with a status of its own, so that nobody takes a
 * crash for a difference.
 *
 * @module
 */

import { InputError } from "@vmbind/trace/input";

/** Exit statuses of the command. */
export const EXIT = { ok: 0, difference: 1, usage: 2, internal: 3 } as const;

/** What each status means where a command does not say it better. */
export const EXIT_MEANINGS = {
  0: "ok",
  1: "a difference, a failed vector, a finding, or a refused operation",
  2: "wrong usage, or a file that cannot be read, is broken, or cannot be written where it should be",
  3: "an internal error, a full disk, or no memory left",
} as const;

/** Longest line on standard error. */
export const MESSAGE_MAX = 300;

/** The command line cannot be understood. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** An output cannot be written. */
export class OutputError extends Error {
  override readonly name = "OutputError";
  /** {@link EXIT.usage} where the path is to blame, {@link EXIT.internal} where the machine is. */
  readonly status: number;

  /**
   * @param what - the option and the path, or the stream
   * @param error - what writing threw
   * @param note - ends the message, e.g. what became of the file that was there
   */
  constructor(what: string, error: unknown, note = "") {
    const code = codeOf(error) ?? "";
    super(`${what}: cannot be written: ${WRITING.get(code) ?? (error as Error).message}, ${code}${note}`);
    this.status = FAULTS_OF_THE_MACHINE.has(code) ? EXIT.internal : EXIT.usage;
  }
}

/** Whoever read standard output has gone: `vmbind explain T | head`. That is no error. */
export class ReaderGone extends Error {
  override readonly name = "ReaderGone";
}

/** A model broke down over an input that it should be able to answer: a defect of the program, found in a file. */
export class ModelError extends Error {
  override readonly name = "ModelError";
  /** Line of the file, from 1; 0 where it is not known. */
  readonly line: number;

  /**
   * @param message - all that is to be said
   * @param line - see {@link ModelError.line}
   */
  constructor(message: string, line = 0) {
    super(message);
    this.line = line;
  }

  /**
   * @param file - the file
   * @param line - its line
   * @param what - of the line
   * @param error - what the model threw
   * @returns the same as an error that says where
   */
  static over(file: string, line: number, what: string, error: unknown): ModelError {
    const found = new ModelError(`${file}:${line}: ${what}: ${thrownText(error)}`, line);
    if (error instanceof Error && error.stack !== undefined) found.stack = error.stack;
    return found;
  }
}

/** A command that looked brief has come upon a file that is long; somebody who is watched over has to go on with it. */
export class NotBrief extends Error {
  override readonly name = "NotBrief";
  /** How many of its files are done, and said to be. */
  readonly done: number;
  /** Exit status that they came to. */
  readonly status: number;

  /**
   * @param done - see {@link NotBrief.done}
   * @param status - see {@link NotBrief.status}
   */
  constructor(done: number, status: number) {
    super(`not brief behind ${done} files`);
    this.done = done;
    this.status = status;
  }
}

/** Memory has run out. */
export class OutOfMemory extends Error {
  override readonly name = "OutOfMemory";
}

/** What the system says of a file that it does not write, in words. */
const WRITING: ReadonlyMap<string, string> = new Map([
  ["ENOSPC", "the disk is full"],
  ["EDQUOT", "the quota is used up"],
  ["EFBIG", "the file would be larger than allowed"],
  ["EIO", "the device failed"],
  ["EROFS", "the file system is read-only"],
  ["EACCES", "not permitted"],
  ["EPERM", "not permitted"],
  ["ENOENT", "no such folder"],
  ["ENOTDIR", "a part of the path is no folder"],
  ["EISDIR", "it is a folder"],
  ["ENAMETOOLONG", "the name is too long"],
  ["ELOOP", "too many symbolic links"],
]);

const FAULTS_OF_THE_MACHINE: ReadonlySet<string> = new Set([
  "ENOSPC",
  "EDQUOT",
  "EFBIG",
  "EIO",
  "ENOMEM",
  "EMFILE",
  "ENFILE",
]);

/**
 * @param error - anything that was thrown
 * @returns the system's name for it, e.g. `ENOSPC`; undefined for an error that has none
 */
export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" ? code : undefined;
}

/** How a run ended that did not come to its end. */
export interface Failure {
  /** Exit status. */
  status: number;
  /** What to say; null for nothing. It may hold anything, in any length. */
  message: string | null;
  /** Whether the usage of the command helps. */
  usage: boolean;
}

/**
 * @param error - what was thrown
 * @returns its exit status and its message
 */
export function failureOf(error: unknown): Failure {
  const failure = (status: number, message: string | null, usage = false): Failure => ({
    status,
    message,
    usage,
  });
  if (error instanceof ReaderGone) return failure(EXIT.ok, null);
  if (error instanceof UsageError) return failure(EXIT.usage, error.message, true);
  if (error instanceof InputError) return failure(EXIT.usage, error.message);
  if (error instanceof OutputError) return failure(error.status, error.message);
  if (error instanceof ModelError) return failure(EXIT.internal, error.message);
  return failure(EXIT.internal, thrownText(error));
}

/** What is said of an error that no user is to blame for. */
function thrownText(error: unknown): string {
  return outOfMemory(error) ?? internal(error);
}

/** What V8 says when a single object is more than it has room for. */
const TOO_LARGE =
  /^(Array buffer allocation failed|Invalid (string|array|typed array) length|.*maximum size exceeded|.*allocation failed.*)/;

function outOfMemory(error: unknown): string | null {
  if (error instanceof OutOfMemory) return error.message;
  const raise = "NODE_OPTIONS=--max-old-space-size=MIB gives Node.js more";
  if (codeOf(error) === "ERR_WORKER_OUT_OF_MEMORY") return `out of memory; ${raise}`;
  if (error instanceof RangeError && TOO_LARGE.test(error.message)) {
    return `out of memory: ${error.message.toLowerCase()}; ${raise}`;
  }
  return null;
}

function internal(error: unknown): string {
  if (!(error instanceof Error)) return `internal error: ${String(error)}`;
  // Where it was thrown, without the path of the installation.
  const place = /\n\s+at .*?([^\s/\\(]+\/[^\s/\\(]+:\d+):\d+\)?/.exec(error.stack ?? "")?.[1];
  const at = place === undefined ? "" : ` (at ${place})`;
  return `internal error, please report it: ${error.name}: ${error.message}${at}; VMBIND_STACK=1 prints where`;
}
