/**
 * The panes that programs and strategies need so much for: an editor, a compiler, all packages in a worker. They are a script of their own
 * beside the page.
 */

import { type ComponentType, h, render } from "preact";
import type { LaterView } from "../panes/later.tsx";
import type { PaneProps } from "../panes/pane.ts";
import { StrategiesView } from "../panes/strategies/strategies-view.tsx";
import { WriteView } from "../panes/write/write-view.tsx";

function later<State>(View: ComponentType<PaneProps<State>>): LaterView<State> {
  return {
    show: (parent, props) => render(h(View, props), parent),
    leave: (parent) => render(null, parent),
  };
}

globalThis.vmbindLater?.({ write: later(WriteView), strategies: later(StrategiesView) });
