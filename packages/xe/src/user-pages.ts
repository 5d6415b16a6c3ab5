/**
 * Memory of a process as MAP_USERPTR sees it: pages that the kernel pins, wherever they are.
 *
 * Each page of the process gets a physical page when it is first mapped and keeps it until the file is closed, so two
 * mappings of one user address show the same bytes. What those bytes are is a matter of physical memory: the `user`
 * memory that an ioctl is given is another one.
 *
 * @module
 */

import { EFAULT, ENOMEM, fail } from "@vmbind/drm";
import { OutOfFrames, type PhysicalMemory, ScatterList } from "@vmbind/mmu";

const PAGE = 4096;
/** End of a process's addresses on x86-64 (`TASK_SIZE_MAX` with four levels). */
const USER_END = 2 ** 47 - PAGE;

/** The pages behind a mapping. */
export interface UserRange {
  /** User address of the first byte. */
  readonly base: number;
  /** The pages, one a segment. */
  readonly pages: ScatterList;
}

/** The pages of one process. */
export class UserPages {
  readonly #memory: PhysicalMemory;
  readonly #limit: number;
  readonly #pageAt = new Map<number, number>();
  readonly #owned: ScatterList[] = [];

  /**
   * @param memory - where pages come from
   * @param limit - bytes of that memory
   */
  constructor(memory: PhysicalMemory, limit: number) {
    this.#memory = memory;
    this.#limit = limit;
  }

  /**
   * Pin a range.
   *
   * @param base - user address, a multiple of 4096
   * @param bytes - length, a multiple of 4096
   * @throws `DrmError` ENOMEM, EFAULT for a range that does not end below 2^47 - 4096, where processes do
   */
  pin(base: number, bytes: number): UserRange {
    const missing: number[] = [];
    if (bytes > this.#limit) fail(ENOMEM, `userptr: no memory for ${bytes} bytes`);
    // Beyond it nothing can be pinned, and a cut of the mapping would carry its offset over 2^64.
    if (base + bytes > USER_END) {
      fail(EFAULT, `userptr: 0x${base.toString(16)}+0x${bytes.toString(16)} is not process memory`);
    }
    for (let at = base; at < base + bytes; at += PAGE) if (!this.#pageAt.has(at)) missing.push(at);
    if (missing.length > 0) {
      const fresh = this.#alloc(missing.length * PAGE);
      missing.forEach((at, i) => {
        this.#pageAt.set(at, fresh.pa[i] as number);
      });
    }
    const pa = Float64Array.from(
      { length: bytes / PAGE },
      (_, i) => this.#pageAt.get(base + i * PAGE) as number,
    );
    return { base, pages: new ScatterList(pa, new Float64Array(pa.length).fill(PAGE)) };
  }

  /** Bytes of all pages that were ever pinned. */
  get bytes(): number {
    return this.#owned.reduce((sum, list) => sum + list.totalBytes, 0);
  }

  /** Give all pages back. */
  release(): void {
    for (const list of this.#owned.splice(0)) this.#memory.frames.free(list);
    this.#pageAt.clear();
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
