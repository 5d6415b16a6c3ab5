/**
 * The standard streams, written at once: an error is thrown where the text is written, and memory holds nothing that waits.
 *
 * @module
 */

import { writeSync } from "node:fs";
import { codeOf, OutputError, ReaderGone } from "../errors.ts";

/** How long to wait for a reader that is slower than we are, in milliseconds. */
const WAIT_MS = 2;

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
