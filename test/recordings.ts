/** The recordings that come with the command, read as any user of the trace format reads them. */

import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import {
  gunzip,
  hexOf,
  readTrace,
  type Trace,
  type TraceCounts,
  type TraceIoctl,
  type TraceRecord,
} from "../packages/trace/src/index.ts";

/** Where they are. */
export const RECORDINGS: URL = new URL("../apps/bench/traces/", import.meta.url);

/** Names of all recordings, sorted. A name begins with its driver's. */
export const names: readonly string[] = readdirSync(RECORDINGS)
  .filter((name) => name.endsWith(".jsonl.gz"))
  .map((name) => name.slice(0, -".jsonl.gz".length))
  .sort();

/** What the tables say that came with the recordings, by name. They were counted by other means. */
export const README_COUNTS: Readonly<Record<string, Partial<TraceCounts>>> = JSON.parse(
  readFileSync(new URL("readme-counts.json", RECORDINGS), "utf8"),
);

function stored(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(new URL(`${name}.jsonl.gz`, RECORDINGS)));
}

/** A recording's text. */
export function textOf(name: string): string {
  return gunzipSync(stored(name)).toString();
}

/** Open a recording. */
export function open(name: string): Promise<Trace> {
  return readTrace(name, () => gunzip(stored(name)));
}

/** Everything behind the header of a recording. */
export async function recordsOf(name: string): Promise<TraceRecord[]> {
  const records: TraceRecord[] = [];
  for await (const record of (await open(name)).records) records.push(record);
  return records;
}

/** The ioctls between two marks. */
export function between(records: readonly TraceRecord[], from: string, to: string): TraceIoctl[] {
  const start = records.findIndex((r) => r.kind === "mark" && r.mark === from);
  const end = records.findIndex((r, i) => i > start && r.kind === "mark" && r.mark === to);
  return records.slice(start, end).filter((r) => r.kind === "ioctl");
}

/** Ioctls of one name behind marks that begin so, up to the next mark. */
export function callsBehind(records: readonly TraceRecord[], mark: string, ioctl: string): TraceIoctl[] {
  let inside = false;
  const found: TraceIoctl[] = [];
  for (const record of records) {
    if (record.kind === "mark") inside = record.mark.startsWith(mark);
    else if (inside && record.ioctl === ioctl) found.push(record);
  }
  return found;
}

/** All that a user-mode driver sends with an ioctl, in hex: the argument, then each array behind its address. */
export function sentText(arg: Uint8Array, arrays: readonly { addr: number; bytes: Uint8Array }[]): string[] {
  return [hexOf(arg), ...arrays.map(({ addr, bytes }) => `0x${addr.toString(16)}: ${hexOf(bytes)}`)];
}

/** The same of an ioctl that is recorded. */
export function recordedText({ argIn, arrays }: TraceIoctl): string[] {
  const sent = arrays.map(({ addr, data }) => ({ addr, bytes: data }));
  return sentText(argIn, sent);
}
