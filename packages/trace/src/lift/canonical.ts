/**
 * Lifted steps in one form, so that those of two traces can be compared: what one application asked two drivers for is the same,
 * however each of them says it.
 *
 * Only resources count, in the order in which they begin; memory is numbered in the order in which it is first bound. The elements
 * of a call are put in order, for they have none, and neighbours that go on in the resource and in memory are joined.
 *
 * @module
 */

import type { LiftedElement, LiftedMemory, LiftedResource, LiftedStep } from "./lifted.ts";

/** A bound or unbound range of a call. */
export interface CanonicalRange {
  /** Byte offset in the resource. */
  offset: number;
  /** Bytes. */
  size: number;
  /** Number of the memory, from 1; 0 for an unbound range. */
  memory: number;
  /** Byte offset in it, 0 for an unbound range. */
  at: number;
}

/** A step. */
export type CanonicalStep =
  | {
      /** Tells the steps apart. */
      step: "create";
      /** Number of the resource, from 1. */
      resource: number;
      /** Bytes. */
      bytes: number;
    }
  | {
      /** Tells the steps apart. */
      step: "bind";
      /** Number of the resource. */
      resource: number;
      /** Its ranges, ascending; no two could be one. */
      ranges: CanonicalRange[];
    }
  | {
      /** Tells the steps apart. */
      step: "destroy";
      /** Number of the resource. */
      resource: number;
    };

/**
 * @param steps - of a trace
 * @returns what they say of resources
 */
export function canonicalSteps(steps: Iterable<LiftedStep>): CanonicalStep[] {
  const resources = new Numbers<LiftedResource>();
  const memory = new Numbers<LiftedMemory>();
  const found: CanonicalStep[] = [];
  for (const step of steps) {
    if (step.step === "create") {
      found.push({ step: "create", resource: resources.of(step.resource), bytes: step.resource.bytes });
    } else if (step.step === "destroy") {
      found.push({ step: "destroy", resource: resources.of(step.resource) });
    } else if (step.step === "bind") {
      const ranges = joined(step.binds, (object) => memory.of(object));
      found.push({ step: "bind", resource: resources.of(step.resource), ranges });
    }
  }
  return found;
}

function joined(
  binds: readonly LiftedElement[],
  numberOf: (object: LiftedMemory) => number,
): CanonicalRange[] {
  const ranges: CanonicalRange[] = [];
  for (const { offset, size, memory } of [...binds].sort((a, b) => a.offset - b.offset)) {
    const number = memory === null ? 0 : numberOf(memory.object);
    const at = memory?.offset ?? 0;
    const last = ranges.at(-1);
    const touches = last !== undefined && last.offset + last.size === offset && last.memory === number;
    if (touches && (number === 0 || last.at + last.size === at)) last.size += size;
    else ranges.push({ offset, size, memory: number, at });
  }
  return ranges;
}

/** Numbers things in the order in which they are seen. */
class Numbers<T> {
  readonly #known = new Map<T, number>();

  of(thing: T): number {
    const number = this.#known.get(thing) ?? this.#known.size + 1;
    this.#known.set(thing, number);
    return number;
  }
}
