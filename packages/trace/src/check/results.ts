/**
 * What each ioctl returns, against the recording.
 *
 * @module
 */

import { result } from "../words.ts";
import type { CheckedCall, Checker, Report } from "./checker.ts";

/** Reports `ret` where the model's result is another one. */
export class ResultChecker implements Checker {
  readonly #report: Report;

  /** @param report - takes what differs */
  constructor(report: Report) {
    this.#report = report;
  }

  /** See {@link Checker.afterCall}. */
  afterCall({ recorded, ret, reason }: CheckedCall): void {
    if (recorded && ret !== recorded.ret) this.#report("ret", result(recorded.ret), result(ret), reason);
  }
}
