/**
 * The standard streams, written when a write is asked for: an error is thrown there, and memory holds nothing that waits for a
 * reader.
 *
 * @module
 */

import { writeSync } from "node:fs";
import { codeOf, OutputError, ReaderGone } from "../errors.ts";

/** How long to wait for a reader that is slower than we are, in milliseconds. */
const WAIT_MS = 2;

/** Characters that are written together: a line at a time would be a system call each. */
const TOGETHER = 2 ** 16;

/** Text on its way to a stream. */
export class TextStream {
  readonly #fd: 1 | 2;
  readonly #together: number;
  #held: string[] = [];
  #length = 0;

  /**
   * @param fd - 1 or 2
   * @param atOnce - whether somebody watches: nothing is held back
   */
  constructor(fd: 1 | 2, atOnce: boolean) {
    this.#fd = fd;
    this.#together = atOnce ? 1 : TOGETHER;
  }

  /**
   * @param text - to be written, now or with more that follows
   * @throws as {@link writeAll}
   */
  write(text: string): void {
    this.#held.push(text);
    this.#length += text.length;
    if (this.#length >= this.#together) this.flush();
  }

  /**
   * Write what is held.
   *
   * @throws as {@link writeAll}; it is forgotten then
   */
  flush(): void {
    const text = this.#held.join("");
    this.#held = [];
    this.#length = 0;
    writeAll(this.#fd, text);
  }
}

const waiting = new Int32Array(new SharedArrayBuffer(4));

/**
 * Write all of a text.
 *
 * @param fd - 1 or 2
 * @param text - the text
 * @throws {@link ReaderGone} when the other end of a pipe is closed
 * @throws {@link OutputError} when it cannot be written: the disk is full, the device failed
 */
export function writeAll(fd: 1 | 2, text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      const code = codeOf(error);
      // Somebody else has made the stream non-blocking, and it is full.
      if (code === "EAGAIN") Atomics.wait(waiting, 0, 0, WAIT_MS);
      else if (code === "EPIPE") throw new ReaderGone("nobody reads standard output");
      else if (code !== "EINTR")
        throw new OutputError(fd === 1 ? "standard output" : "standard error", error);
    }
  }
}
