/** What a lesson is: a pane that teaches one thing, in the order of the table. */

import type { Pane } from "../panes/pane.ts";

/** A lesson in the table. */
export interface Lesson {
  /** Its page, with a state in the link like any pane's. */
  readonly page: Pane;
  /** What one knows afterwards, in a few words. */
  readonly says: string;
}
