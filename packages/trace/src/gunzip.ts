/**
 * Compressed traces, where there is no zlib: with the streams that browsers and Node have in common.
 *
 * @module
 */

import { UnreadableError } from "./jsonl.ts";

/**
 * The bytes of a text that may be compressed; the content decides, not a name.
 *
 * @param bytes - as they are stored, plain or gzip, for example a fetched or dropped file
 * @returns the text's bytes in pieces
 * @throws UnreadableError for what begins as gzip and is not intact
 */
export async function* gunzip(bytes: Uint8Array<ArrayBuffer>): AsyncGenerator<Uint8Array> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) {
    yield bytes;
    return;
  }
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw new UnreadableError(`gzip: ${error instanceof Error ? error.message : String(error)}`, false);
  } finally {
    reader.cancel().catch(() => {});
  }
}
