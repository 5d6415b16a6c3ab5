/**
 * The address space of the process that calls `ioctl`: where copy_from_user and copy_to_user find their bytes.
 *
 * Handlers know it as {@link UserSpace}. In a {@link UserMemory} only what a caller places exists; everything else faults,
 * as an unmapped pointer does.
 *
 * @module
 */

import { DrmError, EFAULT } from "./errno.ts";
import { hex } from "./words.ts";

interface Segment {
  readonly addr: number;
  readonly bytes: Uint8Array;
  /** All of them, once somebody has asked. */
  view: DataView | null;
}

/**
 * What an ioctl reaches of the calling process: copy_from_user and copy_to_user. The memory may be in this process, in
 * another one, or in a recording; so nobody writes through a view, and whoever reads twice asks once.
 */
export interface UserSpace {
  /**
   * Whose memory it is, for drivers that keep pages of a process beyond the ioctl (xe's MAP_USERPTR): two spaces of one
   * process give the same object. Where it is left out, the open file stands for its process.
   */
  readonly process?: object | undefined;
  /**
   * copy_from_user: the bytes at an address, to be read only. They may be a copy of that moment, or the memory itself.
   *
   * @param addr - user address in bytes
   * @param length - bytes
   * @returns a view of exactly `length` bytes
   * @throws {@link DrmError} EFAULT when any of them is not there; then nothing was allocated for them
   */
  view(addr: number, length: number): DataView;
  /**
   * copy_to_user.
   *
   * @param addr - user address in bytes
   * @param bytes - what to write there
   * @throws {@link DrmError} EFAULT when any of the bytes has no place
   */
  write(addr: number, bytes: Uint8Array): void;
}

/** EFAULT for memory that is not there. */
export class UserFault extends DrmError {
  /** First byte of what was asked for, NaN for an address that a double cannot hold. */
  readonly addr: number;
  /** Bytes that were asked for. */
  readonly length: number;

  /**
   * @param addr - see {@link UserFault.addr}
   * @param length - see {@link UserFault.length}
   * @param where - whose memory it is, if that has to be said: ` in process 7`
   */
  constructor(addr: number, length: number, where = "") {
    super(EFAULT, `user memory: ${length} bytes at ${hex(addr)} are not mapped${where}`);
    this.addr = addr;
    this.length = length;
  }
}

/** Placements that are searched one by one; an ioctl seldom has more, but a VM_BIND may have an array for each of its operations. */
const LISTED_MAX = 16;
/** Of a space without any; nobody puts one into it. */
const NOTHING: Segment[] = [];

/** Where no bytes are: at no address, so that nothing is looked for in it. */
const NOWHERE: Segment = { addr: Number.NaN, bytes: new Uint8Array(0), view: null };

/** Bytes at user addresses, in this process. */
export class UserMemory implements UserSpace {
  /** See {@link UserSpace.process}. */
  readonly process: object | undefined;
  #listed: Segment[] = NOTHING;
  /** All of them by their first byte, in the order of placement, once there are many. */
  #table: Map<number, Segment> | null = null;

  /** @param process - see {@link UserSpace.process} */
  constructor(process?: object) {
    this.process = process;
  }

  /**
   * Make bytes visible at an address, without copying: the kernel's writes show in `bytes`.
   *
   * @param addr - first byte's address, below 2^53; a later placement hides an earlier one that begins at the same address
   * @param bytes - the memory itself
   */
  place(addr: number, bytes: Uint8Array): void {
    const segment = { addr, bytes, view: null };
    const listed = this.#listed;
    if (listed.length === 0 && this.#table === null) {
      // Mostly there is no other: an array that grows would make room for sixteen more.
      this.#listed = [segment];
      return;
    }
    if (this.#table === null && listed.length === LISTED_MAX) {
      this.#table = new Map(listed.map((one) => [one.addr, one]));
    }
    if (this.#table !== null) {
      this.#table.delete(addr);
      this.#table.set(addr, segment);
      return;
    }
    const old = listed.findIndex((one) => one.addr === addr);
    if (old >= 0) listed.splice(old, 1);
    listed.push(segment);
  }

  /** Forget every placement. */
  clear(): void {
    this.#listed = NOTHING;
    this.#table = null;
  }

  /**
   * The bytes at an address, in place.
   *
   * @param addr - user address in bytes
   * @param length - bytes
   * @returns a view of exactly `length` bytes
   * @throws {@link DrmError} EFAULT when any of them is not placed (a range that runs from one placement into the next counts as unmapped)
   */
  view(addr: number, length: number): DataView {
    const segment = this.#segment(addr, length);
    const { bytes, addr: start } = segment;
    if (length === bytes.length) {
      segment.view ??= new DataView(bytes.buffer, bytes.byteOffset, length);
      return segment.view;
    }
    return new DataView(bytes.buffer, bytes.byteOffset + (addr - start), length);
  }

  /**
   * copy_to_user.
   *
   * @param addr - user address in bytes
   * @param bytes - what to write there
   * @throws {@link DrmError} EFAULT when any of the bytes is not placed
   */
  write(addr: number, bytes: Uint8Array): void {
    const segment = this.#segment(addr, bytes.length);
    segment.bytes.set(bytes, addr - segment.addr);
  }

  /** What begins there, else what was placed last of all that has the bytes. */
  #segment(addr: number, length: number): Segment {
    const listed = this.#table === null ? this.#listed : this.#candidates(this.#table, addr, length);
    let found: Segment | null = null;
    for (let i = listed.length - 1; i >= 0; i--) {
      const one = listed[i] as Segment;
      // Not a number is nowhere.
      const holds = addr >= one.addr && addr + length <= one.addr + one.bytes.length;
      if (holds && one.addr === addr) return one;
      if (holds) found ??= one;
    }
    if (found !== null) return found;
    // No bytes are copied from anywhere, and to anywhere, as copy_from_user and copy_to_user do.
    if (length === 0) return NOWHERE;
    throw new UserFault(addr, length);
  }

  #candidates(table: ReadonlyMap<number, Segment>, addr: number, length: number): readonly Segment[] {
    const exact = table.get(addr);
    return exact !== undefined && length <= exact.bytes.length ? [exact] : [...table.values()];
  }
}
