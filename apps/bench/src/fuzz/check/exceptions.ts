/**
 * Nothing is thrown out of `ioctl()`.
 *
 * @module
 */

import type { CheckedCall, Checker, Report } from "@vmbind/trace";

/** Reports `exception`. Afterwards the device may be in any state. */
export class ExceptionChecker implements Checker {
  readonly #report: Report;

  /** @param report - takes what was thrown */
  constructor(report: Report) {
    this.#report = report;
  }

  /** See {@link Checker.threw}. */
  threw(_call: CheckedCall | null, error: unknown): void {
    const stack = error instanceof Error ? error.stack : undefined;
    this.#report("exception", "none", stack?.split("\n").slice(0, 3).join(" ") ?? String(error));
  }
}
