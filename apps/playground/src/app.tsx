/** The page around the panes: navigation, theme, and the link that follows what is shown. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { Engine } from "./engine/engine.ts";
import { hashOf, type Link, linkOf } from "./link.ts";
import type { Pane } from "./panes/pane.ts";
import { ThemeButton } from "./theme.tsx";

/** The link is written this long after the last change, so that a drag is one entry and not hundreds. */
const LINK_DELAY_MS = 150;

/** The page. */
export function App({ engine, panes, first }: { engine: Engine; panes: readonly Pane[]; first: Link }) {
  const [link, setLink] = useState(first);
  const shown = panes.find(({ id }) => id === link.pane) ?? panes[0];
  useWrittenLink({ ...link, pane: shown?.id ?? "" }, setLink);
  return (
    <>
      <header class="top">
        <a class="brand" href={`#${panes[0]?.id ?? ""}`}>
          vmbind
        </a>
        <nav aria-label="panes">
          <ul>
            {panes.map(({ id, title }) => (
              <li key={id}>
                <a
                  href={`#${id}`}
                  aria-current={id === shown?.id ? "page" : undefined}
                  onClick={(event) => {
                    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
                    event.preventDefault();
                    setLink((last) => ({ ...last, pane: id }));
                  }}
                >
                  {title}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <ThemeButton />
      </header>
      {shown && (
        <main id={`pane-${shown.id}`}>
          <shown.View
            key={shown.id}
            engine={engine}
            state={link.states[shown.id]}
            setState={(next) =>
              setLink((last) => ({
                ...last,
                states: {
                  ...last.states,
                  [shown.id]: typeof next === "function" ? next(last.states[shown.id]) : next,
                },
              }))
            }
          />
        </main>
      )}
    </>
  );
}

/** Keeps the address of the page in step with what is shown, both ways. */
function useWrittenLink(link: Link, setLink: (link: Link) => void): void {
  const written = useRef(location.hash);
  useEffect(() => {
    const timer = setTimeout(async () => {
      const hash = await hashOf(link);
      if (hash === written.current) return;
      written.current = hash;
      history.replaceState(null, "", hash);
    }, LINK_DELAY_MS);
    return () => clearTimeout(timer);
  }, [link.pane, link.states]);
  useEffect(() => {
    const follow = async (): Promise<void> => {
      if (location.hash === written.current) return;
      written.current = location.hash;
      setLink(await linkOf(location.hash));
    };
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
}
