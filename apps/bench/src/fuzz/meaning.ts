/**
 * What a call means to somebody who knows the uAPI and nothing of a driver's insides: the words between the drivers' readers of calls
 * (`drivers/NAME/meaning.ts`) and the naive model of pages (`page-world.ts`).
 *
 * @module
 */

import type { SyncPoint } from "./page-syncs.ts";

/** What pages of a range show. Handles are those of the file. */
export type Shown =
  | { readonly kind: "nothing" }
  /** The object from a byte on; the first `window` bytes behind it over and over, unless `window` is 0. */
  | { readonly kind: "object"; readonly handle: number; readonly offset: number; readonly window: number }
  /** Memory of the process from an address on, which is the open file's own. */
  | { readonly kind: "process-memory"; readonly addr: number }
  /** Memory of the open file, repeated with a period in bytes by address: stores are kept. */
  | { readonly kind: "file-memory"; readonly period: number }
  /** Reads are 0 and stores go nowhere. */
  | { readonly kind: "null" }
  /** What lies under mappings there: what a range with `under` said last, else nothing. */
  | { readonly kind: "under" }
  /** Something that this model knows nothing of. */
  | { readonly kind: "unknown" };

/** One operation of a bind call: a range shows something else, or an object is seen no more. */
export type PageOp =
  | {
      readonly kind: "range";
      readonly va: number;
      readonly bytes: number;
      readonly shows: Shown;
      /** What the GPU may do: `r`, `w` or `rw`. */
      readonly access: string;
      /** It may be that only an access binds it: until then the page is as if nothing were there. */
      readonly promised: boolean;
      /** It is about what lies under mappings, and no mapping is left in it. */
      readonly under?: boolean;
    }
  | { readonly kind: "unbind-object"; readonly handle: number }
  /** Objects move to other memory: while jobs wait, their pages may be missing. */
  | { readonly kind: "move" }
  /** Only what it waits for and signals. */
  | { readonly kind: "none" };

/** Operations of a queue, which are done all at once: behind the job before, once all that they wait for has happened. */
export interface Job {
  /** What it does. */
  readonly ops: readonly PageOp[];
  /** What it waits for, as it is when the call is made. */
  readonly waits: readonly SyncPoint[];
  /** What its end signals. */
  readonly signals: readonly SyncPoint[];
}

/** What a call that succeeded has done. */
export type Meaning =
  | {
      readonly kind: "vm";
      readonly vm: number;
      readonly unbound: "fault" | "null";
      /** Ranges that are promised are bound at once all the same. */
      readonly keepsPromises: boolean;
    }
  | { readonly kind: "vm-gone"; readonly vm: number }
  /** `wanders` where a bind that names it may move it to other memory. */
  | { readonly kind: "object"; readonly handle: number; readonly wanders?: boolean }
  | { readonly kind: "handle-gone"; readonly handle: number }
  | { readonly kind: "bind"; readonly vm: number; readonly ops: readonly PageOp[] }
  | {
      readonly kind: "queue";
      readonly vm: number;
      /** What is done with the call already, whatever its jobs wait for; nothing unless given. */
      readonly now?: readonly PageOp[];
      readonly jobs: readonly Job[];
      /** Id of the queue in the file; 0 for the VM's own. */
      readonly queue: number;
    }
  /** An id of a queue is free. */
  | { readonly kind: "queue-gone"; readonly queue: number }
  /** What is bound in a range is described otherwise: until it is bound again its pages may be missing. */
  | { readonly kind: "advice"; readonly vm: number; readonly va: number; readonly bytes: number }
  /** Nobody needs the contents of the objects in a range: from now on they may be gone. */
  | { readonly kind: "not-needed"; readonly vm: number; readonly va: number; readonly bytes: number }
  /** Nothing that the GPU could see. */
  | { readonly kind: "none" };
