/**
 * Bytes around the argument and the buffers stay as they are, and so does an argument that the kernel only reads.
 *
 * @module
 */

import { decodeIoctl } from "@vmbind/drm";
import type { CheckedCall, Checker, Report } from "@vmbind/trace";
import type { FuzzDriver } from "../fuzz-driver.ts";
import { specByNumber } from "../spec.ts";

const GUARD_BYTES = 32;
const GUARD = 0xa5;

/** Reports `memory`. Calls are issued with their memory between guards. */
export class MemoryChecker implements Checker {
  readonly #driver: FuzzDriver;
  readonly #report: Report;
  #sent: Uint8Array = new Uint8Array();

  /**
   * @param driver - knows the ioctls
   * @param report - takes what is wrong
   */
  constructor(driver: FuzzDriver, report: Report) {
    this.#driver = driver;
    this.#report = report;
  }

  /** See {@link Checker.beforeCall}. */
  beforeCall(call: CheckedCall): void {
    this.#sent = call.arg;
    call.arg = guarded(call.arg);
    call.buffers = call.buffers.map((buffer) => ({ ...buffer, bytes: guarded(buffer.bytes) }));
  }

  /** See {@link Checker.afterCall}. */
  afterCall({ request, arg, buffers }: CheckedCall): void {
    const buffer = buffers.find(({ bytes }) => isDamaged(bytes));
    const place = isDamaged(arg) ? "the argument" : buffer && `the buffer ${buffer.field}`;
    if (place !== undefined) {
      this.#report("memory", "none", `bytes around ${place} changed`);
      return;
    }
    const spec = specByNumber(this.#driver.specs, request);
    if (spec === undefined || (decodeIoctl(spec.request).dir & 2) !== 0) return;
    if (arg.some((byte, i) => byte !== this.#sent[i])) {
      this.#report("memory", "none", `${spec.name} is write-only, and its argument changed`);
    }
  }
}

function guarded(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(bytes.length + 2 * GUARD_BYTES);
  whole.fill(GUARD, 0, GUARD_BYTES);
  whole.fill(GUARD, GUARD_BYTES + bytes.length);
  whole.set(bytes, GUARD_BYTES);
  return whole.subarray(GUARD_BYTES, GUARD_BYTES + bytes.length);
}

function isDamaged(bytes: Uint8Array): boolean {
  const whole = new Uint8Array(bytes.buffer);
  for (let i = 0; i < GUARD_BYTES; i++) {
    if (whole[i] !== GUARD || whole[whole.length - 1 - i] !== GUARD) return true;
  }
  return false;
}
