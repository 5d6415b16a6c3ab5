/**
 * What a user-mode driver does: the ioctls that it issues, and how Vulkan's sparse calls become ioctls.
 *
 * @module
 */

import type { DrmFile } from "./drm-file.ts";
import { UserMemory } from "./user-memory.ts";

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

/** Memory that a sparse bind names. */
export interface SparseMemory {
  /** GEM handle. */
  handle: number;
  /** Byte offset into the object. */
  offset: number;
}

/** One element of a vkQueueBindSparse. */
export interface SparseBind {
  /** Byte offset in the resource. */
  resourceOffset: number;
  /** Bytes. */
  size: number;
  /** What to bind, or null to unbind. */
  memory: SparseMemory | null;
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
 * Sees a call that {@link issue} has made.
 *
 * @param file - that it was made on
 * @param call - the call; `arg` is as the driver left it
 * @param sent - `arg` as it was sent
 * @param ret - 0 or a negative errno
 */
export type CallWatcher = (file: DrmFile, call: IoctlCall, sent: Uint8Array, ret: number) => void;

const watchers = new Set<CallWatcher>();

/**
 * Look on while user-mode drivers work, from before they open a file: every call that goes through {@link issue}, on whatever file.
 *
 * @param see - told of each call
 * @returns ends it
 */
export function watchCalls(see: CallWatcher): () => void {
  watchers.add(see);
  return () => void watchers.delete(see);
}

/** @returns whether anybody looks on, see {@link watchCalls}: then each call goes through {@link issue} */
export function callsAreWatched(): boolean {
  return watchers.size > 0;
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
  if (watchers.size === 0) return file.ioctl(call.request, call.arg, user);
  const sent = call.arg.slice();
  const ret = file.ioctl(call.request, call.arg, user);
  for (const see of watchers) see(file, call, sent, ret);
  return ret;
}
