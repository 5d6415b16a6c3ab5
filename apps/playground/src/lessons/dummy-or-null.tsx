/** Lesson: dummy or null. One word is written to an unbound tile; where is it read back? */

import * as v from "valibot";
import type { TileAct } from "../engine/try-tiles.ts";
import { type Pane, type PaneProps, pane } from "../panes/pane.ts";
import { useAnswers } from "./ask.ts";
import { amount, Live, Question, StrategySelect, strategyOr, useStrategies } from "./parts.tsx";

/** One and a half times what the largest dummies repeat: 2 MiB are 32 tiles of 64 KiB. */
const TILES = 48;
const WORD = 0x5a;

const STATE = v.object({
  written: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(TILES - 1)), 5),
  strategy: v.optional(v.string(), ""),
  guess: v.optional(v.string(), ""),
});
type State = v.InferOutput<typeof STATE>;

function DummyView({ engine, state, setState }: PaneProps<State>) {
  const rows = useStrategies(engine);
  const asked = strategyOr(rows, state.strategy);
  const acts: TileAct[] = [
    { does: "write", tile: state.written, word: WORD },
    ...Array.from({ length: TILES }, (_, tile): TileAct => ({ does: "read", tile })),
  ];
  const { answer, error } = useAnswers(
    engine,
    "try-tiles",
    rows.map(({ name }) => ({ strategy: name, sparse: true, tiles: TILES, acts })),
  );
  const echoes = (answer ?? []).map(({ results }) => results.slice(1).map(({ word }) => word === WORD));
  const shows = (answer ?? []).map(({ tiles }) => tiles[state.written]?.shows ?? "fault");
  const mine = echoes[rows.findIndex(({ name }) => name === asked)];
  const heard = mine?.filter(Boolean).length;
  return (
    <>
      <p>
        What can stand at an address where nothing is bound? A <dfn>dummy</dfn>: ordinary memory that nobody
        asked for, mapped over and over, because the hardware needs some. Or a <dfn>null entry</dfn>: the page
        table itself says that there is no memory; reads give 0 and writes vanish.
      </p>
      <p>
        To a shader that behaves, both look alike. The difference shows when something writes: a dummy
        remembers. And since it is one piece of memory at many addresses, it remembers in many places at once.
      </p>
      <Question
        asks={`Under ${asked || "the strategy below"}, one word goes to tile ${state.written} of ${TILES} unbound tiles. In how many is it read back?`}
        options={[
          { value: "none", label: "in none" },
          { value: "one", label: "in that one only" },
          { value: "some", label: "in some" },
          { value: "all", label: "in all" },
        ]}
        chosen={state.guess}
        choose={(guess) => setState((last) => ({ ...last, guess }))}
        right={
          heard === undefined
            ? null
            : heard === 0
              ? "none"
              : heard === TILES
                ? "all"
                : heard === 1
                  ? "one"
                  : "some"
        }
      >
        <p>
          In {amount(heard ?? 0, "tile")} of {TILES}. A dummy of one page is behind every tile; one of 2 MiB
          comes round every 32 tiles of 64 KiB. Move the write and look where its echo goes.
        </p>
      </Question>
      <Live label="where the word is read back">
        <StrategySelect
          rows={rows}
          chosen={asked}
          choose={(strategy) => setState((last) => ({ ...last, strategy, guess: "" }))}
          label="Guess about"
        />
        <label class="slider wide">
          <span class="slider-label">
            write to tile <b>{state.written}</b>
          </span>
          <input
            type="range"
            min={0}
            max={TILES - 1}
            value={state.written}
            onInput={(event) => {
              const written = event.currentTarget.valueAsNumber;
              setState((last) => ({ ...last, written, guess: "" }));
            }}
          />
        </label>
        {error && <p class="bad">{error}</p>}
        {state.guess === "" && (
          <p class="muted">Answer the question first: the echoes are drawn behind it.</p>
        )}
        <ul class="echoes">
          {rows.map(({ name }, i) => (
            <li key={name}>
              <span>
                <code>{name}</code>{" "}
                <span class="muted">{state.guess !== "" && shows[i] && WORDS[shows[i]]}</span>
              </span>
              <Strip
                written={state.written}
                heard={state.guess === "" ? [] : (echoes[i] ?? [])}
                name={name}
              />
            </li>
          ))}
        </ul>
        <ul class="legend">
          <li>
            <i class="swatch written" />
            written here
          </li>
          <li>
            <i class="swatch heard" />
            read back here
          </li>
        </ul>
      </Live>
      <p>
        Is an echo wrong? Vulkan lets an unbound read return anything, unless the driver reports{" "}
        <code>residencyNonResidentStrict</code>. But it is memory that another part of the program, and with
        some dummies another VM, can read. Memory that stands in need not echo, either: a GPU may drop all
        stores to one page that it was told of, and a driver may give a resource one address to write, with a
        scratch page behind it, and another one to read, with a page of zeros.
      </p>
    </>
  );
}

const WORDS = {
  memory: "memory",
  "stand-in": "memory stands in",
  nothing: "an entry without memory",
  fault: "no translation",
} as const;

const CELL = 13;

/** One cell a tile. */
function Strip({ written, heard, name }: { written: number; heard: readonly boolean[]; name: string }) {
  const places = heard.flatMap((yes, tile) => (yes ? [tile] : []));
  const told =
    heard.length === 0
      ? "not shown yet"
      : places.length === heard.length
        ? "in every tile"
        : places.join(", ") || "nowhere";
  return (
    <svg
      class="strip"
      viewBox={`0 0 ${TILES * CELL} 20`}
      role="img"
      aria-label={`${name}: read back ${told}`}
    >
      {Array.from({ length: TILES }, (_, tile) => (
        <g key={tile}>
          <rect
            class={heard[tile] ? "heard" : "quiet"}
            x={tile * CELL + 1}
            y="3"
            width={CELL - 2}
            height="14"
            rx="1.5"
          />
          {tile === written && (
            <rect class="written" x={tile * CELL + 0.5} y="1.5" width={CELL - 1} height="17" rx="2" />
          )}
        </g>
      ))}
    </svg>
  );
}

/** Dummy or null. */
export const dummyOrNull: Pane = pane({
  id: "dummy-or-null",
  title: "Dummy or null",
  schema: STATE,
  View: DummyView,
});
