/** What the editor's script hands to the page; both sides know only this. */

import type { Offer } from "../engine/programs/list-strategies.ts";
import type { Stripped } from "./strip-types.ts";

/** A mark at a line. */
export interface EditorMark {
  /** From 1. */
  readonly line: number;
  /** An error, or a line the answers to which differ. */
  readonly kind: "error" | "differs";
  /** One sentence. */
  readonly message: string;
}

/** How an editor is made. */
export interface EditorOptions {
  /** What it is called for those who do not see it. */
  readonly label: string;
  /** What it begins with. */
  readonly text: string;
  /** What completion offers now; null for what only the language knows. */
  offer(): Offer | null;
  /** Completes the functions of a program; a module has others. */
  readonly isProgram: boolean;
  /** The user typed. */
  changed(text: string): void;
  /** The caret is on another line. */
  moved(line: number): void;
}

/** An editor. */
export interface Editor {
  /** Show another text. */
  setText(text: string): void;
  /** Show these marks in place of the last ones. */
  setMarks(marks: readonly EditorMark[]): void;
  /** Put the caret on a line, and show it. */
  goTo(line: number): void;
  /** Take it away. */
  destroy(): void;
}

/** The script of the editor: what programs need, and nothing else on the page. */
export interface EditorScript {
  /**
   * @param parent - gets the editor as its child
   * @param options - see {@link EditorOptions}
   */
  create(parent: HTMLElement, options: EditorOptions): Editor;
  /** See `strip-types.ts`. */
  stripTypes(text: string): Stripped;
  /** Start a worker that answers the requests of `engine/programs`; its code is in this script, because only programs need it. */
  startWorker(): Worker;
}

declare global {
  /** Called by the editor's script with itself. */
  var vmbindEditor: ((script: EditorScript) => void) | undefined;
}
