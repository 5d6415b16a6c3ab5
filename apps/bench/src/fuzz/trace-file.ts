/**
 * Writing a reproducer as a trace: what `replay --check` and `explain` read.
 *
 * @module
 */

import { type Call, type NewRecord, type TraceHeader, traceLine } from "@vmbind/trace";
import { Examiner } from "./examiner.ts";
import { freshDevice, type SessionFinding, type Target } from "./session.ts";
import { specByNumber } from "./spec.ts";

/**
 * The text of a trace that shows a finding.
 *
 * @param target - what was fuzzed
 * @param header - the device
 * @param found - the finding
 * @returns JSON Lines
 */
export function traceOf(target: Target, header: TraceHeader, found: SessionFinding): string {
  const examiner = new Examiner(target.fuzz, () => freshDevice(target, header), { every: 1 });
  const { kind, text } = found.finding;
  const records = found.calls.map((call, seq) => {
    const { ret, argOut } = examiner.issue(call);
    return traceLine(record(target, call, seq, ret, argOut));
  });
  return traceLine({ ...header, workload_doc: `${kind}: ${text}` }) + records.join("");
}

function record({ fuzz }: Target, call: Call, seq: number, ret: number, argOut: Uint8Array): NewRecord {
  const { file, request, arg, buffers } = call;
  const spec = specByNumber(fuzz.specs, request);
  const arrays = buffers.map(({ field, addr, bytes: data }) => {
    const elementBytes = spec?.arrays.find((a) => a.field === field)?.elementBytes ?? 1;
    const stride = data.length % elementBytes === 0 ? elementBytes : 1;
    return { field, addr, count: data.length / stride, stride, data };
  });
  const ioctl = spec?.name ?? "UNKNOWN";
  return { kind: "ioctl", seq, file, ioctl, request, argIn: arg, argOut, arrays, ret };
}
