/**
 * Making a finding small: fewer calls first, then one file, shorter arrays, and fields that are 0 or 1. Whatever is left
 * is needed.
 *
 * @module
 */

import { readSlot } from "@vmbind/drm";
import type { Call, TraceHeader } from "@vmbind/trace";
import { copyOf, isEvent, type Step } from "./call.ts";
import { isSimulation } from "./examiner.ts";
import { isFollowed } from "./fuzz-driver.ts";
import { rerun, type SessionFinding, type Target } from "./session.ts";
import type { ArraySpec } from "./spec.ts";
import { specByNumber } from "./spec.ts";

/** Reruns that one shrink may take, and steps of all of them: about a minute. */
const RERUNS_MAX = 3000;
const STEPS_MAX = 150_000;
/** What is wrong with invariants shows when they are looked at; anything else by itself, and many times as fast. */
const RARELY = 10_000;
/** Elements of the longest array that is drawn, up to a power of two. */
const LONGEST = 2 ** 14;

/**
 * Shrink a finding.
 *
 * @param target - what was fuzzed
 * @param header - the device
 * @param found - the finding
 * @returns the same finding with as little as shows it; the original when it does not come back
 */
export function shrink(target: Target, header: TraceHeader, found: SessionFinding): SessionFinding {
  // Looking after each call may show the cause before its consequence.
  let best = rerun(target, header, found.steps);
  if (best === null) return found;
  const wanted = signature(best);
  const every = best.finding.kind === "invariant" ? 1 : RARELY;
  const simulated = isSimulation(header);
  let reruns = 0;
  let taken = 0;
  const again = (steps: readonly Step[]): SessionFinding | null => {
    if (reruns++ >= RERUNS_MAX || taken >= STEPS_MAX) return null;
    // What the naive model does not follow would be a finding of its own.
    if (simulated && !steps.every((step) => isEvent(step) || isFollowed(target.fuzz, step))) return null;
    taken += steps.length;
    const result = rerun(target, header, steps, every);
    return result !== null && signature(result) === wanted ? result : null;
  };
  best = fewerSteps(best, again);
  best = fewerBytes(target, best, again);
  return fewerSteps(best, again);
}

type Again = (steps: readonly Step[]) => SessionFinding | null;

/** @returns the rule that a finding breaks and the words for it, numbers aside: of two with the same one only one is needed */
export function signature({ finding: { kind, text } }: SessionFinding): string {
  // What an exception says stands behind its class; what the others say of this very case stands behind the rule.
  const words =
    kind === "exception" ? text : kind === "invariant" ? text.split(":")[0] : text.split(/[:,(]/)[0];
  return `${kind} ${words?.replace(/[0-9a-fx]*\d[0-9a-fx]*/g, "N")}`;
}

/** Leave out runs of steps, long ones first. */
function fewerSteps(found: SessionFinding, again: Again): SessionFinding {
  let best = found;
  for (let size = best.steps.length >> 1; size >= 1; size = size >> 1) {
    for (let at = 0; at + size < best.steps.length; ) {
      const shorter = again([...best.steps.slice(0, at), ...best.steps.slice(at + size)]);
      if (shorter === null) at += size;
      else best = shorter;
    }
  }
  return best;
}

/** Drop elements of arrays, then set fields to zero. */
function fewerBytes(target: Target, found: SessionFinding, again: Again): SessionFinding {
  let best = found;
  const attempt = (index: number, change: (call: Call) => boolean): boolean => {
    const old = best.steps[index];
    if (old === undefined || isEvent(old)) return false;
    const call = copyOf(old);
    if (!change(call)) return false;
    const result = again(best.steps.with(index, call));
    if (result === null) return false;
    best = result;
    return true;
  };
  for (let index = best.steps.length - 1; index >= 0; index--) {
    const callAt = (): Call | undefined => {
      const step = best.steps[index];
      return step === undefined || isEvent(step) ? undefined : step;
    };
    const call = callAt();
    if (call === undefined || hasToSucceed(best.steps[index - 1])) continue;
    if (call.file !== 0) {
      attempt(index, (c) => {
        c.file = 0;
        return true;
      });
    }
    const spec = specByNumber(target.fuzz.specs, call.request);
    if (spec === undefined) continue;
    for (const array of spec.arrays) {
      for (let drop = LONGEST / 2; drop >= 1; drop /= 2) {
        while (attempt(index, (c) => dropElements(c, array, drop))) {
          // So many elements less each time.
        }
      }
    }
    for (const { offset, size } of spec.slots) {
      if (isZero(callAt()?.arg, offset, size)) continue;
      const set = (low: number) =>
        attempt(index, (c) => {
          c.arg.fill(0, offset, offset + size);
          c.arg[offset] = low;
          return true;
        });
      // Ids begin with 1.
      if (!set(0) && callAt()?.arg[offset] !== 1) set(1);
    }
    for (const array of spec.arrays) {
      const bytes = () => callAt()?.buffers.find((b) => b.field === array.field)?.bytes;
      for (let base = 0; base < (bytes()?.length ?? 0); base += array.elementBytes) {
        for (const { offset, size } of array.slots) {
          if (isZero(bytes(), base + offset, size)) continue;
          attempt(index, (c) => {
            c.buffers
              .find((b) => b.field === array.field)
              ?.bytes.fill(0, base + offset, base + offset + size);
            return true;
          });
        }
      }
    }
  }
  return best;
}

/** Whether the step says that the next call has to succeed: with other bytes it need not. */
function hasToSucceed(step: Step | undefined): boolean {
  return step !== undefined && isEvent(step) && step.kind === "must-succeed";
}

function isZero(bytes: Uint8Array | undefined, from: number, size: number): boolean {
  return bytes === undefined || bytes.subarray(from, from + size).every((byte) => byte === 0);
}

/** Take the first elements of an array away, all but one at most. */
function dropElements(
  call: Call,
  { field, count: counts, stride: slot, elementBytes }: ArraySpec,
  drop: number,
): boolean {
  const buffer = call.buffers.find((b) => b.field === field);
  const [at, ...more] = counts;
  if (buffer === undefined || at === undefined || more.length > 0 || at.size !== 4) return false;
  const view = new DataView(call.arg.buffer, call.arg.byteOffset, call.arg.length);
  const count = at.offset + at.size <= call.arg.length ? readSlot(view, at) : 0;
  const stride = slot === null ? elementBytes : readSlot(view, slot);
  // An array of one is another kind of call in some drivers.
  if (count <= drop || count * stride > buffer.bytes.length) return false;
  buffer.bytes = buffer.bytes.slice(drop * stride);
  view.setUint32(at.offset, count - drop, true);
  return true;
}
