/** What the lessons' pane shows. */

import * as v from "valibot";

/** In the link. */
export const LESSONS_STATE = v.object({
  /** Id of a lesson; empty for the first. */
  lesson: v.optional(v.string(), ""),
  /** States by lesson, unchecked: each lesson has its schema. */
  states: v.optional(v.record(v.string(), v.unknown()), {}),
});

/** See {@link LESSONS_STATE}. */
export type LessonsState = v.InferOutput<typeof LESSONS_STATE>;
