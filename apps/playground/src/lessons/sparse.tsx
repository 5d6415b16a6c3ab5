/** Lesson: what sparse means. A resource of sixteen tiles, to bind, read and write. */

import * as v from "valibot";
import { useAnswer } from "../ask.ts";
import type { TileAct, TileLook } from "../engine/try-tiles.ts";
import { type Pane, type PaneProps, pane } from "../panes/pane.ts";
import { useAnswers } from "./ask.ts";
import { Choice, Live, Question, StrategySelect, strategyOr, useStrategies } from "./parts.tsx";

const TILES = 16;
/** More acts than anybody makes; a link is no script. */
const ACTS_MAX = 200;

const TOOLS = ["bind", "unbind", "write", "read"] as const;
type Tool = (typeof TOOLS)[number];

const STATE = v.object({
  strategy: v.optional(v.string(), ""),
  sparse: v.optional(v.boolean(), true),
  tool: v.optional(v.picklist(TOOLS), "bind"),
  acts: v.optional(
    v.pipe(
      v.array(
        v.tuple([v.picklist(TOOLS), v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(TILES - 1))]),
      ),
      v.maxLength(ACTS_MAX),
    ),
    [],
  ),
  guess: v.optional(v.string(), ""),
});
type State = v.InferOutput<typeof STATE>;

/** The word that the n-th act writes: told apart, and short. */
const wordOf = (act: number): number => act + 1;

const ACT_OF: Record<Tool, (tile: number, i: number) => TileAct> = {
  bind: (tile) => ({ does: "bind", tile }),
  unbind: (tile) => ({ does: "unbind", tile }),
  read: (tile) => ({ does: "read", tile }),
  write: (tile, i) => ({ does: "write", tile, word: wordOf(i) }),
};

const SHOWS: Record<TileLook["shows"], string> = {
  memory: "your memory",
  "stand-in": "a page that stands in",
  nothing: "an entry without memory",
  fault: "no translation",
};

/** What a write to an unbound tile is read back as, told in one word for each strategy. */
const WRITTEN = 7;
const PROBE: readonly TileAct[] = [
  { does: "write", tile: 5, word: WRITTEN },
  { does: "read", tile: 5 },
];

function SparseView({ engine, state, setState }: PaneProps<State>) {
  const rows = useStrategies(engine);
  const strategy = strategyOr(rows, state.strategy);
  const acts = state.acts.map(([tool, tile], i) => ACT_OF[tool](tile, i));
  const { answer, error } = useAnswer(
    engine,
    "try-tiles",
    strategy === "" ? null : { strategy, sparse: state.sparse, tiles: TILES, acts },
  );
  const act = (tile: number): void =>
    setState((last) => ({
      ...last,
      acts: [...last.acts, [last.tool, tile] as [Tool, number]].slice(-ACTS_MAX),
    }));
  return (
    <>
      <p>
        A world in a game may have more texture than the card has memory. A <dfn>sparse</dfn> resource gets
        all of its addresses at once, and memory only where something is to be seen. The rest is{" "}
        <dfn>unbound</dfn>.
      </p>
      <p>
        An ordinary address without memory is a mistake: the GPU <dfn>faults</dfn>, and its job dies. A sparse
        one is not. Vulkan lets a shader touch any tile, bound or not. So someone has to tell the driver: this
        range is sparse. How that is said, and what it costs, is what this project is about.
      </p>
      <Live label="sixteen tiles">
        <StrategySelect
          rows={rows}
          chosen={strategy}
          choose={(name) => setState((last) => ({ ...last, strategy: name }))}
          label="Said by"
        />
        <label class="tick">
          <input
            type="checkbox"
            checked={state.sparse}
            onChange={(event) => setState({ ...state, sparse: event.currentTarget.checked })}
          />
          <span>The driver was told that the range is sparse</span>
        </label>
        <Choice
          legend="A click on a tile will"
          options={TOOLS.map((tool) => ({ value: tool, label: `${tool} it` }))}
          chosen={state.tool}
          choose={(tool) => setState((last) => ({ ...last, tool }))}
        />
        <div class="tiles">
          {(answer?.tiles ?? []).map(({ shows }, tile) => (
            <button key={tile} type="button" class={`tile ${shows}`} onClick={() => act(tile)}>
              <span class="tile-number">{tile}</span>{" "}
              <span class="tile-word">{lastWord(acts, answer?.results ?? [], tile)}</span>
              <span class="unseen"> tile with {SHOWS[shows]}</span>
            </button>
          ))}
        </div>
        <ul class="legend">
          {(Object.keys(SHOWS) as TileLook["shows"][])
            .filter((shows) => answer?.tiles.some((tile) => tile.shows === shows))
            .map((shows) => (
              <li key={shows}>
                <i class={`swatch tile ${shows}`} />
                {SHOWS[shows]}
              </li>
            ))}
        </ul>
        {error && <p class="bad">{error}</p>}
        <div class="log" role="log" aria-label="what happened">
          {acts.length === 0 ? (
            <p class="muted">Nothing happened yet: the tiles are as the driver left them.</p>
          ) : (
            <ol class="log-list">
              {acts
                .map((one, i) => <li key={i}>{sentence(one, answer?.results[i])}</li>)
                .slice(-5)
                .reverse()}
            </ol>
          )}
        </div>
        <p class="row">
          <button
            type="button"
            disabled={acts.length === 0}
            onClick={() => setState((last) => ({ ...last, acts: last.acts.slice(0, -1) }))}
          >
            Take back
          </button>
          <button
            type="button"
            disabled={acts.length === 0}
            onClick={() => setState((last) => ({ ...last, acts: [] }))}
          >
            Start again
          </button>
          <span class="muted">VM_BIND operations so far: {answer?.operations ?? 0}</span>
        </p>
      </Live>
      <WriteQuestion
        engine={engine}
        strategies={rows.map(({ name }) => name)}
        chosen={state.guess}
        choose={(guess) => setState((last) => ({ ...last, guess }))}
      />
    </>
  );
}

