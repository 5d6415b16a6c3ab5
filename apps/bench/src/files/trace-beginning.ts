/**
 * The beginning of a trace that comes with the program: only as much of it is unpacked and read as somebody wants.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { constants, gunzipSync } from "node:zlib";
import { eachRecord, readTrace, type TraceIoctl } from "@vmbind/trace";
import { bundledFile } from "./trace-files.ts";

const LINE_FEED = 0x0a;
/** Read at one go, in bytes: a few dozen short ioctls. */
const PIECE_BYTES = 2 ** 14;
/** Unpacked at first, in bytes of the file: half of the traces begin with less. */
const PACKED_BYTES = 2 ** 12;

/**
 * @param trace - name of a bundled trace
 * @param count - of ioctls
 * @param take - is given the first of them, with bytes that are there no longer than it runs
 */
export async function firstIoctls(
  trace: string,
  count: number,
  take: (ioctl: TraceIoctl) => void,
): Promise<void> {
  let left = count;
  const path = bundledFile(trace);
  const pieces = beginnings(readFileSync(path));
  const kept: Uint8Array[] = [];
  async function* source(): AsyncGenerator<Uint8Array> {
    // The header was read from the first piece before.
    yield* kept;
    for (let piece = pieces.next(); !piece.done && left > 0; piece = pieces.next()) {
      kept.push(piece.value);
      yield piece.value;
    }
  }
  const { records } = await readTrace(path, source);
  await eachRecord(
    records,
    (record) => {
      if (record.kind === "ioctl" && left-- > 0) take(record);
    },
    "passing",
  );
}

/** The text of a gzip in pieces of whole lines, each unpacked when it is asked for. */
function* beginnings(gzip: Buffer): Generator<Uint8Array, void> {
  let from = 0;
  for (let packed = PACKED_BYTES; ; packed *= 4) {
    const whole = packed >= gzip.length;
    const text = gunzipSync(gzip.subarray(0, packed), { finishFlush: constants.Z_SYNC_FLUSH });
    const end = whole ? text.length : text.lastIndexOf(LINE_FEED) + 1;
    while (from < end) {
      const last = text.indexOf(LINE_FEED, from + PIECE_BYTES);
      const to = last < 0 ? end : last + 1;
      yield text.subarray(from, to);
      from = to;
    }
    if (whole) return;
  }
}
