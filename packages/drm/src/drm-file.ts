/**
 * What every driver model offers in the same way, so that one laboratory can run them all.
 *
 * @module
 */

import type { DmaBuf } from "./dma-buf.ts";
import { type DrmError, EBADF, fail } from "./errno.ts";
import type { GemObject } from "./gem.ts";
import type { Syncobjs } from "./syncobj.ts";
import type { UserSpace } from "./user-memory.ts";
import type { OffsetTarget } from "./vma-offsets.ts";

/** What all drivers' VMs have in common. */
export interface DrmVm {
  /**
   * The mappings, ascending.
   *
   * @param within - only those that meet this range; all unless given
   */
  mappings(within?: VaRange): Iterable<MappingView>;
}

/** A range of addresses. */
export interface VaRange {
  /** First byte. */
  readonly addr: number;
  /** Bytes. */
  readonly range: number;
}

/**
 * An open file of a driver's device node.
 *
 * @typeParam Bo - the driver's objects
 * @typeParam Vm - the driver's VMs
 */
export interface DrmFile<Bo extends GemObject = GemObject, Vm extends DrmVm = DrmVm> {
  /** Its syncobjs. */
  readonly syncobjs: Syncobjs;
  /** Why the last ioctl failed, or null when it succeeded. */
  readonly lastError: DrmError | null;
  /** Whether it was closed: from then on it answers EBADF to everything, and has neither VMs nor objects. */
  readonly closed: boolean;
  /**
   * One ioctl.
   *
   * @param request - 32-bit request number
   * @param arg - the argument struct; changed in place as the kernel's copy-out does
   * @param user - memory behind the pointers in `arg`
   * @returns 0 or a negative errno
   */
  ioctl(request: number, arg: Uint8Array, user?: UserSpace): number;
  /** VMs with their ids, ascending. */
  vms(): Iterable<[number, Vm]>;
  /**
   * @param id - VM id
   * @returns the VM, undefined for an id that is not in use
   */
  vm(id: number): Vm | undefined;
  /** Objects with their handles, ascending. */
  bos(): Iterable<[number, Bo]>;
  /**
   * @param handle - GEM handle
   * @returns the object, undefined for a handle that is not in use
   */
  bo(handle: number): Bo | undefined;
  /**
   * @param gem - any object
   * @returns its handle in this file, 0 when it has none
   */
  handleOf(gem: GemObject): number;
  /**
   * What mmap of the device node would show.
   *
   * @param mmapOffset - any offset in bytes, as the driver's mmap-offset ioctl gave out the first of an object
   * @returns the object and the byte of it, undefined for an offset that stands for no object with a handle in this file
   */
  objectAt(mmapOffset: number): OffsetTarget<Bo> | undefined;
  /**
   * Export an object (`DRM_IOCTL_PRIME_HANDLE_TO_FD`).
   *
   * @param handle - GEM handle
   * @returns a dma-buf of which the caller has a reference: give it back with `put()`
   * @throws {@link DrmError} ENOENT for an unknown handle, and what the driver refuses to export with
   */
  exportBo(handle: number): DmaBuf;
  /**
   * Import an object (`DRM_IOCTL_PRIME_FD_TO_HANDLE`).
   *
   * @param dmaBuf - from any file of any device
   * @returns its handle in this file: the one it has already, or a new one
   * @throws {@link DrmError} what driver and exporter refuse another device's object with
   */
  importBo(dmaBuf: DmaBuf): number;
  /** Close the file: its VMs and handles go. Nothing happens the second time. */
  close(): void;
}

/**
 * Refuse what takes an open file.
 *
 * @param file - any
 * @param what - what was asked for, for the message
 * @throws {@link DrmError} EBADF when it is closed
 */
export function needOpen(file: { readonly closed: boolean }, what: string): void {
  if (file.closed) fail(EBADF, `${what}: the file is closed`);
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
