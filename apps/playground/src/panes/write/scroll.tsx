/** A part that scrolls sideways by itself, with the keyboard too: some browsers give the arrow keys only to what has the focus. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

/**
 * @param label - what it is called for those who do not see it
 * @param children - what is wider than the page
 */
export function Scroll({ label, children }: { label: string; children: ComponentChildren }) {
  const section = useRef<HTMLElement>(null);
  useEffect(() => {
    if (section.current !== null) section.current.tabIndex = 0;
  }, []);
  return (
    <section class="scroll" aria-label={label} ref={section}>
      {children}
    </section>
  );
}
