/**
 * What a call means to somebody who knows the uAPI and nothing of a driver's insides: the words between the drivers' readers of calls
 * (`drivers/NAME/meaning.ts`) and the naive model of pages (`page-world.ts`).
 *
 * @module
 */

/** What pages of a range show. Handles are those of the file. */
export type Shown =
  | { readonly kind: "nothing" }
  /** The object from a byte on; the first `window` bytes behind it over and over, unless `window` is 0. */
  | { readonly kind: "object"; readonly handle: number; readonly offset: number; readonly window: number }
  /** Memory of the open file, repeated with a period in bytes by address: stores are kept. */
  | { readonly kind: "file-memory"; readonly period: number }
  /** Reads are 0 and stores go nowhere. */
  | { readonly kind: "null" }
  /** Something that this model knows nothing of, such as memory of the process. */
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
    }
  | { readonly kind: "unbind-object"; readonly handle: number }
  /** Only what it waits for and signals. */
  | { readonly kind: "none" };

/** An operation of a queue: it runs behind the one before, once every syncobj that it waits for says so. */
export interface Job {
  /** What it does. */
  readonly op: PageOp;
  /** Syncobjs that it waits for, as they are when the call is made. */
  readonly waits: readonly number[];
  /** Syncobjs that its end signals. */
  readonly signals: readonly number[];
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
  | { readonly kind: "object"; readonly handle: number }
  | { readonly kind: "handle-gone"; readonly handle: number }
  | { readonly kind: "bind"; readonly vm: number; readonly ops: readonly PageOp[] }
  | { readonly kind: "queue"; readonly vm: number; readonly jobs: readonly Job[] }
  /** Nothing that the GPU could see. */
  | { readonly kind: "none" };
