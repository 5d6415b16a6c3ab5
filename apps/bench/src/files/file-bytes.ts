/**
 * The bytes of a file, uncompressed.
 *
 * @module
 */

import { type FileHandle, open } from "node:fs/promises";
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { UnreadableError } from "@vmbind/trace";
import { STANDARD_INPUT, standardInput } from "./standard-input.ts";

/**
 * Read a file, plain or gzip; the content decides, not the name.
 *
 * @param path - of the file, `-` for standard input
 * @throws UnreadableError for a file that cannot be read or is no intact gzip
 */
export async function* fileBytes(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks(path);
  } catch (error) {
    throw asUnreadable(error);
  }
}

async function* chunks(path: string): AsyncGenerator<Uint8Array> {
  if (path === STANDARD_INPUT) {
    return yield* unpacked(standardInput.front(2), Readable.from(standardInput.bytes()));
  }
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    const magic = new Uint8Array(2);
    await file.read(magic, 0, 2, 0);
    yield* unpacked(magic, file.createReadStream({ start: 0, autoClose: false }));
  } finally {
    await file?.close();
  }
}

async function* unpacked(magic: Uint8Array, raw: Readable): AsyncGenerator<Uint8Array> {
  if (magic[0] !== 0x1f || magic[1] !== 0x8b) {
    yield* raw;
  } else {
    // The iteration below sees the error of either stream; the callback only keeps it from being unhandled.
    yield* pipeline(raw, createGunzip(), () => {});
  }
}

/** What the system says of a file that it does not read, in words; its own message repeats the path, whatever that is. */
const READING: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "no such file"],
  ["EISDIR", "it is a folder"],
  ["ENOTDIR", "a part of the path is no folder"],
  ["EACCES", "not permitted"],
  ["EIO", "the device failed"],
  ["ENAMETOOLONG", "the name is too long"],
  ["ELOOP", "too many symbolic links"],
]);

function asUnreadable(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === undefined) return error;
  if (code.startsWith("Z_")) return new UnreadableError(`gzip: ${error.message}`, false);
  return new UnreadableError(`cannot be read: ${[code, READING.get(code)].filter(Boolean).join(", ")}`, true);
}
