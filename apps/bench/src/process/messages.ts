/**
 * What the thread that runs a command and the thread that watches over it say to each other.
 *
 * @module
 */

/** What the command's thread is told when it starts. */
export interface Orders {
  /** The words after the program's name. */
  readonly argv: readonly string[];
  /** Columns of the terminal that standard output is; a thread cannot find out by itself. */
  readonly columns: number | undefined;
  /** How many of the command's files are done already. */
  readonly done: number;
}

/** From the command's thread. */
export type Report =
  | {
      /** The command has come to its end: its exit status. */
      readonly status: number;
    }
  | {
      /** Write a file; answered by {@link Saved}. */
      readonly save: { readonly id: number; readonly path: string; readonly content: string | Uint8Array };
    };

/** To the command's thread: a file is written, or why not. */
export interface Saved {
  /** Which request. */
  readonly id: number;
  /** What the file system said; null for a file that is written. */
  readonly error: { readonly message: string; readonly code: string | undefined } | null;
}
