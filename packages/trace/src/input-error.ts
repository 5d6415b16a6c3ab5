/**
 * An input that is not what its format says: a file, a line of it, a rule.
 *
 * @module
 */

import { oneLine } from "./visible.ts";

/** Longest message, UTF-16 units: with the name of a command in front it stays below 300. */
const MESSAGE_MAX = 280;
/** Longest path in a message, UTF-16 units. */
const PATH_MAX = 120;

/** A file cannot be read or breaks a rule of its format. Its message is one line of at most 280 visible characters. */
export class InputError extends Error {
  /** Tells it from other errors. */
  override readonly name = "InputError";
  /** Path as the user gave it. */
  readonly file: string;
  /** Line in the uncompressed text, from 1; 0 when the file as a whole is meant. */
  readonly line: number;
  /** The rule that is broken: one line. */
  readonly rule: string;

  /**
   * @param file - path as the user gave it
   * @param line - from 1, or 0 for the file as a whole
   * @param rule - the rule that is broken; what the file said may stand in it as it is
   */
  constructor(file: string, line: number, rule: string) {
    const place = `${oneLine(file, PATH_MAX)}${line > 0 ? `:${line}` : ""}: `;
    const short = oneLine(rule, MESSAGE_MAX - place.length);
    super(place + short);
    this.file = file;
    this.line = line;
    this.rule = short;
  }
}
