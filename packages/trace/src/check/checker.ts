/**
 * Checkers: each looks at one thing while ioctls run on a model, and reports what must not be. Replay, the fuzzer and whoever else
 * runs a model are a loop around the same ones.
 *
 * @module
 */

import type { TraceEvent } from "../event.ts";
import type { Action } from "../lens.ts";
import type { TraceIoctl, TraceMark } from "../record.ts";

/** Memory of the calling process. */
export interface CallBuffer {
  /** Member that points to it, as traces name it. */
  field: string;
  /** User address in bytes, below 2^53. */
  addr: number;
  /** What is there. */
  bytes: Uint8Array;
}

/** An ioctl that is to be issued. */
export interface Call {
  /** Which open file of the device: 0 is the first. */
  file: number;
  /** 32-bit request number. */
  request: number;
  /** Argument struct; the model changes it in place. */
  arg: Uint8Array;
  /** What its pointers may point to. */
  buffers: CallBuffer[];
}

/** An ioctl on its way through a model. */
export interface CheckedCall extends Call {
  /** What is recorded of it; null where nothing is. */
  readonly recorded: TraceIoctl | null;
  /** What it means, as far as it was decoded. */
  readonly action: Action;
  /** What the model returned: 0 or a negative errno; 0 before the call. */
  ret: number;
  /** Why the model refused it; null when it did not. */
  reason: string | null;
}

/**
 * Takes what a checker found.
 *
 * @param rule - which rule is broken, a word
 * @param expected - what should be
 * @param got - what is
 * @param reason - why the model refused the call, where that explains it
 */
export type Report = (rule: string, expected: string, got: string, reason?: string | null) => void;

/** Looks at one thing. Every method may be left out. */
export interface Checker {
  /**
   * Before a call is issued. A checker may put other memory with the same bytes in place of the argument and the buffers.
   *
   * @param call - the call
   */
  beforeCall?(call: CheckedCall): void;
  /**
   * An exception came out of the model; without a checker that takes it, it goes on to the caller.
   *
   * @param call - the call; null when something else happened to the device
   * @param error - what was thrown
   */
  threw?(call: CheckedCall | null, error: unknown): void;
  /**
   * After a call.
   *
   * @param call - the call as it came back
   */
  afterCall?(call: CheckedCall): void;
  /**
   * At a mark of the client.
   *
   * @param mark - the mark
   * @param event - what it says that happens behind it, null for nothing
   */
  mark?(mark: TraceMark, event: TraceEvent | null): void;
  /**
   * After something happened to the device without an ioctl.
   *
   * @param event - what
   * @param result - 0, a handle, or a negative errno, as {@link OpenDevice.happen} gives it
   */
  afterEvent?(event: TraceEvent, result: number): void;
  /** Behind the last call, with everything still open. */
  end?(): void;
  /** With all files closed. */
  closed?(): void;
}
