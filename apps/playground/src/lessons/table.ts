/** The lessons, in the order in which they build on each other. */

import { books } from "./books.tsx";
import { dummyOrNull } from "./dummy-or-null.tsx";
import type { Lesson } from "./lesson.ts";
import { sparse } from "./sparse.tsx";
import { splitAndMerge } from "./split-and-merge.tsx";
import { walk } from "./walk.tsx";
import { why24415 } from "./why-24415.tsx";

/** One line a lesson. */
export const LESSONS: readonly Lesson[] = [
  { page: sparse, says: "addresses without memory" },
  { page: splitAndMerge, says: "what an unmap does to a mapping" },
  { page: walk, says: "from an address to a byte" },
  { page: why24415, says: "what a page a time costs" },
  { page: dummyOrNull, says: "what stands where nothing is" },
  { page: books, says: "who holds which reference" },
];
