/**
 * An input that is not what its format says: a file, a line of it, a rule.
 *
 * @module
 */

/** A file cannot be read or breaks a rule of its format. */
export class InputError extends Error {
  /** Tells it from other errors. */
  override readonly name = "InputError";
  /** Path as the user gave it. */
  readonly file: string;
  /** Line in the uncompressed text, from 1; 0 when the file as a whole is meant. */
  readonly line: number;
  /** The rule that is broken. */
  readonly rule: string;

  /**
   * @param file - path as the user gave it
   * @param line - from 1, or 0 for the file as a whole
   * @param rule - the rule that is broken
   */
  constructor(file: string, line: number, rule: string) {
    super(line > 0 ? `${file}:${line}: ${rule}` : `${file}: ${rule}`);
    this.file = file;
    this.line = line;
    this.rule = rule;
  }
}
