import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { type DrmFile, UserMemory } from "@vmbind/drm";
import {
  type AsahiDevice,
  BIND_SINGLE_PAGE,
  BIND_UNBIND,
  BIND_WRITE,
  GEM_BIND_OP,
  type GemBindOp,
} from "../src/index.ts";

export interface TraceIoctl {
  seq: number;
  ioctl: string;
  request: string;
  arg_in: string;
  ptrs: { field: string; addr: string; count: number; stride: number; data: string }[];
  ret: number;
  arg_out: string;
}

export type TraceLine = { mark: string } | TraceIoctl;

export function readTrace(url: URL): TraceLine[] {
  const lines = gunzipSync(readFileSync(url)).toString("utf8").trimEnd().split("\n");
  return lines.slice(1).map((line) => JSON.parse(line) as TraceLine);
}

function fromHex(digits: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(digits, "hex"));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

export function opsOf(line: TraceIoctl): GemBindOp[] {
  const ops: GemBindOp[] = [];
  for (const { count, stride, data } of line.ptrs) {
    const view = new DataView(fromHex(data).buffer);
    for (let i = 0; i < count; i++) ops.push(GEM_BIND_OP.read(view, i * stride));
  }
  return ops;
}

/** The names of the README's columns. */
function kindOf(op: GemBindOp): string {
  if (op.flags & BIND_UNBIND) return "unbind";
  return `${op.flags & BIND_SINGLE_PAGE ? "single" : "bind"}${op.flags & BIND_WRITE ? "RW" : "R"}`;
}

/** What the tables of the traces' README count. */
export interface ReplayCounts {
  ioctls: number;
  bindIoctls: number;
  creates: number;
  closes: number;
  ops: number;
  opsMax: number;
  byKind: Record<string, number>;
  bytesByKind: Record<string, number>;
  payload: number;
  payloadBind: number;
  peak: number;
  atWorkloadEnd: number;
  removed: number;
  cut: number;
}

/** Issue every ioctl of a trace on one open file; ret and arg_out of each go to `check`. */
export function replay(
  device: AsahiDevice,
  file: DrmFile,
  lines: readonly TraceLine[],
  check: (line: TraceIoctl, ret: number, argOut: string) => void,
): ReplayCounts {
  const { counters } = device;
  const counts: ReplayCounts = {
    ioctls: 0,
    bindIoctls: 0,
    creates: 0,
    closes: 0,
    ops: 0,
    opsMax: 0,
    byKind: {},
    bytesByKind: {},
    payload: 0,
    payloadBind: 0,
    peak: 0,
    atWorkloadEnd: 0,
    removed: 0,
    cut: 0,
  };
  const user = new UserMemory();
  for (const line of lines) {
    if ("mark" in line) {
      if (line.mark === "workload-end") counts.atWorkloadEnd = counters.gpuvasLive;
      continue;
    }
    const arg = fromHex(line.arg_in);
    user.clear();
    for (const { addr, data } of line.ptrs) user.place(Number(addr), fromHex(data));
    const before = { ...counters };
    const ret = file.ioctl(Number(line.request), arg, user);
    check(line, ret, toHex(arg));
    counts.ioctls++;
    if (line.ioctl === "ASAHI_GEM_CREATE") counts.creates++;
    if (line.ioctl === "GEM_CLOSE") counts.closes++;
    if (line.ioctl !== "ASAHI_VM_BIND") continue;
    counts.bindIoctls++;
    counts.payloadBind += counters.payloadBytes - before.payloadBytes;
    counts.removed += counters.unmapSteps - before.unmapSteps;
    counts.cut += counters.remapSteps - before.remapSteps;
    const ops = opsOf(line);
    counts.ops += ops.length;
    counts.opsMax = Math.max(counts.opsMax, ops.length);
    for (const op of ops) {
      const kind = kindOf(op);
      counts.byKind[kind] = (counts.byKind[kind] ?? 0) + 1;
      counts.bytesByKind[kind] = (counts.bytesByKind[kind] ?? 0) + op.range;
    }
  }
  counts.payload = counters.payloadBytes;
  counts.peak = counters.gpuvasPeak;
  return counts;
}
