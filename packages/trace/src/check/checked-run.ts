/**
 * Issuing ioctls on a model with checkers around each.
 *
 * @module
 */

import { UserMemory } from "@vmbind/drm";
import type { OpenDevice } from "../device.ts";
import { eventOf, type TraceEvent } from "../event.ts";
import type { Action } from "../lens.ts";
import type { TraceArray, TraceIoctl, TraceMark } from "../record.ts";
import type { Call, CallBuffer, CheckedCall, Checker } from "./checker.ts";

const ROOM_BYTES = 2 ** 13;

const UNKNOWN: Action = { kind: "other", text: "" };

/** A device, and those who look at what it does. */
export class CheckedRun {
  readonly #device: OpenDevice;
  readonly #checkers: readonly Checker[];
  /** Those who look before a call, and behind it: most do one of the two, and calls come by the hundred thousand. */
  readonly #before: readonly Checker[];
  readonly #after: readonly Checker[];
  /** The same at marks. */
  readonly #atMark: readonly Checker[];
  readonly #user = new UserMemory();
  /** Room for the arguments of many calls, used up to {@link CheckedRun.#used}: memory of its own for each would cost more than what it holds. */
  #room = new Uint8Array(0);
  #used = 0;

  /**
   * @param device - the device under test
   * @param checkers - asked in this order
   */
  constructor(device: OpenDevice, checkers: readonly Checker[]) {
    this.#device = device;
    this.#checkers = checkers;
    this.#before = checkers.filter((checker) => checker.beforeCall);
    this.#after = checkers.filter((checker) => checker.afterCall);
    this.#atMark = checkers.filter((checker) => checker.mark);
  }

  /**
   * Issue a recorded ioctl.
   *
   * @param recorded - the record; its argument is copied
   * @param action - what it means
   * @returns the call as it came back
   */
  replay(recorded: TraceIoctl, action: Action): CheckedCall {
    const { file, request, argIn, arrays } = recorded;
    const outputs = this.#device.outputs(recorded);
    const sent = arrays.map(bufferOf);
    const buffers = outputs.length === 0 ? sent : [...outputs, ...sent];
    return this.#run({
      file,
      request,
      arg: this.#copyOf(argIn),
      buffers,
      recorded,
      action,
      ret: 0,
      reason: null,
    });
  }

  #copyOf(bytes: Uint8Array): Uint8Array {
    const { length } = bytes;
    if (this.#used + length > this.#room.length) {
      this.#room = new Uint8Array(Math.max(ROOM_BYTES, length));
      this.#used = 0;
    }
    const copy = new Uint8Array(this.#room.buffer, this.#used, length);
    this.#used = (this.#used + length + 7) & ~7;
    copy.set(bytes);
    return copy;
  }

  /**
   * Issue an ioctl of which nothing is recorded.
   *
   * @param call - its argument is changed as the model does
   * @returns the call as it came back
   */
  issue(call: Call): CheckedCall {
    const { file, request, arg, buffers } = call;
    return this.#run({ file, request, arg, buffers, recorded: null, action: UNKNOWN, ret: 0, reason: null });
  }

  #run(call: CheckedCall): CheckedCall {
    const file = this.#device.file(call.file);
    if (call.recorded) this.#device.beforeCall(call.recorded);
    for (const checker of this.#before) checker.beforeCall?.(call);
    this.#user.clear();
    for (const { addr, bytes } of call.buffers) this.#user.place(addr, bytes);
    try {
      call.ret = file.ioctl(call.request, call.arg, this.#user);
    } catch (error) {
      this.#threw(call, error);
      return call;
    }
    call.reason = file.lastError?.reason ?? null;
    for (const checker of this.#after) checker.afterCall?.(call);
    if (call.ret === 0) this.#device.succeeded(call.file, call.action);
    return call;
  }

  #threw(call: CheckedCall | null, error: unknown): void {
    const takers = this.#checkers.filter((checker) => checker.threw);
    if (takers.length === 0) throw error;
    for (const checker of takers) checker.threw?.(call, error);
  }

  /**
   * Pass a mark; an event that it says happens to the device behind it.
   *
   * @param mark - the mark
   * @returns 0, a handle, or a negative errno, as {@link OpenDevice.happen} gives it
   */
  mark(mark: TraceMark): number {
    const event = eventOf(mark.mark);
    for (const checker of this.#atMark) checker.mark?.(mark, event);
    return event === null ? 0 : this.happen(event);
  }

  /**
   * Let something happen to the device, of which nothing is recorded.
   *
   * @param event - what
   * @returns as {@link CheckedRun.mark}
   */
  happen(event: TraceEvent): number {
    let result: number;
    try {
      result = this.#device.happen(event);
    } catch (error) {
      this.#threw(null, error);
      return 0;
    }
    for (const checker of this.#checkers) checker.afterEvent?.(event, result);
    return result;
  }

  /** Behind the last record. */
  end(): void {
    for (const checker of this.#checkers) checker.end?.();
  }

  /** Close all files, and see what is left. */
  close(): void {
    this.#device.close();
    for (const checker of this.#checkers) checker.closed?.();
  }
}

function bufferOf({ field, addr, data }: TraceArray): CallBuffer {
  return { field, addr, bytes: data };
}
