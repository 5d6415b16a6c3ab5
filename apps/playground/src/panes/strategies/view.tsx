/** The strategies pane, as the page knows it before it is first shown. */

import { Later } from "../later.tsx";
import { type Pane, pane } from "../pane.ts";
import { STRATEGIES_STATE } from "./state.ts";
import "./style.css";

/** Two strategies, one workload. */
export const strategiesPane: Pane = pane({
  id: "strategies",
  title: "Strategies",
  isBeside: true,
  schema: STRATEGIES_STATE,
  View: (props) => <Later choose={({ strategies }) => strategies} props={props} />,
});
