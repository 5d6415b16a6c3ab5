/** The panes, in the order of the navigation. */

import { comparePane } from "./compare/view.tsx";
import { lessonsPane } from "./lessons/view.tsx";
import type { Pane } from "./pane.ts";
import { strategiesPane } from "./strategies/view.tsx";
import { tracePane } from "./trace/view.tsx";
import { writePane } from "./write/view.tsx";

/** One line a pane; the first one is shown where a link names none. */
export const PANES: readonly Pane[] = [tracePane, comparePane, writePane, strategiesPane, lessonsPane];
