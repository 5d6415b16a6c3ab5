/**
 * The bytes of a file, uncompressed.
 *
 * @module
 */

import { existsSync, readFileSync, statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { pipeline, Readable } from "node:stream";
import { createGunzip, gunzipSync } from "node:zlib";
import { UnreadableError } from "@vmbind/trace";
import { AT_ONCE_MAX, isGzip, saidLength } from "./short-files.ts";
import { STANDARD_INPUT, standardInput } from "./standard-input.ts";

/** zlib takes no less. */
const ROOM_MIN = 64;

/**
 * A file whose beginning is read before the rest: the header, then everything from the start again. It is read and unpacked once,
 * unless it is large.
 *
 * @param path - of the file, `-` for standard input
 * @returns gives its bytes, uncompressed, each time that it is asked; they throw as {@link fileBytes} does
 */
export function fileSource(path: string): () => AsyncGenerator<Uint8Array> {
  let front: Uint8Array | null = null;
  return async function* source() {
    // Kept from the first time to the second one, so that nobody holds the bytes of a file whose reader is further on.
    const kept = front;
    front = kept === null ? readAtOnce(path) : null;
    const whole = kept ?? front;
    if (whole === null) yield* fileBytes(path);
    else yield whole;
  };
}

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
  const whole = readAtOnce(path);
  if (whole !== null) return yield whole;
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

/** The file that was asked about last, until it is read. */
let asked: { readonly path: string; readonly bytes: Uint8Array } | null = null;

/**
 * Whether a file is read at one go. It is then read already; what is no file is not long.
 *
 * @param path - of the file, `-` for standard input
 */
export function isShort(path: string): boolean {
  const bytes = readAtOnce(path);
  asked = bytes && { path, bytes };
  return bytes !== null || (path !== STANDARD_INPUT && !existsSync(path));
}

/**
 * A file that is small, whole and in order: a stream hands each piece through threads, which costs more than to unpack it.
 *
 * @returns null for any other file: read as a stream it says what is wrong with it, behind what can be read of it
 */
function readAtOnce(path: string): Uint8Array | null {
  if (asked?.path === path) {
    const { bytes } = asked;
    asked = null;
    return bytes;
  }
  try {
    const stat = path === STANDARD_INPUT ? null : statSync(path);
    if (!stat?.isFile() || stat.size === 0 || stat.size > AT_ONCE_MAX) return null;
    const raw = readFileSync(path);
    return isGzip(raw) ? gunzipSync(raw, { maxOutputLength: AT_ONCE_MAX, chunkSize: roomFor(raw) }) : raw;
  } catch {
    return null;
  }
}

/** As much as a gzip says that its last part unpacks to, so that all of it comes in one piece. That it is so much nobody relies on. */
function roomFor(gzip: Uint8Array): number {
  return Math.min(Math.max(saidLength(gzip) + 1, ROOM_MIN), AT_ONCE_MAX);
}

async function* unpacked(magic: Uint8Array, raw: Readable): AsyncGenerator<Uint8Array> {
  if (!isGzip(magic)) {
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
