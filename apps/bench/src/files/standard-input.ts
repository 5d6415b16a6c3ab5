/**
 * Standard input as a file, for operands that are `-`.
 *
 * Readers begin at the beginning more than once (the header first, then all of it), and a pipe has no beginning. So what was
 * read is kept in a temporary file without a name, and no more is read than somebody asks for.
 *
 * @module
 */

import { mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { codeOf, OutputError } from "../errors.ts";

/** How the operand is written. */
export const STANDARD_INPUT = "-";

const CHUNK = 2 ** 16;
/** How long to wait for a writer that is slower than we are, milliseconds. */
const WAIT_MS = 2;

/** What can be read once, readable as often as wanted. */
export class ReadAgain {
  readonly #fd: number;
  readonly #pause = new Int32Array(new SharedArrayBuffer(4));
  #kept: number | null = null;
  #length = 0;
  #ended = false;

  /** @param fd - to read from; nobody else may */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** All bytes from the beginning. */
  *bytes(): Generator<Uint8Array> {
    for (let at = 0; at < this.#length || this.#pull(); ) {
      const chunk = new Uint8Array(Math.min(CHUNK, this.#length - at));
      at += readSync(this.#kept as number, chunk, 0, chunk.length, at);
      yield chunk;
    }
  }

  /**
   * @param count - bytes
   * @returns the first bytes, fewer when there are no more
   */
  front(count: number): Uint8Array {
    while (this.#length < count && this.#pull());
    const front = new Uint8Array(Math.min(count, this.#length));
    if (this.#kept !== null) readSync(this.#kept, front, 0, front.length, 0);
    return front;
  }

  /** Read on; false at the end. */
  #pull(): boolean {
    if (this.#ended) return false;
    const chunk = new Uint8Array(CHUNK);
    const read = this.#read(chunk);
    if (read === 0) this.#ended = true;
    else this.#keep(chunk.subarray(0, read));
    return read > 0;
  }

  #read(chunk: Uint8Array): number {
    for (;;) {
      try {
        return readSync(this.#fd, chunk, 0, chunk.length, null);
      } catch (error) {
        const code = codeOf(error);
        // What Windows says when the writer is done.
        if (code === "EOF") return 0;
        // Somebody has made the stream non-blocking, and there is nothing yet.
        if (code === "EAGAIN") Atomics.wait(this.#pause, 0, 0, WAIT_MS);
        else if (code !== "EINTR") throw error;
      }
    }
  }

  #keep(chunk: Uint8Array): void {
    try {
      this.#kept ??= nameless();
      for (let done = 0; done < chunk.length; ) {
        done += writeSync(this.#kept, chunk, done, chunk.length - done, this.#length + done);
      }
    } catch (error) {
      throw new OutputError(`standard input, kept in ${tmpdir()}`, error);
    }
    this.#length += chunk.length;
  }
}

/** A file that goes when the process does, however it ends. */
function nameless(): number {
  const folder = mkdtempSync(join(tmpdir(), "vmbind-"));
  try {
    return openSync(join(folder, "stdin"), "wx+", 0o600);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The process has one. */
export const standardInput: ReadAgain = new ReadAgain(0);
