/**
 * Memory of processes as MAP_USERPTR sees it: pages that the kernel pins, wherever they are.
 *
 * What a process has mapped, and whether it may write there, is for {@link UserPages.access} to say. Where no process is
 * modelled, every address that a process could have is memory of it.
 *
 * Each page of a process gets a physical page when it is first mapped and keeps it until the file is closed, so two
 * mappings of one user address show the same bytes. What those bytes are is a matter of physical memory: a backing store
 * (`PhysicalMemoryOptions.backing`) that knows by {@link UserPages.ownerOf} whose page it is asked for can give the process's.
 *
 * @module
 */

import { EFAULT, ENOMEM, EPERM, fail, hex } from "@vmbind/drm";
import { OutOfFrames, type PhysicalMemory, ScatterList } from "@vmbind/mmu";
import { PAGE_BYTES } from "./page-sizes.ts";

/** End of a process's addresses on x86-64 (`TASK_SIZE_MAX` with four levels). */
const USER_END = 2 ** 47 - PAGE_BYTES;

/** Whose page it is. */
export interface UserPage {
  /** `UserSpace.process` of the ioctl that pinned it; the open file where it said none. */
  readonly process: object;
  /** User address in bytes. */
  readonly addr: number;
}

/** What a process may do with a page of its own: nothing is there, or nothing that it may read; read; read and write. */
export type UserAccess = "none" | "read" | "write";

/** The pages behind a mapping. */
export interface UserRange {
  /** Who pinned them, and can do so again. */
  readonly owner: UserPages;
  /** Whose they are, see {@link UserPage.process}. */
  readonly process: object;
  /** User address of the first byte. */
  readonly base: number;
  /** The pages, one a segment. */
  readonly pages: ScatterList;
}

/** The pages of one process, both ways. */
interface Pinned {
  readonly pageAt: Map<number, number>;
  readonly addrAt: Map<number, number>;
}

/** The pages that an open file has pinned: of its process, and of others that use the file. */
export class UserPages {
  readonly #memory: PhysicalMemory;
  readonly #limit: number;
  readonly #file: object;
  readonly #pinned: Map<object, Pinned> = new Map();
  readonly #owned: ScatterList[] = [];
  /**
   * What a process has mapped where, asked for each page whenever the kernel takes hold of pages: at MAP_USERPTR, for the
   * pieces of a cut, at PREFETCH, at a recoverable fault. Null where no process is modelled: everything below 2^47 - 4096
   * can be written.
   */
  access: ((page: UserPage) => UserAccess) | null = null;

  /**
   * @param memory - where pages come from
   * @param limit - bytes of that memory
   * @param file - stands for its process where an ioctl does not say whose memory it is given
   */
  constructor(memory: PhysicalMemory, limit: number, file: object) {
    this.#memory = memory;
    this.#limit = limit;
    this.#file = file;
  }

  /**
   * Pin a range.
   *
   * @param base - user address, a multiple of 4096
   * @param bytes - length, a multiple of 4096
   * @param process - whose they are; the file's unless given
   * @param write - the GPU is to write there
   * @throws `DrmError` ENOMEM; EFAULT for a range that does not end below 2^47 - 4096, where processes do, or in which
   * nothing is mapped; EPERM where the process itself may only read (`hmm_range_fault`, Linux 7.3-rc7)
   */
  pin(base: number, bytes: number, process: object = this.#file, write = true): UserRange {
    const missing: number[] = [];
    if (bytes > this.#limit) fail(ENOMEM, `userptr: no memory for ${bytes} bytes`);
    // Beyond it nothing can be pinned, and a cut of the mapping would carry its offset over 2^64.
    if (base + bytes > USER_END) {
      fail(EFAULT, `userptr: 0x${base.toString(16)}+0x${bytes.toString(16)} is not process memory`);
    }
    this.check(process, base, bytes, write);
    const { pageAt, addrAt } = this.#pinned.get(process) ?? nothingPinned();
    for (let at = base; at < base + bytes; at += PAGE_BYTES) if (!pageAt.has(at)) missing.push(at);
    if (missing.length > 0) {
      const fresh = this.#alloc(missing.length * PAGE_BYTES);
      this.#pinned.set(process, { pageAt, addrAt });
      missing.forEach((at, i) => {
        pageAt.set(at, fresh.pa[i] as number);
        addrAt.set(fresh.pa[i] as number, at);
      });
    }
    const pa = Float64Array.from(
      { length: bytes / PAGE_BYTES },
      (_, i) => pageAt.get(base + i * PAGE_BYTES) as number,
    );
    return {
      owner: this,
      process,
      base,
      pages: new ScatterList(pa, new Float64Array(pa.length).fill(PAGE_BYTES)),
    };
  }

  /**
   * Ask whether pages can be pinned, as the kernel does again for those of a mapping that it binds anew: the process may have
   * lost them since. The first page that it has not, or not as it is wanted, decides.
   *
   * @param process - whose they are
   * @param base - user address, a multiple of 4096
   * @param bytes - length, a multiple of 4096
   * @param write - the GPU is to write there
   * @throws `DrmError` EFAULT, EPERM as {@link UserPages.pin}
   */
  check(process: object, base: number, bytes: number, write: boolean): void {
    if (this.access === null) return;
    for (let addr = base; addr < base + bytes; addr += PAGE_BYTES) {
      const access = this.access({ process, addr });
      if (access === "none") fail(EFAULT, `userptr: the process has no memory at ${hex(addr)}`);
      if (write && access === "read") {
        fail(EPERM, `userptr: the process may not write at ${hex(addr)}, and the mapping is not READONLY`);
      }
    }
  }

  /**
   * @param pa - any physical address
   * @returns whose page it is in, undefined for one that this file has not pinned
   */
  ownerOf(pa: number): UserPage | undefined {
    const page = Math.floor(pa / PAGE_BYTES) * PAGE_BYTES;
    for (const [process, { addrAt }] of this.#pinned) {
      const addr = addrAt.get(page);
      if (addr !== undefined) return { process, addr: addr + (pa - page) };
    }
    return undefined;
  }

  /** Bytes of all pages that were ever pinned. */
  get bytes(): number {
    return this.#owned.reduce((sum, list) => sum + list.totalBytes, 0);
  }

  /** Give all pages back. */
  release(): void {
    for (const list of this.#owned.splice(0)) this.#memory.frames.free(list);
    this.#pinned.clear();
  }

  #alloc(bytes: number): ScatterList {
    try {
      const list = this.#memory.frames.alloc(bytes, "scattered");
      this.#owned.push(list);
      return list;
    } catch (error) {
      if (error instanceof OutOfFrames) fail(ENOMEM, `userptr: no memory for ${bytes} bytes`);
      throw error;
    }
  }
}

function nothingPinned(): Pinned {
  return { pageAt: new Map(), addrAt: new Map() };
}
