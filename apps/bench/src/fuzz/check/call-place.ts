/**
 * Memory of a process, which all calls use in turn: what a call brings lies in it piece by piece, with guards around each.
 *
 * @module
 */

import type { Call } from "@vmbind/trace";

const GUARD = 0xa5;
/** Enough for most calls. */
const FIRST_BYTES = 0x2000;

/** A place for one call after the other. */
export class CallPlace {
  readonly #guardBytes: number;
  #bytes = new Uint8Array(FIRST_BYTES);
  /** Where the guards are: one before each piece of memory, and one behind the last. */
  readonly #guards: number[] = [];
  #guardCount = 0;

  /** @param guardBytes - of each guard; 0 for none */
  constructor(guardBytes: number) {
    this.#guardBytes = guardBytes;
  }

  /**
   * Put a copy of a call there. The call before is gone then.
   *
   * @param call - not changed
   * @returns the copy
   */
  put({ file, request, arg, buffers }: Call): Call {
    let bytes = arg.length + 2 * this.#guardBytes;
    for (const buffer of buffers) bytes += buffer.bytes.length + this.#guardBytes;
    if (bytes > this.#bytes.length) this.#bytes = new Uint8Array(2 * bytes);
    this.#guardCount = 0;
    this.#guard(0);
    const copy: Call = { file, request, arg: this.#piece(arg), buffers: [] };
    for (const { field, addr, bytes } of buffers)
      copy.buffers.push({ field, addr, bytes: this.#piece(bytes) });
    return copy;
  }

  #guard(at: number): void {
    const end = at + this.#guardBytes;
    for (let i = at; i < end; i++) this.#bytes[i] = GUARD;
    this.#guards[this.#guardCount++] = at;
  }

  /** A copy behind the last guard, and a guard behind it. */
  #piece(bytes: Uint8Array): Uint8Array {
    const start = (this.#guards[this.#guardCount - 1] as number) + this.#guardBytes;
    const end = start + bytes.length;
    this.#bytes.set(bytes, start);
    this.#guard(end);
    return this.#bytes.subarray(start, end);
  }

  /** @returns which guard was written to: 0 and 1 are those around the argument; -1 for none */
  damaged(): number {
    for (let i = 0; i < this.#guardCount; i++) {
      const at = this.#guards[i] as number;
      for (let j = at; j < at + this.#guardBytes; j++) if (this.#bytes[j] !== GUARD) return i;
    }
    return -1;
  }
}
