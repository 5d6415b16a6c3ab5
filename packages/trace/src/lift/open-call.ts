/**
 * A queue bind whose operations are still coming in.
 *
 * @module
 */

import { cutInterval, IntervalMap, noHits } from "../model/intervals.ts";
import type { LiftedBind, LiftedElement, LiftedResource } from "./lifted.ts";

interface Binds {
  readonly elements: LiftedElement[];
  /** Where they are: an element must not overlap another. */
  readonly taken: IntervalMap;
}

/** The elements of one queue bind, by resource. */
export class OpenCall {
  /** Number of the open file. */
  readonly file: number;
  readonly #vm: number;
  readonly #byResource = new Map<LiftedResource, Binds>();

  /**
   * @param file - number of the open file
   * @param vm - VM id in it
   */
  constructor(file: number, vm: number) {
    this.file = file;
    this.#vm = vm;
  }

  /**
   * @param resource - of the element
   * @param element - the next one
   * @returns false, and nothing happens, where it overlaps one of this call
   */
  add(resource: LiftedResource, element: LiftedElement): boolean {
    const binds = this.#byResource.get(resource) ?? { elements: [], taken: new IntervalMap(cutInterval) };
    const { offset, size } = element;
    if (binds.taken.in(offset, offset + size).length > 0) return false;
    binds.taken.map({ addr: offset, end: offset + size, kind: "", object: 0, offset: 0 }, noHits());
    binds.elements.push(element);
    this.#byResource.set(resource, binds);
    return true;
  }

  /** What it comes to: a step for each resource, in the order in which they were named. */
  *steps(): Generator<LiftedBind> {
    for (const [resource, { elements }] of this.#byResource) {
      const seqs = elements.map(({ seq }) => seq);
      const from = {
        file: this.file,
        vm: this.#vm,
        first: seqs[0] as number,
        last: seqs[seqs.length - 1] as number,
      };
      yield { step: "bind", resource, binds: elements, from };
    }
  }
}
