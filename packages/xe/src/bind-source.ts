/**
 * What a bind shows, as the staging of page tables sees it: a range, the memory behind it if there is any, and what its
 * leaves say besides the address. Objects, process memory and null mappings all come down to this.
 *
 * @module
 */

import type { ScatterList } from "@vmbind/mmu";

/** What a bind shows; one object, reused. */
export interface BindSource {
  /** First VA in bytes. */
  start: number;
  /** First VA behind. */
  end: number;
  /** Memory, null for a null mapping. */
  pages: ScatterList | null;
  /** Byte of `pages` at `start`. */
  offset: number;
  /** The memory is VRAM. */
  vram: boolean;
  /** VRAM must be mapped in 64 KiB pages here. */
  needs64k: boolean;
  /** The GPU may not write. */
  readOnly: boolean;
  /** Atomics-enable bit of the leaves. */
  atomics: boolean;
  /** PAT index. */
  pat: number;
  /** Write zeroes in place of leaves, so that access faults. */
  clear: boolean;
}
