/**
 * What every driver model offers in the same way, so that one laboratory can run them all.
 *
 * @module
 */

import type { DrmError } from "./errno.ts";
import type { GemObject } from "./gem.ts";
import type { UserSpace } from "./user-memory.ts";

/** An open file of a driver's device node. */
export interface DrmFile {
  /** Why the last ioctl failed, or null when it succeeded. */
  readonly lastError: DrmError | null;
  /**
   * One ioctl.
   *
   * @param request - 32-bit request number
   * @param arg - the argument struct; changed in place as the kernel's copy-out does
   * @param user - memory behind the pointers in `arg`
   * @returns 0 or a negative errno
   */
  ioctl(request: number, arg: Uint8Array, user?: UserSpace): number;
  /** Close the file: its VMs and handles go. */
  close(): void;
}

/** One mapping of a VM, for people and tools to read. */
export interface MappingView {
  /** First VA in bytes. */
  addr: number;
  /** Length in bytes. */
  range: number;
  /** How the range is backed: `bo`, `sparse`, `repeat`, `single-page`, `null`, ... */
  kind: string;
  /** GEM handle in the file, 0 when the object has none. */
  bo: number;
  /** The object, null for a mapping without one. */
  gem: GemObject | null;
  /** Byte offset into the object. */
  offset: number;
  /** The driver's flags of the mapping. */
  flags: number;
}
