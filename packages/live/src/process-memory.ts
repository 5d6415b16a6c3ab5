/**
 * The memory of a client, through `/proc/PID/mem`: what copy_from_user and copy_to_user are for a server in another process.
 * Nothing of it is kept: every read sees what is there at that moment.
 *
 * @module
 */

import { closeSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { UserFault, type UserSpace } from "@vmbind/drm";
import { takeBytes } from "./byte-pool.ts";

/** Reads above this are looked up first, so that a bad length allocates nothing. */
const TRUSTED_BYTES = 0x1_0000;

/** What a process may do with memory of its own. */
export type Access = "none" | "read" | "write";

interface Mapped {
  readonly start: number;
  readonly end: number;
  readonly access: Access;
}

/** A client's memory. */
export class ProcessMemory implements UserSpace {
  /** The process. */
  readonly pid: number;
  #fd = -1;
  #maps: readonly Mapped[] | null = null;

  /** @param pid - of a process of this user */
  constructor(pid: number) {
    this.pid = pid;
  }

  /** See `UserSpace.process`. */
  get process(): this {
    return this;
  }

  /** See `UserSpace.view`. */
  view(addr: number, length: number): DataView {
    if (length > TRUSTED_BYTES && !this.#has(addr, length)) this.#fault(addr, length);
    const bytes = takeBytes(length);
    this.read(addr, bytes);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  }

  /**
   * @param addr - user address in bytes
   * @param into - filled
   * @throws `DrmError` EFAULT when any of the bytes is not there
   */
  read(addr: number, into: Uint8Array): void {
    let done = 0;
    try {
      while (done < into.length) {
        const count = readSync(this.#open(), into, done, into.length - done, addr + done);
        if (count <= 0) break;
        done += count;
      }
    } catch {
      this.#fault(addr, into.length);
    }
    if (done < into.length) this.#fault(addr, into.length);
  }

  /** See `UserSpace.write`. */
  write(addr: number, bytes: Uint8Array): void {
    let done = 0;
    try {
      while (done < bytes.length) {
        const count = writeSync(this.#open(), bytes, done, bytes.length - done, addr + done);
        if (count <= 0) break;
        done += count;
      }
    } catch {
      this.#fault(addr, bytes.length);
    }
    if (done < bytes.length) this.#fault(addr, bytes.length);
  }

  /**
   * @param addr - user address in bytes
   * @returns what the process may do there, as of the first question since {@link ProcessMemory.forgetMaps}
   */
  accessAt(addr: number): Access {
    this.#maps ??= readMaps(this.pid);
    let low = 0;
    let high = this.#maps.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#maps[middle] as Mapped).end <= addr) low = middle + 1;
      else high = middle;
    }
    const mapped = this.#maps[low];
    return mapped === undefined || addr < mapped.start ? "none" : mapped.access;
  }

  /** The process has run: what it has mapped is looked up again. */
  forgetMaps(): void {
    this.#maps = null;
  }

  /** Let go of the process. */
  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  #open(): number {
    if (this.#fd < 0) this.#fd = openSync(`/proc/${this.pid}/mem`, "r+");
    return this.#fd;
  }

  #has(addr: number, length: number): boolean {
    this.#maps ??= readMaps(this.pid);
    let at = addr;
    for (const { start, end, access } of this.#maps) {
      if (end <= at) continue;
      if (start > at || access === "none") return false;
      at = end;
      if (at >= addr + length) return true;
    }
    return false;
  }

  #fault(addr: number, length: number): never {
    throw new UserFault(addr, length, ` in process ${this.pid}`);
  }
}

function readMaps(pid: number): Mapped[] {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/maps`, "latin1");
  } catch {
    return [];
  }
  return text
    .split("\n")
    .map((line) => /^([0-9a-f]+)-([0-9a-f]+) (r|-)(w|-)/.exec(line))
    .filter((match) => match !== null)
    .map(([, start = "", end = "", r, w]) => ({
      start: Number.parseInt(start, 16),
      end: Number.parseInt(end, 16),
      access: r !== "r" ? "none" : w === "w" ? "write" : "read",
    }));
}
