/** A list of any length of which only what is in view is in the document. Its rows have one height. */

import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** What a list shows. */
export interface VirtualListProps {
  /** For screen readers. */
  readonly label: string;
  /** Rows. */
  readonly count: number;
  /** CSS pixels. */
  readonly rowHeight: number;
  /** Rows that are in view at most. */
  readonly rowsShown: number;
  /** The row that is chosen; -1 for none. */
  readonly chosen: number;
  /** Choose one; left out for a list to read. */
  readonly choose?: (row: number) => void;
  /** What a row shows. */
  readonly row: (index: number) => ComponentChildren;
  /** Class of a row. */
  readonly rowClass?: (index: number) => string;
}

/** Rows above and below those in view, so that scrolling shows no gap. */
const MORE = 8;

/** The list. */
export function VirtualList(props: VirtualListProps) {
  const { label, count, rowHeight, rowsShown, chosen, choose, row, rowClass } = props;
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const height = Math.min(count, rowsShown) * rowHeight;
  const first = Math.max(0, Math.floor(top / rowHeight) - MORE);
  const last = Math.min(count, Math.ceil((top + height) / rowHeight) + MORE);
  // A row that was chosen elsewhere comes into view; one that is in view stays where it is.
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null || chosen < 0) return;
    const at = chosen * rowHeight;
    if (at >= element.scrollTop && at + rowHeight <= element.scrollTop + element.clientHeight) return;
    element.scrollTop = Math.max(0, at - element.clientHeight / 2);
  }, [chosen, count]);
  useEffect(() => {
    if (box.current !== null) setTop(box.current.scrollTop);
  }, [count]);
  const id = (index: number): string => `${label.replaceAll(/\W+/g, "-")}-${index}`;
  const onKeyDown = (event: KeyboardEvent): void => {
    const steps: Record<string, number> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: rowsShown - 1,
      PageUp: 1 - rowsShown,
      Home: Number.NEGATIVE_INFINITY,
      End: Number.POSITIVE_INFINITY,
    };
    const step = steps[event.key];
    if (step === undefined || choose === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    choose(Math.max(0, Math.min(count - 1, chosen + step)));
  };
  const shown = Array.from({ length: Math.max(0, last - first) }, (_, i) => first + i);
  const styleOf = (i: number) => ({ top: `${i * rowHeight}px`, height: `${rowHeight}px` });
  const onScroll = (event: Event): void => setTop((event.currentTarget as HTMLElement).scrollTop);
  const whole = { height: `${count * rowHeight}px` };
  if (choose === undefined) {
    return (
      <section
        ref={box}
        class="virtual"
        aria-label={label}
        style={{ height: `${height}px` }}
        onScroll={onScroll}
      >
        <div class="whole" style={whole}>
          {shown.map((i) => (
            <div key={i} class={`row ${rowClass?.(i) ?? ""}`} style={styleOf(i)}>
              {row(i)}
            </div>
          ))}
        </div>
      </section>
    );
  }
  const onClick = (event: MouseEvent): void => {
    const option = (event.target as Element).closest<HTMLElement>("[data-row]");
    if (option !== null) choose(Number(option.dataset["row"]));
  };
  return (
    <div
      ref={box}
      class="virtual"
      role="listbox"
      tabIndex={0}
      aria-label={label}
      aria-activedescendant={chosen >= first && chosen < last ? id(chosen) : undefined}
      style={{ height: `${height}px` }}
      onScroll={onScroll}
      onKeyDown={onKeyDown}
      onClick={onClick}
    >
      <div class="whole" role="presentation" style={whole}>
        {shown.map((i) => (
          <div
            key={i}
            id={id(i)}
            data-row={i}
            role="option"
            tabIndex={-1}
            aria-selected={i === chosen}
            aria-setsize={count}
            aria-posinset={i + 1}
            class={`row ${rowClass?.(i) ?? ""}`}
            style={styleOf(i)}
          >
            {row(i)}
          </div>
        ))}
      </div>
    </div>
  );
}
