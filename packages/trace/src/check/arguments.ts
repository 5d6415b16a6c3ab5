/**
 * The argument struct that each ioctl hands back, against the recording.
 *
 * @module
 */

import { hexOf } from "../hex-bytes.ts";
import type { CheckedCall, Checker, Report } from "./checker.ts";

/** Reports `arg_out` where a byte differs. */
export class ArgumentChecker implements Checker {
  readonly #report: Report;

  /** @param report - takes what differs */
  constructor(report: Report) {
    this.#report = report;
  }

  /** See {@link Checker.afterCall}. */
  afterCall({ recorded, arg, reason }: CheckedCall): void {
    if (!recorded) return;
    const { argOut } = recorded;
    let at = 0;
    while (at < arg.length && arg[at] === argOut[at]) at++;
    if (at < arg.length) this.#report("arg_out", bytesFrom(recorded.argOut, at), bytesFrom(arg, at), reason);
  }
}

function bytesFrom(bytes: Uint8Array, at: number): string {
  const shown = hexOf(bytes.subarray(at, at + 8));
  return `byte ${at}: ${shown}${bytes.length > at + 8 ? "..." : ""}`;
}
