/**
 * Bytes around the argument and the buffers stay as they are, and so does an argument that the kernel only reads.
 *
 * @module
 */

import { DIR_READ, decodeIoctl } from "@vmbind/drm";
import type { Call, CheckedCall, Checker, Report } from "@vmbind/trace";
import type { FuzzDriver } from "../fuzz-driver.ts";
import { specByNumber } from "../spec.ts";
import { CallPlace } from "./call-place.ts";

const GUARD_BYTES = 32;
const NOTHING: Call = { file: 0, request: 0, arg: new Uint8Array(), buffers: [] };

/** Reports `memory`. Calls are issued with their memory between guards, in a place that all calls use in turn. */
export class MemoryChecker implements Checker {
  /** The call as it was made, of which the model has a copy. */
  sent: Call = NOTHING;
  readonly #driver: FuzzDriver;
  readonly #report: Report;
  readonly #place = new CallPlace(GUARD_BYTES);

  /**
   * @param driver - knows the ioctls
   * @param report - takes what is wrong
   */
  constructor(driver: FuzzDriver, report: Report) {
    this.#driver = driver;
    this.#report = report;
  }

  /** See {@link Checker.beforeCall}. What was put there for the call before is gone then. */
  beforeCall(call: CheckedCall): void {
    const { file, request, arg, buffers } = call;
    this.sent = { file, request, arg, buffers };
    const placed = this.#place.put(this.sent);
    call.arg = placed.arg;
    call.buffers = placed.buffers;
  }

  /** See {@link Checker.afterCall}. */
  afterCall({ request, arg, buffers }: CheckedCall): void {
    const broken = this.#place.damaged();
    if (broken >= 0) {
      const place = broken < 2 ? "the argument" : `the buffer ${buffers[broken - 2]?.field}`;
      this.#report("memory", "none", `bytes around ${place} changed`);
      return;
    }
    const spec = specByNumber(this.#driver.specs, request);
    if (spec === undefined || (decodeIoctl(spec.request).dir & DIR_READ) !== 0) return;
    for (let i = 0; i < arg.length; i++) {
      if (arg[i] === this.sent.arg[i]) continue;
      this.#report("memory", "none", `${spec.name} is write-only, and its argument changed`);
      return;
    }
  }
}
