/** Two traces side by side: what the one does and the other does not, and an ioctl of each. */

import { useCallback } from "preact/hooks";
import { useAnswer } from "../../ask.ts";
import type { AnswerOf } from "../../engine/protocol.ts";
import { hashOf } from "../../link.ts";
import { VirtualList } from "../../virtual-list.tsx";
import { type Pane, type PaneProps, pane } from "../pane.ts";
import { CallView } from "../trace/call.tsx";
import type { TraceIndex } from "../trace/index-of.ts";
import { type Opening, OpeningNotes, SourceBar, useDrop, useTrace } from "../trace/source.tsx";
import { Timeline } from "../trace/timeline.tsx";
import { COMPARE_STATE, type CompareState } from "./state.ts";
import "../trace/style.css";
import "./style.css";

type Diff = AnswerOf<"diff-traces">;
type Change = Diff["changes"][number];

const WORDS: Readonly<Record<Change["kind"], string>> = {
  missing: "only in A",
  new: "only in B",
  elsewhere: "elsewhere",
  "other-memory": "other memory",
  "other-size": "other size",
  moved: "earlier or later",
};

const NOT_FOUND: readonly number[] = [];

function CompareView({ engine, state, setState }: PaneProps<CompareState>) {
  const a = useTrace(engine, state.a);
  const b = useTrace(engine, state.b);
  const drop = useCallback(
    (name: string) =>
      setState((last) => (last.a === "" ? { ...last, a: name } : { ...last, b: name, at: null })),
    [setState],
  );
  const over = useDrop(drop);
  const both = a.index !== null && b.index !== null;
  const { answer: diff, error } = useAnswer(engine, "diff-traces", both ? { a: state.a, b: state.b } : null);
  const at: readonly [number, number] = state.at ?? [a.index?.telling ?? 0, b.index?.telling ?? 0];
  const choose = (side: 0 | 1, seq: number): void =>
    setState((last) => ({ ...last, at: side === 0 ? [seq, at[1]] : [at[0], seq] }));
  return (
    <div class="trace-pane compare">
      <h1>Two traces</h1>
      <p>
        Compared by meaning: a resource of one is that of the other which begins at the same place in the
        order with the same size, whatever addresses, handles and drivers they have.
      </p>
      <div class="sides">
        <Side
          label="A"
          name={state.a}
          opening={a}
          pick={(name) => setState((last) => ({ ...last, a: name, at: null }))}
          seq={at[0]}
          choose={(seq) => choose(0, seq)}
        />
        <Side
          label="B"
          name={state.b}
          opening={b}
          pick={(name) => setState((last) => ({ ...last, b: name, at: null }))}
          seq={at[1]}
          choose={(seq) => choose(1, seq)}
        />
      </div>
      {error !== "" && <p class="reason">{error}</p>}
      {both && diff !== null && (
        <Changes
          diff={diff}
          at={at}
          go={({ a, b }) => setState((last) => ({ ...last, at: [a?.seq ?? at[0], b?.seq ?? at[1]] }))}
        />
      )}
      {both && (
        <div class="sides">
          {([a, b] as const).map(({ index }, i) => {
            const trace = index?.trace.name ?? "";
            const seq = clamped(index, at[i] ?? 0);
            const lookAt = (va: number): void => void goTo({ trace, seq, va });
            return (
              <CallView key={i === 0 ? "A" : "B"} engine={engine} trace={trace} seq={seq} lookAt={lookAt} />
            );
          })}
        </div>
      )}
      {over && <div class="drop">Drop the trace</div>}
    </div>
  );
}

/** An address is looked at where there is its address space: in the other pane, as a link to it does; Back comes back. */
async function goTo(state: { trace: string; seq: number; va: number }): Promise<void> {
  location.hash = await hashOf({ pane: "trace", states: { trace: state } });
}

function clamped(index: TraceIndex | null, seq: number): number {
  return Math.min(seq, (index?.calls ?? 1) - 1);
}

function Side({
  label,
  name,
  opening,
  pick,
  seq,
  choose,
}: {
  label: string;
  name: string;
  opening: Opening;
  pick: (name: string) => void;
  seq: number;
  choose: (seq: number) => void;
}) {
  const { index } = opening;
  return (
    <section aria-label={`trace ${label}`}>
      <SourceBar name={name} choose={pick} label={label} />
      <OpeningNotes name={name} opening={opening} />
      {index !== null && (
        <>
          <p class="facts">
            <span>
              {index.trace.umd}, {index.trace.driver}
            </span>
            <span>
              <b>{index.calls.toLocaleString("en")}</b> ioctls
            </span>
            <span>
              <b>{index.ops.toLocaleString("en")}</b> operations
            </span>
          </p>
          <Timeline
            index={index}
            seq={clamped(index, seq)}
            found={NOT_FOUND}
            time={null}
            setTime={null}
            choose={choose}
            label={`time line of ${label}`}
          />
        </>
      )}
    </section>
  );
}

function Changes({
  diff,
  at,
  go,
}: {
  diff: Diff;
  at: readonly [number, number];
  go: (change: Change) => void;
}) {
  const { changes, changeCount, compared, resourcesOnly } = diff;
  const chosen = changes.findIndex(({ a, b }) => (a?.seq ?? at[0]) === at[0] && (b?.seq ?? at[1]) === at[1]);
  return (
    <section aria-label="differences">
      <h2>
        {changeCount === 0 ? "No difference" : `${changeCount.toLocaleString("en")} differences`}{" "}
        <span class="muted">
          of {compared[0].toLocaleString("en")} and {compared[1].toLocaleString("en")} things
          {resourcesOnly && ", in sparse resources"}
        </span>
      </h2>
      {changes.length > 0 && (
        <VirtualList
          label="differences of the traces"
          count={changes.length}
          rowHeight={24}
          rowsShown={10}
          chosen={chosen}
          choose={(row) => {
            const change = changes[row];
            if (change !== undefined) go(change);
          }}
          rowClass={() => "call"}
          row={(row) => {
            const change = changes[row];
            if (change === undefined) return null;
            const { kind, a, b } = change;
            return (
              <>
                <span class="sort">{WORDS[kind]}</span>
                <span class="what">{a === null ? "" : `#${a.seq} ${a.text}`}</span>
                <span class="what">{b === null ? "" : `#${b.seq} ${b.text}`}</span>
              </>
            );
          }}
        />
      )}
    </section>
  );
}

/** Two traces: how the second differs from the first. */
export const comparePane: Pane = pane({
  id: "compare",
  title: "Two traces",
  schema: COMPARE_STATE,
  View: CompareView,
});
