/**
 * The calls of a session, for the case that something is found: a log of bytes that is written over by the next session. Calls that were
 * kept as objects would outlive the young generation one and all, and hardly any session finds anything.
 *
 * @module
 */

import type { Call } from "@vmbind/trace";

/** Enough for most sessions. */
const FIRST_BYTES = 0x2_0000;

/** Calls in their order. */
export class IssuedCalls {
  #count = 0;
  #bytes = new Uint8Array(FIRST_BYTES);
  #used = 0;
  /** For each call: file, request, bytes of the argument, buffers; then of each buffer its address and bytes. */
  readonly #numbers: number[] = [];
  #numbered = 0;
  /** What the buffers are called. */
  readonly #fields: string[] = [];
  #named = 0;

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
  }

  /** @param call - copied */
  add({ file, request, arg, buffers }: Call): void {
    this.#count++;
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

  /** @returns copies of the calls */
  calls(): Call[] {
    let number = 0;
    let name = 0;
    let from = 0;
    const next = (): number => this.#numbers[number++] as number;
    const bytes = (length: number): Uint8Array => {
      from += length;
      return this.#bytes.slice(from - length, from);
    };
    return Array.from({ length: this.#count }, () => {
      const [file, request, length, buffers] = [next(), next(), next(), next()];
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
