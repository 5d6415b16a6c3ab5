/** The lessons' pane: the list of them, and the one that is read. */

import { useEffect, useRef } from "preact/hooks";
import "../../lessons/lessons.css";
import "../../lessons/drawings.css";
import { LESSONS } from "../../lessons/table.ts";
import { type Pane, type PaneProps, pane } from "../pane.ts";
import { LESSONS_STATE, type LessonsState } from "./state.ts";

function LessonsView({ engine, state, setState }: PaneProps<LessonsState>) {
  const at = Math.max(
    LESSONS.findIndex(({ page }) => page.id === state.lesson),
    0,
  );
  const lesson = LESSONS[at];
  const next = LESSONS[at + 1];
  const heading = useRef<HTMLHeadingElement>(null);
  const before = useRef(at);
  useEffect(() => {
    // Whoever goes on to another lesson begins at its top, by keyboard and with a screen reader too.
    if (before.current === at) return;
    before.current = at;
    scrollTo(0, 0);
    heading.current?.focus();
  }, [at]);
  const open = (id: string): void => setState((last) => ({ ...last, lesson: id }));
  if (lesson === undefined) return null;
  const { id, title, View } = lesson.page;
  return (
    <div class="lessons">
      <nav aria-label="lessons">
        <ol>
          {LESSONS.map(({ page, says }) => (
            <li key={page.id}>
              <button
                type="button"
                aria-current={page.id === id ? "page" : undefined}
                onClick={() => open(page.id)}
              >
                {page.title}
                <small>{says}</small>
              </button>
            </li>
          ))}
        </ol>
      </nav>
      <article>
        <p class="lesson-number">
          Lesson {at + 1} of {LESSONS.length}
        </p>
        <h1 tabIndex={-1} ref={heading}>
          {title}
        </h1>
        <View
          key={id}
          engine={engine}
          state={state.states[id]}
          setState={(given) =>
            setState((last) => ({
              ...last,
              lesson: id,
              states: {
                ...last.states,
                [id]: typeof given === "function" ? given(last.states[id]) : given,
              },
            }))
          }
        />
        {next && (
          <p class="lesson-next">
            <button type="button" onClick={() => open(next.page.id)}>
              Next: {next.page.title}
            </button>
          </p>
        )}
      </article>
    </div>
  );
}

/** Short pages, each about one thing, with a model to try it on. */
export const lessonsPane: Pane = pane({
  id: "lessons",
  title: "Lessons",
  schema: LESSONS_STATE,
  View: LessonsView,
});
