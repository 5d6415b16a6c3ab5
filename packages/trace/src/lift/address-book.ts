/**
 * What lies where in one VM while a trace is lifted: its sparse resources, and what is mapped in and beside them.
 *
 * @module
 */

import { cutInterval, type Interval, IntervalMap, noHits } from "../model/intervals.ts";
import type { LiftedResource } from "./lifted.ts";

/** A resource that is alive. */
export interface LivingResource extends LiftedResource {
  /** Grows while its user-mode driver is still making it. */
  bytes: number;
  /** Parts that fault, where there are any. */
  holes: IntervalMap | null;
}

/** A resource that is being made, and the ioctls that have made it so far. */
export interface Growing {
  /** It. */
  readonly resource: LivingResource;
  /** Number of the open file. */
  readonly file: number;
  /** VM id in it. */
  readonly vm: number;
  /** The first ioctl, by its `seq`. */
  readonly first: number;
  /** The last one so far. */
  last: number;
  /** Addresses where the pieces of a further ioctl began, with its `seq`. */
  readonly seams: Map<number, number>;
}

/** A part of a range that is in one resource, or in none. */
export interface RangePart {
  /** First VA in bytes. */
  readonly addr: number;
  /** Bytes. */
  readonly size: number;
  /** Whose it is. */
  readonly resource: LivingResource | null;
}

/** One VM. */
export class AddressBook {
  /** What is mapped: objects, by number. Unbound parts of resources are not. */
  readonly mapped: IntervalMap = new IntervalMap(cutInterval);
  /** Living resources, ascending; no two overlap. */
  readonly #resources: LivingResource[] = [];

  /** Living resources, ascending. */
  get resources(): readonly LivingResource[] {
    return this.#resources;
  }

  /**
   * @param va - an address
   * @returns the resource that it is in
   */
  resourceAt(va: number): LivingResource | null {
    const found = this.#resources[this.#firstEndingBehind(va)];
    return found !== undefined && found.va <= va ? found : null;
  }

  /** @param resource - a new one; overlaps none */
  add(resource: LivingResource): void {
    this.#resources.splice(this.#firstEndingBehind(resource.va), 0, resource);
  }

  /** @param resource - one that ends */
  remove(resource: LivingResource): void {
    this.#resources.splice(this.#resources.indexOf(resource), 1);
  }

  /**
   * Cut a range where resources begin and end.
   *
   * @param addr - first VA in bytes
   * @param size - bytes
   * @returns its parts, ascending
   */
  parts(addr: number, size: number): RangePart[] {
    const parts: RangePart[] = [];
    const end = addr + size;
    let at = addr;
    for (let i = this.#firstEndingBehind(addr); at < end; i++) {
      const resource = this.#resources[i];
      const start = Math.min(resource?.va ?? end, end);
      if (start > at) parts.push({ addr: at, size: start - at, resource: null });
      at = Math.max(at, start);
      if (resource === undefined || at >= end) break;
      const until = Math.min(resource.va + resource.bytes, end);
      parts.push({ addr: at, size: until - at, resource });
      at = until;
    }
    return parts;
  }

  /**
   * @param addr - first VA in bytes
   * @param end - behind the last byte
   * @returns what is mapped there, as it is now
   */
  mappedIn(addr: number, end: number): Interval[] {
    return this.mapped.in(addr, end);
  }

  #firstEndingBehind(va: number): number {
    let low = 0;
    let high = this.#resources.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { va: start, bytes } = this.#resources[middle] as LivingResource;
      if (start + bytes > va) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/**
 * Make a part of a resource fault, or stop it from doing so.
 *
 * @param resource - a living one
 * @param addr - first VA in bytes
 * @param size - bytes
 * @param faults - whether it does
 * @returns whether all of the resource faults now
 */
export function pierce(resource: LivingResource, addr: number, size: number, faults: boolean): boolean {
  if (resource.holes === null) {
    if (!faults) return false;
    resource.holes = new IntervalMap(cutInterval);
  }
  const { holes } = resource;
  const hits = noHits();
  if (faults) holes.map({ addr, end: addr + size, kind: "hole", object: 0, offset: 0 }, hits);
  else holes.unmap(addr, addr + size, hits);
  if (!faults) return false;
  const bytes = holes.intervals.reduce((sum, hole) => sum + hole.end - hole.addr, 0);
  return bytes === resource.bytes;
}
