/**
 * One ioctl of a client while it is worked on: who calls, and what a handler can do beside reading and writing its argument.
 *
 * @module
 */

import { readlinkSync } from "node:fs";
import { EBADF, ETIME, fail } from "@vmbind/drm";
import type { ClientProcess } from "./client-process.ts";
import type { Descriptor, Descriptors } from "./descriptors.ts";
import type { ProcessMemory } from "./process-memory.ts";
import type { Scheduler, Wait } from "./scheduler.ts";

/** `O_CLOEXEC` of Linux, and `O_NONBLOCK`. */
export const O_CLOEXEC = 0o2000000;

/** A descriptor that the shim is to make. */
export interface MadeDescriptor {
  /** Number of the descriptor. */
  readonly object: number;
  /** Byte of the argument where its file descriptor goes, an i32. */
  readonly at: number;
  /** `O_` flags. */
  readonly flags: number;
}

/** A number of the process in an argument, a u32, for which recordings have another: that of a file descriptor. */
export interface StandIn {
  /** Byte of the argument. */
  readonly at: number;
  /** What is recorded in place of what was sent; as it is unless given. */
  readonly sent?: number;
  /** What is recorded in place of what is returned; as it is unless given. */
  readonly returned?: number;
}

/** What all calls of a server share. */
export interface CallContext {
  /** Descriptors of clients. */
  readonly descriptors: Descriptors;
  /** Who waits. */
  readonly scheduler: Scheduler;
}

/** One call. */
export class LiveCall {
  /** The caller. */
  readonly client: ClientProcess;
  /** The descriptor that this call makes, null for none. */
  made: MadeDescriptor | null = null;
  /** What recordings have in place of numbers of the process. */
  readonly standIns: StandIn[] = [];
  readonly #context: CallContext;
  #cancel: (() => void) | null = null;

  /**
   * @param client - the caller
   * @param context - what all calls share
   */
  constructor(client: ClientProcess, context: CallContext) {
    this.client = client;
    this.#context = context;
  }

  /** The caller's memory. */
  get user(): ProcessMemory {
    return this.client.memory;
  }

  /**
   * Answer with a new file descriptor.
   *
   * @param descriptor - what it is to be
   * @param at - byte of the argument where its number goes, an i32
   * @param flags - `O_` flags; close-on-exec unless given
   */
  makeDescriptor(descriptor: Descriptor, at: number, flags: number = O_CLOEXEC): void {
    this.made = { object: this.#context.descriptors.add(descriptor), at, flags };
  }

  /**
   * @param fd - a file descriptor of the caller
   * @param what - name of the member that says it, for the reason
   * @returns what it stands for; undefined for a file of another kind
   * @throws `DrmError` EBADF when there is no such descriptor
   */
  descriptorAt(fd: number, what: string): Descriptor | undefined {
    const found = this.#lookUp(fd);
    return found === null ? fail(EBADF, `${what}: ${fd} is not an open file descriptor`) : found;
  }

  /**
   * As {@link LiveCall.descriptorAt}, for ioctls that make no difference between a file of another kind and none.
   *
   * @param fd - a file descriptor of the caller
   * @returns what it stands for; undefined for a file of another kind, and for a number that is no descriptor
   */
  descriptorOf(fd: number): Descriptor | undefined {
    return this.#lookUp(fd) ?? undefined;
  }

  /** Null for a number that is no descriptor. */
  #lookUp(fd: number): Descriptor | undefined | null {
    let link: string;
    try {
      link = readlinkSync(`/proc/${this.user.pid}/fd/${fd}`);
    } catch {
      return null;
    }
    const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
    const { descriptors } = this.#context;
    return inode === undefined ? undefined : descriptors.get(descriptors.objectAt(Number(inode)));
  }

  /**
   * Wait.
   *
   * @param wait - see {@link Wait}
   * @returns true once it has come, false at the deadline
   */
  until(wait: Wait): boolean | Promise<boolean> {
    const waiting = this.#context.scheduler.until(wait);
    if (typeof waiting === "boolean") return waiting;
    this.#cancel = waiting.cancel;
    return waiting.came;
  }

  /** The caller is gone: it waits no more. */
  cancel(): void {
    this.#cancel?.();
  }

  /**
   * Wait, then finish.
   *
   * @param wait - see {@link Wait}
   * @param then - makes the answer once it has come; 0 unless given
   * @param what - what is waited for, for the reason of ETIME
   * @returns the answer; ETIME at the deadline
   */
  waitThen(wait: Wait, what: string, then: () => number = () => 0): number | Promise<number> {
    const finish = (came: boolean) => (came ? then() : fail(ETIME, `${what}: the time is over`));
    const came = this.until(wait);
    return typeof came === "boolean" ? finish(came) : came.then(finish);
  }
}
