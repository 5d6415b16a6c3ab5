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
/** Enough for most calls. */
const PLACE_BYTES = 0x1_0000;

/** Reports `memory`. Calls are issued with their memory between guards, in a place that all calls use in turn. */
export class MemoryChecker implements Checker {
  readonly #driver: FuzzDriver;
  readonly #report: Report;
  #sent: Uint8Array = new Uint8Array();
  #place = new Uint8Array(PLACE_BYTES);
  /** Where the guards are: one before each piece of memory, and one behind the last. */
  readonly #guards: number[] = [];

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
    this.#sent = call.arg;
    let bytes = call.arg.length + GUARD_BYTES;
    for (const buffer of call.buffers) bytes += buffer.bytes.length + GUARD_BYTES;
    if (bytes + GUARD_BYTES > this.#place.length) this.#place = new Uint8Array(2 * bytes);
    this.#guards.length = 0;
    this.#guard(0);
    call.arg = this.#guarded(call.arg);
    call.buffers = call.buffers.map((buffer) => {
      return { field: buffer.field, addr: buffer.addr, bytes: this.#guarded(buffer.bytes) };
    });
  }

  #guard(at: number): void {
    this.#place.fill(GUARD, at, at + GUARD_BYTES);
    this.#guards.push(at);
  }

  /** Puts a copy behind the last guard, and a guard behind it. */
  #guarded(bytes: Uint8Array): Uint8Array {
    const start = (this.#guards.at(-1) as number) + GUARD_BYTES;
    const end = start + bytes.length;
    this.#place.set(bytes, start);
    this.#guard(end);
    return this.#place.subarray(start, end);
  }

  /** See {@link Checker.afterCall}. */
  afterCall({ request, arg, buffers }: CheckedCall): void {
    const broken = this.#guards.findIndex((at) => this.#isDamaged(at));
    if (broken >= 0) {
      const place = broken < 2 ? "the argument" : `the buffer ${buffers[broken - 2]?.field}`;
      this.#report("memory", "none", `bytes around ${place} changed`);
      return;
    }
    const spec = specByNumber(this.#driver.specs, request);
    if (spec === undefined || (decodeIoctl(spec.request).dir & 2) !== 0) return;
    if (arg.some((byte, i) => byte !== this.#sent[i])) {
      this.#report("memory", "none", `${spec.name} is write-only, and its argument changed`);
    }
  }

  #isDamaged(at: number): boolean {
    const place = this.#place;
    for (let i = at; i < at + GUARD_BYTES; i++) if (place[i] !== GUARD) return true;
    return false;
  }
}
