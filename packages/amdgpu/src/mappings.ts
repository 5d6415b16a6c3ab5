/**
 * The mappings of one VM: their fields, and the lists that they are on (`struct amdgpu_bo_va_mapping`, `amdgpu_vm.h`, Linux
 * 7.3-rc7).
 *
 * A mapping is on one list at a time. Its bo_va has two: `invalids`, which the page tables do not show yet, and `valids`.
 * The VM has a third, `freed`: mappings that are gone, whose entries are still there. Every list takes new ones at its head, and
 * its order shows later as the order in which entries are written.
 *
 * @module
 */

import { grownDoubles, grownInts, IntervalTree } from "./interval-tree.ts";

/** Which list a mapping is on. */
export const STATE_INVALID = 1;
/** See {@link STATE_INVALID}. */
export const STATE_VALID = 2;
/** See {@link STATE_INVALID}. */
export const STATE_FREED = 3;

/** One list of mappings: the numbers of the first and the last one, 0 when it is empty. */
export interface MappingList {
  /** The newest. */
  head: number;
  /** The oldest. */
  tail: number;
}

/** @returns an empty list */
export function mappingList(): MappingList {
  return { head: 0, tail: 0 };
}

/** All mappings of a VM by number, from 1; those of the interval tree, and those on `freed`. */
export class Mappings extends IntervalTree {
  /** Byte of the object that a mapping begins with; of a PRT mapping a number without meaning. */
  offset: Float64Array = new Float64Array(this.first.length);
  /** Flags as the ioctl had them. */
  flags: Uint16Array = new Uint16Array(this.first.length);
  /** Number of the bo_va that it belongs to. */
  owner: Int32Array = new Int32Array(this.first.length);
  /** Which list it is on. */
  state: Uint8Array = new Uint8Array(this.first.length);
  #next: Int32Array = new Int32Array(this.first.length);
  #prev: Int32Array = new Int32Array(this.first.length);
  /** Numbers handed out at least once. */
  #used = 0;
  /** First of the free numbers, which are linked by `next`. */
  #free = 0;

  /**
   * A new mapping, on no list.
   *
   * @param first - first page
   * @param last - last page
   * @param offset - byte of the object
   * @param flags - of the ioctl
   * @param owner - number of its bo_va
   * @returns its number
   */
  add(first: number, last: number, offset: number, flags: number, owner: number): number {
    let id = this.#free;
    if (id !== 0) this.#free = this.#next[id] as number;
    else id = ++this.#used;
    if (id === this.first.length) this.#grow();
    this.first[id] = first;
    this.last[id] = last;
    this.offset[id] = offset;
    this.flags[id] = flags;
    this.owner[id] = owner;
    return id;
  }

  /** Forget a mapping that is on no list and not in the tree. */
  forget(id: number): void {
    this.state[id] = 0;
    this.#next[id] = this.#free;
    this.#free = id;
  }

  /**
   * @param id - of a mapping
   * @returns the next older one of its list, 0 behind the last
   */
  next(id: number): number {
    return this.#next[id] as number;
  }

  /** Put a mapping at the head of a list. */
  push(list: MappingList, id: number, state: number): void {
    this.state[id] = state;
    this.#prev[id] = 0;
    this.#next[id] = list.head;
    if (list.head !== 0) this.#prev[list.head] = id;
    else list.tail = id;
    list.head = id;
  }

  /** Take a mapping off the list that it is on. */
  unlink(list: MappingList, id: number): void {
    const next = this.#next[id] as number;
    const prev = this.#prev[id] as number;
    if (prev !== 0) this.#next[prev] = next;
    else list.head = next;
    if (next !== 0) this.#prev[next] = prev;
    else list.tail = prev;
  }

  /** Move all of one list in front of another one, in their order. */
  splice(from: MappingList, to: MappingList, state: number): void {
    if (from.head === 0) return;
    for (let id = from.head; id !== 0; id = this.#next[id] as number) this.state[id] = state;
    this.#next[from.tail] = to.head;
    if (to.head !== 0) this.#prev[to.head] = from.tail;
    else to.tail = from.tail;
    to.head = from.head;
    from.head = 0;
    from.tail = 0;
  }

  /** Numbers of the mappings of a list, newest first. */
  *of(list: MappingList): Generator<number> {
    for (let id = list.head; id !== 0; id = this.#next[id] as number) yield id;
  }

  /** By a quarter: at ten million mappings the slack of a doubling would be half a gigabyte. */
  #grow(): void {
    const room = Math.ceil(this.first.length * (this.first.length < 2 ** 16 ? 2 : 1.25));
    this.growTree(room);
    this.offset = grownDoubles(this.offset, room);
    this.owner = grownInts(this.owner, room);
    this.#next = grownInts(this.#next, room);
    this.#prev = grownInts(this.#prev, room);
    const flags = new Uint16Array(room);
    flags.set(this.flags);
    this.flags = flags;
    const state = new Uint8Array(room);
    state.set(this.state);
    this.state = state;
  }
}
