/**
 * Sparse resources as a trace shows them: ranges of an address space in which the GPU may touch what is not bound.
 *
 * A resource begins where an operation says "nothing is bound here" outside of all others, and ends when an unmap takes all of it. A
 * user-mode driver that has to say it window by window does so in one go, which is told by the ranges following each other within a
 * call, or in the next one where its lens says that the call goes on.
 *
 * @module
 */

import type { OpRef } from "./piece.ts";

/** One sparse resource. */
export interface Resource {
  /** Counts the resources of a trace from 1. */
  readonly number: number;
  /** First VA in bytes. */
  readonly addr: number;
  /** Behind the last byte. */
  end: number;
  /** The operation that it begins with. */
  readonly by: OpRef;
  /** Operations that said where it is. */
  makers: number;
  /** What that is called, e.g. `MAP SPARSE`: of the first of them. */
  readonly heading: string;
  /** Whether its range lies below the mappings, and shows again where one goes. */
  readonly below: boolean;
  /** Bytes to its second view; 0 for none. */
  view: number;
  /** Binds and unbinds in it so far. */
  changes: number;
  /** What the client calls it at its first bind, where a mark says so: `buffer`, `image`; `resource` elsewhere. */
  called: string;
  /** The operation that ended it; null while it lives. */
  gone: OpRef | null;
}

/** The living resources of one VM, ascending and without overlap. */
export class ResourceSet {
  readonly #all: Resource[] = [];

  /** How many live. */
  get size(): number {
    return this.#all.length;
  }

  /** The living ones, ascending. */
  get living(): readonly Resource[] {
    return this.#all;
  }

  /**
   * @param addr - first byte
   * @param end - behind the last byte
   * @returns those that lie in the range, wholly or in part, ascending
   */
  in(addr: number, end: number): Resource[] {
    const found: Resource[] = [];
    for (let i = this.#firstEndingBehind(addr); i < this.#all.length; i++) {
      const resource = this.#all[i] as Resource;
      if (resource.addr >= end) break;
      found.push(resource);
    }
    return found;
  }

  /**
   * @param addr - an address
   * @returns the resource there, or null
   */
  at(addr: number): Resource | null {
    const found = this.#all[this.#firstEndingBehind(addr)];
    return found !== undefined && found.addr <= addr ? found : null;
  }

  /**
   * A resource begins.
   *
   * @param resource - it overlaps no other
   */
  add(resource: Resource): void {
    this.#all.splice(this.#firstEndingBehind(resource.addr), 0, resource);
  }

  /**
   * A resource ends.
   *
   * @param resource - one that lives; nothing happens for another
   */
  delete(resource: Resource): void {
    const i = this.#all.indexOf(resource);
    if (i >= 0) this.#all.splice(i, 1);
  }

  #firstEndingBehind(addr: number): number {
    let low = 0;
    let high = this.#all.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#all[middle] as Resource).end > addr) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/**
 * @param resource - a resource
 * @returns how messages name it: `buffer#1`, or `resource#1` where no mark says what it is
 */
export function resourceName({ called, number }: Resource): string {
  return `${called}#${number}`;
}
