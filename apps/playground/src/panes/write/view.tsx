/** The write pane, as the page knows it before it is first shown. */

import { Later } from "../later.tsx";
import { type Pane, pane } from "../pane.ts";
import { WRITE_STATE } from "./state.ts";
import "./style.css";

/** Operations written once, answered by every driver. */
export const writePane: Pane = pane({
  id: "write",
  title: "Write",
  isBeside: true,
  schema: WRITE_STATE,
  View: (props) => <Later choose={({ write }) => write} props={props} />,
});
