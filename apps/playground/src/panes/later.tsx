/**
 * Panes that need much more than the page: their views come from a script beside it, `editor.js`, which is loaded when one of them is first
 * shown. The script has a Preact of its own, so that the two share nothing but what is said here.
 */

import { useEffect, useRef, useState } from "preact/hooks";
import type { PaneProps } from "./pane.ts";
import type { StrategiesState } from "./strategies/state.ts";
import type { WriteState } from "./write/state.ts";

/** A view of the script. */
export interface LaterView<State> {
  /**
   * Show it, or show it anew.
   *
   * @param parent - where
   * @param props - as for any pane
   */
  show(parent: HTMLElement, props: PaneProps<State>): void;
  /** @param parent - where it is shown no more */
  leave(parent: HTMLElement): void;
}

/** The views of the script. */
export interface LaterViews {
  readonly write: LaterView<WriteState>;
  readonly strategies: LaterView<StrategiesState>;
}

declare global {
  /** Called by the script with its views. */
  var vmbindLater: ((views: LaterViews) => void) | undefined;
}

let loading: Promise<LaterViews> | null = null;

function loadViews(): Promise<LaterViews> {
  loading ??= new Promise<LaterViews>((resolve, reject) => {
    globalThis.vmbindLater = resolve;
    const script = document.createElement("script");
    script.src = "editor.js";
    script.addEventListener("error", () => {
      loading = null;
      reject(new Error("editor.js does not lie beside this page"));
    });
    document.head.append(script);
  });
  return loading;
}

/**
 * @param choose - one of the script's views
 * @param props - of the pane
 */
export function Later<State>({
  choose,
  props,
}: {
  choose: (views: LaterViews) => LaterView<State>;
  props: PaneProps<State>;
}) {
  const holder = useRef<HTMLDivElement>(null);
  const [view, setView] = useState<LaterView<State> | null>(null);
  const [failure, setFailure] = useState("");
  useEffect(() => {
    loadViews().then(
      (views) => setView(choose(views)),
      ({ message }: Error) => setFailure(message),
    );
  }, []);
  useEffect(() => {
    if (view !== null && holder.current !== null) view.show(holder.current, props);
  });
  useEffect(() => {
    const { current } = holder;
    return () => {
      if (view !== null && current !== null) view.leave(current);
    };
  }, [view]);
  return (
    <>
      {view === null && (
        <p class={failure === "" ? "muted" : "bad"} role="status">
          {failure || "loading the editor …"}
        </p>
      )}
      <div ref={holder} />
    </>
  );
}
