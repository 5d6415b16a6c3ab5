/**
 * What is asked of the GPU in a workload that does not ask anything itself: a lifted recording holds no loads and stores.
 *
 * Just before the largest resource goes, or at the end, a word is written and read where memory is bound, then where none is, and the
 * word of another unbound page is read: whether writes to unbound pages can be seen, and where, is what strategies differ in.
 *
 * @module
 */

import { cutInterval, IntervalMap, noHits } from "@vmbind/trace";
import type { CreateStep, Step } from "./workload.ts";

const BOUND = 0x600d_0001;
const UNBOUND = 0x0bad_0002;

interface Range {
  start: number;
  end: number;
}

/**
 * @param steps - of a workload
 * @returns the same, with reads and writes of the largest sparse resource; as they are where they have some
 */
export function withProbes(steps: readonly Step[]): readonly Step[] {
  if (steps.some(({ step }) => step === "read" || step === "write")) return steps;
  let largest: CreateStep | null = null;
  for (const step of steps) {
    if (step.step === "create" && !step.plain && step.size > (largest?.size ?? 0)) largest = step;
  }
  if (largest === null) return steps;
  const { resource, size } = largest;
  const made = steps.indexOf(largest);
  const gone = steps.findIndex(
    (step, i) => i > made && step.step === "destroy" && step.resource === resource,
  );
  const end = gone < 0 ? steps.length : gone;
  const bound = boundAt(steps.slice(made, end), resource);
  const holes = unboundOf(bound, Math.floor(size / 4) * 4);
  const probes: Step[] = [];
  const some = bound[0];
  if (some) probes.push(...seen(resource, some.start, BOUND));
  const hole = holes[0];
  if (hole) {
    probes.push(...seen(resource, hole.start, UNBOUND));
    const other = (holes.at(-1) as Range).end - 4;
    if (other > hole.start) probes.push({ step: "read", resource, offset: other });
  }
  return [...steps.slice(0, end), ...probes, ...steps.slice(end)];
}

function seen(resource: string, offset: number, value: number): Step[] {
  return [
    { step: "write", resource, offset, value },
    { step: "read", resource, offset },
  ];
}

/** What is bound to a resource after steps, ascending. */
function boundAt(steps: readonly Step[], resource: string): Range[] {
  const map = new IntervalMap(cutInterval);
  for (const step of steps) {
    if (step.step !== "bind" || step.resource !== resource) continue;
    for (const { offset, size, memory } of step.binds) {
      const range = { addr: offset, end: offset + size, kind: "bound", object: 1, offset: 0 };
      if (memory === null) map.unmap(range.addr, range.end, noHits());
      else map.map(range, noHits());
    }
  }
  return map.intervals.map(({ addr, end }) => ({ start: addr, end }));
}

function unboundOf(bound: readonly Range[], size: number): Range[] {
  const holes: Range[] = [];
  let at = 0;
  for (const { start, end } of bound) {
    if (start > at) holes.push({ start: at, end: start });
    at = Math.max(at, end);
  }
  if (at < size) holes.push({ start: at, end: size });
  return holes;
}
