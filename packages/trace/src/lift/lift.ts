/**
 * A whole trace, lifted.
 *
 * @module
 */

import { TraceDecoder } from "../device.ts";
import type { Action, Lens } from "../lens.ts";
import type { Trace, TraceRecord } from "../record.ts";
import type { LiftedResource, LiftedStep, Seams } from "./lifted.ts";
import { Lifter } from "./lifter.ts";

/** What a trace comes to. */
export interface Lifted {
  /** What was asked for, in order. */
  readonly steps: readonly LiftedStep[];
  /** Resources that are alive behind the last record. */
  readonly left: readonly LiftedResource[];
  /** Ioctls that the driver refused, by their `seq`: they have no step. */
  readonly refused: readonly number[];
}

/**
 * Lift a trace.
 *
 * @param trace - an opened trace; its records are consumed
 * @param lens - of its driver
 * @returns its steps
 * @throws InputError for a trace that breaks its format
 */
export async function liftTrace(trace: Trace, lens: Lens): Promise<Lifted> {
  const decoder = new TraceDecoder(lens, trace.header);
  const decoded: [TraceRecord, Action | null][] = [];
  for await (const record of trace.records) {
    decoded.push([record, record.kind === "ioctl" ? decoder.decode(record) : null]);
  }
  // Two resources that touch, made piece by piece, look like one until one of them goes.
  const seams = new Map<number, number>();
  for (;;) {
    const { lifted, found } = liftOnce(decoded, lens, seams);
    const fresh = [...found].filter(([seq]) => !seams.has(seq));
    if (fresh.length === 0) return lifted;
    for (const [seq, at] of fresh) seams.set(seq, at);
  }
}

function liftOnce(
  decoded: readonly (readonly [TraceRecord, Action | null])[],
  lens: Lens,
  seams: Seams,
): { lifted: Lifted; found: Seams } {
  const steps: LiftedStep[] = [];
  const lifter = new Lifter(lens, (step) => steps.push(step), seams);
  for (const [record, action] of decoded) lifter.take(record, action);
  lifter.end();
  const lifted = { steps, left: [...lifter.living()], refused: lifter.refused };
  return { lifted, found: lifter.seamsFound };
}
