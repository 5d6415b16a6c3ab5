/**
 * Files that hold one JSON value.
 *
 * @module
 */

import { InputError, parseJson, UnreadableError } from "@vmbind/trace";
import { fileBytes } from "./file-bytes.ts";

/** Largest file that is read, bytes. */
const FILE_BYTES_MAX = 2 ** 26;

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/**
 * @param path - of the file, plain or gzip
 * @returns what is in it
 * @throws {@link InputError} naming the file, the line and the rule
 */
export async function readJsonFile(path: string): Promise<unknown> {
  const bytes = await readBytes(path);
  const marked = BYTE_ORDER_MARK.every((byte, i) => bytes[i] === byte);
  return parseJson(path, 0, marked ? bytes.subarray(BYTE_ORDER_MARK.length) : bytes);
}

/** Reads no more than the limit, whatever the file is: a size can lie, as those of devices do. */
async function readBytes(path: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of fileBytes(path)) {
      length += chunk.length;
      if (length > FILE_BYTES_MAX) throw new InputError(path, 0, `larger than ${FILE_BYTES_MAX} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof UnreadableError ? new InputError(path, 0, error.message) : error;
  }
  return Buffer.concat(chunks);
}