type Results = readonly { readonly word: number | null; readonly fault: string | null }[];

/** What the last access to a tile came to. */
function lastWord(acts: readonly TileAct[], results: Results, tile: number): string {
  for (let i = acts.length - 1; i >= 0; i--) {
    const act = acts[i];
    if (act?.tile !== tile || (act.does !== "read" && act.does !== "write")) continue;
    if (results[i] === undefined) return "";
    if (results[i]?.fault !== null) return "fault";
    return act.does === "write" ? `wrote ${act.word}` : `reads ${results[i]?.word}`;
  }
  return "";
}

function sentence(act: TileAct, result: Results[number] | undefined) {
  const what = act.does === "write" ? `write ${act.word} to` : act.does;
  const fault = result?.fault ?? null;
  return (
    <>
      {what} tile {act.tile}
      {act.does === "read" && fault === null && result !== undefined && (
        <>
          : <strong>{result.word}</strong>
        </>
      )}
      {fault !== null && <span class="bad">: the GPU faults. {fault}</span>}
    </>
  );
}

function WriteQuestion({
  engine,
  strategies,
  chosen,
  choose,
}: Pick<PaneProps<State>, "engine"> & {
  strategies: readonly string[];
  chosen: string;
  choose: (guess: string) => void;
}) {
  const { answer } = useAnswers(
    engine,
    "try-tiles",
    strategies.map((strategy) => ({ strategy, sparse: true, tiles: TILES, acts: PROBE })),
  );
  const told = (answer ?? []).map(({ results }) => results[1]?.word ?? null);
  const words = new Set(told);
  const right = told.length === 0 ? null : words.size > 1 ? "depends" : String([...words][0]);
  return (
    <Question
      asks={`A shader writes ${WRITTEN} to an unbound tile and reads it back. What does it get?`}
      options={[
        { value: "0", label: "0" },
        { value: `${WRITTEN}`, label: `${WRITTEN}` },
        { value: "null", label: "a fault" },
        { value: "depends", label: "that depends on how sparse is said" },
      ]}
      chosen={chosen}
      choose={choose}
      right={right}
    >
      <table>
        <thead>
          <tr>
            <th>said by</th>
            <th class="number">reads back</th>
          </tr>
        </thead>
        <tbody>
          {strategies.map((name, i) => (
            <tr key={name}>
              <td>
                <code>{name}</code>
              </td>
              <td class="number">{told[i] ?? "fault"}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p>
        All of it is allowed. Only a driver that reports <code>residencyNonResidentStrict</code> promises 0,
        and then a write has to vanish. Untick the box above to see what happens to a range that nobody was
        told about; a VM that was made with a scratch page does not fault even there.
      </p>
    </Question>
  );
}

/** What sparse means. */
export const sparse: Pane = pane({
  id: "sparse",
  title: "What sparse means",
  schema: STATE,
  View: SparseView,
});
