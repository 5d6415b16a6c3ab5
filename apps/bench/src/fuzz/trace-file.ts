/**
 * Writing a reproducer as a trace: what `replay --check` and `explain` read.
 *
 * @module
 */

import { type Call, eventMark, type NewRecord, Seal, type TraceHeader, traceLine } from "@vmbind/trace";
import { newDigest } from "../files/ends.ts";
import { isEvent } from "./call.ts";
import { Examiner, isSimulation } from "./examiner.ts";
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
  const options = { every: 1, simulated: isSimulation(header) };
  const examiner = new Examiner(target.fuzz, () => freshDevice(target, header), options);
  const { kind, text } = found.finding;
  const seal = new Seal(newDigest());
  const first = seal.add(traceLine({ ...header, workload_doc: `${kind}: ${text}`, sealed: true }));
  let seq = 0;
  const records = found.steps.map((step) => {
    if (isEvent(step)) {
      examiner.happen(step);
      return seal.add(traceLine({ kind: "mark", mark: eventMark(step), exec: null }));
    }
    const { ret, argOut } = examiner.issue(step);
    return seal.add(traceLine(record(target, step, seq++, ret, argOut)));
  });
  return first + records.join("") + seal.end();
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
