/**
 * What the file descriptors of clients stand for. A descriptor is a socket that is connected to this server, so whoever holds it
 * keeps it alive, by dup, fork, exec or a message; its end of file is the last close. Its inode says in any process which
 * one it is.
 *
 * @module
 */

import { type DmaBuf, type Fence, HandleTable, type Syncobj } from "@vmbind/drm";
import type { ModelFile } from "@vmbind/trace";
import type { SwSyncTimeline } from "./core/sw-sync.ts";

/** What a descriptor can be. */
export type Descriptor =
  | {
      /** An open file of a node. */
      readonly what: "file";
      /** The model's file. */
      readonly model: ModelFile;
    }
  | {
      /** A dma-buf, of which the descriptor has a reference. */
      readonly what: "dma-buf";
      /** The dma-buf. */
      readonly dmaBuf: DmaBuf;
    }
  | {
      /** A sync file. */
      readonly what: "sync-file";
      /** Its fence. */
      readonly fence: Fence;
    }
  | {
      /** A syncobj on its way to another file. */
      readonly what: "syncobj";
      /** The syncobj. */
      readonly syncobj: Syncobj;
    }
  | {
      /** A timeline of `sw_sync`. */
      readonly what: "sw-sync";
      /** The timeline. */
      readonly timeline: SwSyncTimeline;
    };

/** Kinds as the shim knows them (`shim/live.c`); a syncobj is nothing that it could do anything with. */
const KINDS: Readonly<Record<Descriptor["what"], number>> = {
  file: 1,
  "dma-buf": 2,
  "sync-file": 3,
  "sw-sync": 4,
  syncobj: 5,
};

interface Entry {
  readonly descriptor: Descriptor;
  readonly object: number;
  inode: number;
}

/** All descriptors that clients hold, or are about to. */
export class Descriptors {
  readonly #entries: HandleTable<Entry> = new HandleTable();
  readonly #byInode = new Map<number, Entry>();

  /**
   * @param descriptor - a new one
   * @param minor - minor number of the node, for files
   * @returns its number; it lives until {@link Descriptors.remove}
   */
  add(descriptor: Descriptor, minor = 0): number {
    const entry = { descriptor, object: 0, inode: 0 };
    const serial = this.#entries.alloc(entry);
    entry.object = (serial << 12) | (minor << 4) | KINDS[descriptor.what];
    return entry.object;
  }

  /** The socket with this inode is that descriptor. */
  settle(object: number, inode: number): void {
    const entry = this.#entries.get(object >>> 12);
    if (entry === undefined) return;
    entry.inode = inode;
    this.#byInode.set(inode, entry);
  }

  /**
   * @param object - its number
   * @returns the descriptor, undefined when it is gone
   */
  get(object: number): Descriptor | undefined {
    const entry = this.#entries.get(object >>> 12);
    return entry?.object === object ? entry.descriptor : undefined;
  }

  /**
   * @param inode - of a socket
   * @returns number of the descriptor, 0 when it is none of ours
   */
  objectAt(inode: number): number {
    return this.#byInode.get(inode)?.object ?? 0;
  }

  /**
   * @param object - its number
   * @returns the descriptor, which is gone now
   */
  remove(object: number): Descriptor | undefined {
    const entry = this.#entries.remove(object >>> 12);
    if (entry !== undefined) this.#byInode.delete(entry.inode);
    return entry?.descriptor;
  }

  /** All descriptors. */
  *values(): Generator<Descriptor> {
    for (const [, { descriptor }] of this.#entries.entries()) yield descriptor;
  }
}
