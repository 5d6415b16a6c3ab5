import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

interface TraceLine {
  mark?: string;
  seq: number;
  ioctl: string;
  request: string;
  arg_in: string;
  ptrs: { field: string; addr: string; count: number; stride: number; data: string }[];
  ret: number;
  arg_out: string;
}

export interface TraceFile {
  header: { driver_version: string; va_bits: number; pa_bits: number; gpu_id: string };
  lines: TraceLine[];
}

export function loadTrace(name: string): TraceFile {
  const raw = readFileSync(new URL(`traces/${name}.jsonl.gz`, import.meta.url));
  const [header, ...lines] = gunzipSync(raw)
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  return { header, lines };
}

export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
