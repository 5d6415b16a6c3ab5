/** Starts the engine and shows the panes of the table; it knows none of them. */

import { render } from "preact";
import { App } from "./app.tsx";
import { engineOverWorker } from "./engine/over-worker.ts";
import { linkOf } from "./link.ts";
import { PANES } from "./panes/table.ts";
import { embeddedTrace } from "./recordings.ts";
import "./style.css";

const root = document.getElementById("app");
if (root !== null) {
  const engine = engineOverWorker();
  void linkOf(location.hash).then((first) => {
    root.replaceChildren();
    const panes = embeddedTrace() === null ? PANES : PANES.filter(({ isBeside }) => !isBeside);
    render(<App engine={engine} panes={panes} first={first} />, root);
  });
}
