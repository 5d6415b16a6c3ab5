/**
 * JSON Lines, plain or gzip, one line at a time.
 *
 * A file is never held whole: memory is bounded by one line, and both a line and the uncompressed file have a limit,
 * so that a gzip bomb ends as an error message. Whatever is wrong with the bytes becomes an {@link InputError}.
 *
 * @module
 */

import { type FileHandle, open } from "node:fs/promises";
import { pipeline } from "node:stream";
import { TextDecoder } from "node:util";
import { createGunzip } from "node:zlib";
import { InputError } from "./errors.ts";

/** Longest line that is accepted, in bytes. The longest line of the recorded traces has one megabyte. */
const MAX_LINE_BYTES: number = 64 * 2 ** 20;
/** Largest uncompressed file that is accepted, in bytes. */
const MAX_FILE_BYTES: number = 2 ** 30;

/** One line, parsed. */
export interface JsonLine {
  /** Line number from 1. */
  line: number;
  /** The object on it. */
  value: Record<string, unknown>;
}

/** Limits, smaller in tests. */
export interface JsonlLimits {
  /** Longest line in bytes. */
  lineBytes?: number;
  /** Largest uncompressed file in bytes. */
  fileBytes?: number;
}

/**
 * Read the objects of a file in order.
 *
 * @param path - a .jsonl or .jsonl.gz file; the content decides, not the name
 * @param limits - limits other than {@link MAX_LINE_BYTES} and {@link MAX_FILE_BYTES}
 * @throws {@link InputError} for a file that cannot be read, is no intact gzip or UTF-8, or has a line that is not a
 * JSON object
 */
export async function* readJsonLines(path: string, limits: JsonlLimits = {}): AsyncGenerator<JsonLine> {
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  let line = 0;
  for await (const bytes of splitLines(path, limits)) {
    line++;
    yield { line, value: parseObject(path, line, bytes, utf8) };
  }
  if (line === 0) throw new InputError(path, 1, "header: the file is empty");
}

function parseObject(
  path: string,
  line: number,
  bytes: Uint8Array,
  utf8: TextDecoder,
): Record<string, unknown> {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new InputError(path, line, "not valid UTF-8");
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InputError(path, line, `not JSON: ${firstLine((error as Error).message)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InputError(path, line, "not a JSON object");
  }
  return value as Record<string, unknown>;
}

async function* splitLines(path: string, limits: JsonlLimits): AsyncGenerator<Uint8Array> {
  const lineLimit = limits.lineBytes ?? MAX_LINE_BYTES;
  const fileLimit = limits.fileBytes ?? MAX_FILE_BYTES;
  let line = 1;
  let total = 0;
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  try {
    for await (const chunk of byteChunks(path)) {
      total += chunk.length;
      if (total > fileLimit) throw new InputError(path, line, `more than ${fileLimit} bytes uncompressed`);
      let from = 0;
      for (let end = chunk.indexOf(10, from); end >= 0; end = chunk.indexOf(10, from)) {
        held.push(chunk.subarray(from, end));
        yield held.length === 1 ? (held[0] as Uint8Array) : Buffer.concat(held);
        held = [];
        heldBytes = 0;
        from = end + 1;
        line++;
      }
      if (from < chunk.length) {
        held.push(chunk.subarray(from));
        heldBytes += chunk.length - from;
        if (heldBytes > lineLimit) throw new InputError(path, line, `longer than ${lineLimit} bytes`);
      }
    }
  } catch (error) {
    throw asInputError(error, path, line);
  }
  if (heldBytes > 0) yield Buffer.concat(held);
}

async function* byteChunks(path: string): AsyncGenerator<Buffer> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    const magic = new Uint8Array(2);
    await file.read(magic, 0, 2, 0);
    const raw = file.createReadStream({ start: 0, autoClose: false });
    if (magic[0] !== 0x1f || magic[1] !== 0x8b) {
      yield* raw;
    } else {
      // The iteration below sees the error of either stream; the callback only keeps it from being unhandled.
      yield* pipeline(raw, createGunzip(), () => {});
    }
  } finally {
    await file?.close();
  }
}

function asInputError(error: unknown, path: string, line: number): unknown {
  if (!(error instanceof Error) || error instanceof InputError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === undefined) return error;
  if (code.startsWith("Z_")) return new InputError(path, line, `gzip: ${error.message}`);
  return new InputError(path, 0, `cannot be read: ${error.message.replace(/, \w+( '.*')?$/, "")}`);
}

function firstLine(text: string): string {
  const end = text.indexOf("\n");
  const line = end < 0 ? text : text.slice(0, end);
  return line.length > 120 ? `${line.slice(0, 117)}...` : line;
}
