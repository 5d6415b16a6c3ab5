/**
 * Recordings of programs that were built with another header: the DRM core goes by an ioctl's number alone, reads zero behind
 * the end of a shorter struct and leaves alone what a longer one has more. So such a trace says the same, to the model and to its reader.
 */

import { lens as amdgpu } from "@vmbind/amdgpu/trace";
import { lens as asahi } from "@vmbind/asahi/trace";
import { lens as msm } from "@vmbind/msm/trace";
import { lens as nouveau } from "@vmbind/nouveau/trace";
import { lens as panthor } from "@vmbind/panthor/trace";
import {
  type Action,
  type Lens,
  replay,
  type Trace,
  TraceDecoder,
  type TraceIoctl,
  type TraceRecord,
} from "@vmbind/trace";
import { lens as xe } from "@vmbind/xe/trace";
import { describe, expect, test } from "vitest";
import { open, recordsOf } from "../../../test/recordings.ts";

const RECORDINGS: Readonly<Record<string, Lens>> = {
  "amdgpu-gfx9-buffer-100e6": amdgpu,
  "asahi-buffer-100e6": asahi,
  "msm-buffer-100e6": msm,
  "nouveau-buffer-100e6": nouveau,
  "panthor-sparse-buffer-100e6": panthor,
  "xe-buffer-100e6": xe,
};

/** The same call with a struct of so many bytes, and the direction of a request that goes both ways. */
function sized(call: TraceIoctl, bytes: number): TraceIoctl {
  const [argIn, argOut] = [new Uint8Array(bytes), new Uint8Array(bytes)];
  argIn.set(call.argIn.subarray(0, bytes));
  argOut.set(call.argOut.subarray(0, bytes));
  // What a driver returns in a struct that is only read is not copied out.
  return { ...call, argIn, argOut, request: ((call.request & 0xffff) | (bytes << 16) | (3 << 30)) >>> 0 };
}

/** Bytes up to the last one that is not zero, coming or going; at least a word. */
function used({ argIn, argOut }: TraceIoctl): number {
  const last = Math.max(...[argIn, argOut].map((bytes) => bytes.findLastIndex((byte) => byte !== 0)));
  return Math.max(4, Math.ceil((last + 1) / 4) * 4);
}

const HEADERS: Readonly<Record<string, (call: TraceIoctl) => TraceIoctl>> = {
  "a newer header": (call) => sized(call, call.argIn.length + 24),
  "an older header": (call) => sized(call, used(call)),
};

async function* oneByOne(records: readonly TraceRecord[]): AsyncGenerator<TraceRecord> {
  yield* records;
}

function actionsOf(lens: Lens, { header }: Trace, records: readonly TraceRecord[]): (Action | null)[] {
  const decoder = new TraceDecoder(lens, header);
  return records.map((record) => (record.kind === "ioctl" ? decoder.decode(record) : null));
}

describe.each(Object.keys(RECORDINGS))("%s", (name) => {
  const lens = RECORDINGS[name] as Lens;

  test.each(Object.keys(HEADERS))("of %s", async (which) => {
    const change = HEADERS[which] as (call: TraceIoctl) => TraceIoctl;
    const trace = await open(name);
    const records = await recordsOf(name);
    const changed = records.map((record) => (record.kind === "ioctl" ? change(record) : record));
    expect(actionsOf(lens, trace, changed)).toEqual(actionsOf(lens, trace, records));
    const { differences } = await replay({ ...trace, records: oneByOne(changed) }, lens);
    expect(differences).toEqual([]);
  });
});
