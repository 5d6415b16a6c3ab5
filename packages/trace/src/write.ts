/**
 * Writing the format that `read.ts` reads.
 *
 * There is one way to write a record: members in the order of the recordings, hex in lower case, nothing between the tokens, a
 * line feed behind each line, and no `file` for the first open file. A trace that was written like this comes back byte by
 * byte when it is read and written again.
 *
 * @module
 */

import { hex } from "@vmbind/drm";
import { hexOf } from "./hex-bytes.ts";
import type { TraceHeader, TraceIoctl, TraceLanding, TraceMark, TraceRecord } from "./record.ts";
import { type NewDigest, Seal } from "./seal.ts";

/** A record without its place in a file. */
export type NewRecord = Omit<TraceIoctl, "line"> | Omit<TraceMark, "line">;

/**
 * @param line - the header, or a record
 * @returns its line, with the line feed
 */
export function traceLine(line: TraceHeader | NewRecord): string {
  return `${JSON.stringify(isHeader(line) ? line : line.kind === "mark" ? markOf(line) : ioctlOf(line))}\n`;
}

/**
 * Write a trace.
 *
 * @param header - first line; `sealed` in it is set as the trace ends
 * @param records - in order; an ioctl's `seq` must be the number of ioctls before it
 * @param digest - begins the digest of the end line; without it the trace has none
 * @returns its lines, one by one
 */
export async function* writeTrace(
  header: TraceHeader,
  records: AsyncIterable<TraceRecord> | Iterable<NewRecord>,
  digest?: NewDigest,
): AsyncGenerator<string> {
  const { sealed: _, ...facts } = header;
  if (digest === undefined) {
    yield traceLine(facts as TraceHeader);
    for await (const record of records) yield traceLine(record);
    return;
  }
  const seal = new Seal(digest());
  yield seal.add(traceLine({ ...header, sealed: true }));
  for await (const record of records) yield seal.add(traceLine(record));
  yield seal.end();
}

function isHeader(line: TraceHeader | NewRecord): line is TraceHeader {
  return "format" in line;
}

function ioctlOf({
  seq,
  file,
  ioctl,
  request,
  argIn,
  arrays,
  ret,
  argOut,
}: Omit<TraceIoctl, "line">): object {
  return {
    seq,
    ...(file === 0 ? {} : { file }),
    ioctl,
    request: hex(request),
    arg_in: hexOf(argIn),
    ptrs: arrays.map(({ field, addr, count, stride, data }) => ({
      field,
      addr: hex(addr),
      count,
      stride,
      data: hexOf(data),
    })),
    ret,
    arg_out: hexOf(argOut),
  };
}

function markOf({ mark, exec }: Omit<TraceMark, "line">): object {
  if (exec === null) return { mark };
  const stores = exec.stores.map(({ value, ...landing }) => {
    const { va, ...place } = landingOf(landing);
    return { va, value: hex(value), ...place };
  });
  return { mark, vm: exec.vm, batch: landingOf(exec.batch), stores };
}

function landingOf({ va, to, gemSeq, offset }: TraceLanding): {
  va: string;
  to: string;
  gem_seq?: number;
  offset?: string;
} {
  const where = { va: hex(va), to };
  return to === "bo" ? { ...where, gem_seq: gemSeq, offset: hex(offset) } : where;
}
