/**
 * The address space of the process that calls `ioctl`: where copy_from_user and copy_to_user find their bytes.
 *
 * Handlers know it as {@link UserSpace}. In a {@link UserMemory} only what a caller places exists; everything else faults,
 * as an unmapped pointer does.
 *
 * @module
 */

import { EFAULT, fail } from "./errno.ts";
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

/** Bytes at user addresses, in this process. */
export class UserMemory implements UserSpace {
  /** See {@link UserSpace.process}. */
  readonly process: object | undefined;
  readonly #segments: Segment[] = [];

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
    const old = this.#segments.findIndex((s) => s.addr === addr);
    if (old >= 0) this.#segments.splice(old, 1);
    this.#segments.push({ addr, bytes, view: null });
  }

  /** Forget every placement. */
  clear(): void {
    this.#segments.length = 0;
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

  #segment(addr: number, length: number): Segment {
    for (let i = this.#segments.length - 1; i >= 0; i--) {
      const s = this.#segments[i] as Segment;
      if (addr >= s.addr && addr + length <= s.addr + s.bytes.length) return s;
    }
    return fail(EFAULT, `user memory: ${length} bytes at ${hex(addr)} are not mapped`);
  }
}
