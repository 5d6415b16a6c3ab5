/**
 * The two ways in which a run ends with exit status 2: the command line is wrong, or an input is.
 *
 * Both become one line on standard error. Anything else that is thrown is a defect of the program and keeps its
 * stack.
 *
 * @module
 */

/** Exit statuses of the command. */
export const EXIT = { ok: 0, difference: 1, usage: 2 } as const;

/** The command line cannot be understood. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
