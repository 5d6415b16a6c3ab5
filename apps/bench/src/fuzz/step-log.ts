/**
 * The steps of a session, for the case that something is found: a log of bytes that is written over by the next session. Calls that were
 * kept as objects would outlive the young generation one and all, and hardly any session finds anything.
 *
 * @module
 */

import type { Call, TraceEvent } from "@vmbind/trace";
import { isEvent, type Step } from "./call.ts";

/** Enough for most sessions. */
const FIRST_BYTES = 0x2_0000;
/** Stands in place of a file's number: the step is an event. */
const EVENT = -1;

/** Steps in their order. */
export class StepLog {
  #count = 0;
  #bytes = new Uint8Array(FIRST_BYTES);
  #used = 0;
  /** For each call: file, request, bytes of the argument, buffers; then of each buffer its address and bytes. {@link EVENT} for an event. */
  readonly #numbers: number[] = [];
  #numbered = 0;
  /** What the buffers are called. */
  readonly #fields: string[] = [];
  #named = 0;
  /** Few of the steps. */
  #events: TraceEvent[] = [];

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** Forget all of them. */
  clear(): void {
    this.#count = 0;
    this.#used = 0;
    this.#numbered = 0;
    this.#named = 0;
    this.#events = [];
  }

  /** @param step - a call is copied, an event is kept */
  add(step: Step): void {
    this.#count++;
    if (isEvent(step)) {
      this.#number(EVENT);
      this.#events.push(step);
    } else this.#call(step);
  }

  #call({ file, request, arg, buffers }: Call): void {
    this.#number(file);
    this.#number(request);
    this.#number(arg.length);
    this.#number(buffers.length);
    this.#keep(arg);
    for (const { field, addr, bytes } of buffers) {
      this.#fields[this.#named++] = field;
      this.#number(addr);
      this.#number(bytes.length);
      this.#keep(bytes);
    }
  }

  /** @returns the steps, with copies of the calls */
  steps(): Step[] {
    let number = 0;
    let name = 0;
    let from = 0;
    const events = this.#events.values();
    const next = (): number => this.#numbers[number++] as number;
    const bytes = (length: number): Uint8Array => {
      from += length;
      return this.#bytes.slice(from - length, from);
    };
    return Array.from({ length: this.#count }, (): Step => {
      const file = next();
      if (file === EVENT) return events.next().value as TraceEvent;
      const [request, length, buffers] = [next(), next(), next()];
      const arg = bytes(length);
      return {
        file,
        request,
        arg,
        buffers: Array.from({ length: buffers }, () => {
          return { field: this.#fields[name++] as string, addr: next(), bytes: bytes(next()) };
        }),
      };
    });
  }

  #number(value: number): void {
    this.#numbers[this.#numbered++] = value;
  }

  #keep(bytes: Uint8Array): void {
    const end = this.#used + bytes.length;
    if (end > this.#bytes.length) {
      const more = new Uint8Array(2 * end);
      more.set(this.#bytes.subarray(0, this.#used));
      this.#bytes = more;
    }
    this.#bytes.set(bytes, this.#used);
    this.#used = end;
  }
}

/** Of the session that runs; its memory serves the next one. */
export const STEPS: StepLog = new StepLog();
