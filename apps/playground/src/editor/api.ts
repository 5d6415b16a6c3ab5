/** What an editor is to the pane around it. */

import type { Offer } from "../engine/programs/list-strategies.ts";

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
