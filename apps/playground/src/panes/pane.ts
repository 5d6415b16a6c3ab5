/**
 * What a pane is: a state that stands in the link, and a view of it. The page knows nothing else of panes, and panes nothing of
 * each other.
 */

import { type ComponentType, h } from "preact";
import * as v from "valibot";
import type { Engine } from "../engine/engine.ts";

/** What a view is given. */
export interface PaneProps<State> {
  /** The models. */
  readonly engine: Engine;
  /** What is shown. */
  readonly state: State;
  /**
   * Show another state; the link follows.
   *
   * @param next - the state, or what makes it of the last one
   */
  readonly setState: (next: State | ((last: State) => State)) => void;
}

/** A pane as its module defines it. */
export interface PaneDefinition<State> {
  /** In the link, and as the id of its tab: kebab-case. */
  readonly id: string;
  /** In the navigation. */
  readonly title: string;
  /** What a link may say; every member has a fallback (`v.optional`, `v.fallback`), so that `{}` is the first state. */
  readonly schema: v.GenericSchema<unknown, State>;
  /** Its view. */
  readonly View: ComponentType<PaneProps<State>>;
  /** What lies beside the page is needed for it: a page that stands alone leaves it out. */
  readonly isBeside?: boolean;
}

/** A pane in the table: its state's type is its own affair. */
export interface Pane {
  /** See {@link PaneDefinition.id}. */
  readonly id: string;
  /** See {@link PaneDefinition.title}. */
  readonly title: string;
  /** See {@link PaneDefinition.isBeside}. */
  readonly isBeside: boolean;
  /** The view, which takes states as a link has them. */
  readonly View: ComponentType<PaneProps<unknown>>;
}

/**
 * @param definition - a pane
 * @returns it as the table has it; what a link says wrong of its state is as if it said nothing
 */
export function pane<State>({ id, title, schema, View, isBeside = false }: PaneDefinition<State>): Pane {
  const read = (raw: unknown): State => {
    const found = v.safeParse(schema, raw ?? {});
    return found.success ? found.output : v.parse(schema, {});
  };
  const Checked = ({ engine, state, setState }: PaneProps<unknown>) => {
    const own = (next: State | ((last: State) => State)): void =>
      setState((last: unknown) =>
        typeof next === "function" ? (next as (last: State) => State)(read(last)) : next,
      );
    return h(View, { engine, state: read(state), setState: own });
  };
  return { id, title, isBeside, View: Checked };
}
