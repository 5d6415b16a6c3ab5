/**
 * What every driver model offers in the same way, so that one laboratory can run them all.
 *
 * @module
 */

import type { DrmError } from "./errno.ts";
import type { GemObject } from "./gem.ts";
import { UserMemory } from "./user-memory.ts";

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
  ioctl(request: number, arg: Uint8Array, user?: UserMemory): number;
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

/** Bytes that a request points to. */
export interface UserBuffer {
  /** User address in bytes. */
  addr: number;
  /** The bytes there. */
  bytes: Uint8Array;
}

/** One ioctl as a user-mode driver issues it. */
export interface IoctlCall {
  /** Name for people, e.g. `PANTHOR_VM_BIND`. */
  name: string;
  /** 32-bit request number. */
  request: number;
  /** Argument struct. */
  arg: Uint8Array;
  /** What its pointers point to. */
  buffers: UserBuffer[];
}

/** One element of a vkQueueBindSparse. */
export interface SparseBind {
  /** Byte offset in the resource. */
  resourceOffset: number;
  /** Bytes. */
  size: number;
  /** Object and byte offset to bind, or null to unbind. */
  memory: { handle: number; offset: number } | null;
}

/** What a Vulkan driver does with a VM_BIND uAPI for sparse resources: pure lowering, bytes only. */
export interface SparseUmd {
  /**
   * Create a sparse resource.
   *
   * @param va - its address in bytes
   * @param size - bytes
   */
  create(va: number, size: number): IoctlCall[];
  /**
   * One vkQueueBindSparse.
   *
   * @param va - address of the resource in bytes
   * @param resourceSize - bytes
   * @param binds - elements in the order of the application
   */
  bind(va: number, resourceSize: number, binds: readonly SparseBind[]): IoctlCall[];
  /**
   * Destroy a sparse resource.
   *
   * @param va - its address in bytes
   * @param size - bytes
   */
  destroy(va: number, size: number): IoctlCall[];
}

/**
 * Issue a call on a file.
 *
 * @param file - the open file
 * @param call - the call; its `arg` is changed in place
 * @returns 0 or a negative errno
 */
export function issue(file: DrmFile, call: IoctlCall): number {
  const user = new UserMemory();
  for (const b of call.buffers) user.place(b.addr, b.bytes);
  return file.ioctl(call.request, call.arg, user);
}
