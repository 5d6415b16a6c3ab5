/**
 * Writing a reproducer as a trace: what `replay --check` and `explain` read.
 *
 * @module
 */

import type { Call, TraceHeader } from "@vmbind/trace";
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
  const lines: unknown[] = [{ ...header, workload_doc: `${kind}: ${text}` }];
  found.calls.forEach((call, seq) => {
    const { ret, argOut } = examiner.issue(call);
    lines.push(record(target, call, seq, ret, argOut));
  });
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}

function record({ fuzz }: Target, call: Call, seq: number, ret: number, argOut: Uint8Array): unknown {
  const spec = specByNumber(fuzz.specs, call.request);
  return {
    seq,
    ioctl: spec?.name ?? "UNKNOWN",
    request: `0x${call.request.toString(16)}`,
    ...(call.file === 0 ? {} : { file: call.file }),
    arg_in: hex(call.arg),
    ptrs: call.buffers.map(({ field, addr, bytes }) => {
      const elementBytes = spec?.arrays.find((a) => a.field === field)?.elementBytes ?? 1;
      const whole = bytes.length % elementBytes === 0;
      return {
        field,
        addr: `0x${addr.toString(16)}`,
        count: whole ? bytes.length / elementBytes : bytes.length,
        stride: whole ? elementBytes : 1,
        data: hex(bytes),
      };
    }),
    ret,
    arg_out: hex(argOut),
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
