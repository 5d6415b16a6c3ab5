/** Lesson: split and merge in pictures. A request is chosen on a ruler of pages, and its steps are gone through one by one. */

import { useRef } from "preact/hooks";
import * as v from "valibot";
import { useAnswer } from "../ask.ts";
import type { CutOperation, CutStep, Piece } from "../engine/cut-mappings.ts";
import { type Pane, type PaneProps, pane } from "../panes/pane.ts";
import { amount, Choice, Live, Question } from "./parts.tsx";

const PAGES = 16;
const OPERATIONS_MAX = 30;

/** What can be asked for, by what it maps. */
const REQUESTS = ["unmap", "other", "same"] as const;
type RequestName = (typeof REQUESTS)[number];
const REQUEST_LABELS: Record<RequestName, string> = {
  unmap: "unmap the range",
  other: "map object B there",
  same: "map the same bytes of A again",
};

const page = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(PAGES));
const STATE = v.object({
  request: v.optional(v.picklist(REQUESTS), "unmap"),
  first: v.optional(v.pipe(page, v.maxValue(PAGES - 1)), 6),
  pages: v.optional(v.pipe(page, v.minValue(1)), 4),
  step: v.optional(page, 0),
  done: v.optional(
    v.pipe(
      v.array(v.object({ request: v.picklist(REQUESTS), first: page, pages: page })),
      v.maxLength(OPERATIONS_MAX),
    ),
    [],
  ),
  guess: v.optional(v.string(), ""),
});
type State = v.InferOutput<typeof STATE>;

/** What there is before anything is asked: one mapping of A, whose first byte is not the object's. */
const FIRST: CutOperation = { does: "map", first: 2, pages: 12, object: "A", offset: 1 };

function operationOf({ request, first, pages }: State["done"][number]): CutOperation {
  const inside = Math.min(pages, PAGES - first);
  if (request === "unmap") return { does: "unmap", first, pages: inside, object: "", offset: 0 };
  if (request === "other") return { does: "map", first, pages: inside, object: "B", offset: 0 };
  // The byte of A that the first mapping showed here, so that nothing changes for the GPU.
  return {
    does: "map",
    first,
    pages: inside,
    object: "A",
    offset: Math.max(first - FIRST.first + FIRST.offset, 0),
  };
}

function SplitView({ engine, state, setState }: PaneProps<State>) {
  const asked = operationOf(state);
  const operations = [FIRST, ...state.done.map(operationOf), asked];
  const { answer, error } = useAnswer(engine, "cut-mappings", { pages: PAGES, operations });
  const result = answer?.at(-1);
  const steps = result?.steps ?? [];
  const at = Math.min(state.step, steps.length);
  const shown = at === 0 ? (result?.before ?? []) : (steps[at - 1]?.after ?? []);
  const choose = (change: Partial<State>): void =>
    setState((last) => ({ ...last, ...change, step: change.step ?? 0, guess: change.guess ?? "" }));
  return (
    <>
      <p>
        The kernel keeps a list of <dfn>mappings</dfn>: these addresses show those bytes of that object. Two
        mappings never overlap. User space may ask for any range, also for one in the middle of a mapping.
        Then that mapping is <dfn>split</dfn>: it goes, and what sticks out at either end comes back as a
        mapping of its own.
      </p>
      <p>
        The kernel's GPUVM code works out the <dfn>steps</dfn> and hands them to the driver one by one:{" "}
        <b>unmap</b> (a mapping goes), <b>remap</b> (one is cut, and pieces of it stay), <b>map</b> (a new one
        comes).
      </p>
      <Live label="a list of mappings">
        <Choice
          legend="Ask the kernel to"
          options={REQUESTS.map((value) => ({ value, label: REQUEST_LABELS[value] }))}
          chosen={state.request}
          choose={(request) => choose({ request })}
        />
        <Ruler pieces={shown} first={asked.first} pages={asked.pages} choose={choose} />
        <div class="row">
          <Slider
            label="first page"
            min={0}
            max={PAGES - 1}
            value={state.first}
            set={(first) => choose({ first })}
          />
          <Slider
            label="pages"
            min={1}
            max={PAGES - asked.first}
            value={asked.pages}
            set={(pages) => choose({ pages })}
          />
        </div>
        <div class="row">
          <button type="button" disabled={at === 0} onClick={() => setState({ ...state, step: at - 1 })}>
            Back
          </button>
          <button
            type="button"
            disabled={at >= steps.length}
            onClick={() => setState({ ...state, step: at + 1 })}
          >
            Next step
          </button>
          <span class="muted">
            {at === 0
              ? `before: ${amount(steps.length, "step")} to go`
              : `after step ${at} of ${steps.length}`}
          </span>
        </div>
        <ol class="steps">
          {steps.map((step, i) => (
            <li key={i} aria-current={i === at - 1 ? "step" : undefined} class={i < at ? "" : "to-come"}>
              {i < at ? <Told step={step} /> : <span class="muted">not yet</span>}
            </li>
          ))}
        </ol>
        {steps.length === 0 && result && <p class="muted">Nothing is mapped there: no step at all.</p>}
        {(error || result?.refused) && <p class="bad">{error || result?.refused}</p>}
        <p class="row">
          <button
            type="button"
            disabled={steps.length === 0 || state.done.length >= OPERATIONS_MAX}
            onClick={() =>
              setState({
                ...state,
                done: [...state.done, { request: state.request, first: asked.first, pages: asked.pages }],
                step: 0,
                guess: "",
              })
            }
          >
            Go on from the result
          </button>
          <button type="button" disabled={state.done.length === 0} onClick={() => choose({ done: [] })}>
            Start again
          </button>
        </p>
      </Live>
      <Question
        asks="How many mappings are there when this request is done?"
        options={[0, 1, 2, 3, 4].map((n) => ({ value: `${n}`, label: n === 4 ? "4 or more" : `${n}` }))}
        chosen={state.guess}
        choose={(guess) => setState({ ...state, guess })}
        right={result ? `${Math.min(steps.at(-1)?.after.length ?? result.before.length, 4)}` : null}
      >
        <p>
          Where is the <b>merge</b>? In one bit. A step says <em>keep</em> when the request shows the same
          bytes at the same addresses as before, and then the driver may leave the page-table entries alone.
          Two neighbours are never joined to one mapping, even where their bytes go on: map the same bytes of
          A again over a part of it, and count.
        </p>
      </Question>
    </>
  );
}

function Slider({
  label,
  min,
  max,
  value,
  set,
}: {
  label: string;
  min: number;
  max: number;
  value: number;
  set: (value: number) => void;
}) {
  return (
    <label class="slider">
      <span class="slider-label">
        {label} <b>{value}</b>
      </span>
      <input
        type="range"
        min={min}
        max={max}
        value={value}
        onInput={(event) => set(event.currentTarget.valueAsNumber)}
      />
    </label>
  );
}

const WIDTH = 640;
const CELL = WIDTH / PAGES;

/** The address space as a ruler: the mappings, and the range that is asked about, which can be dragged over it. */
function Ruler({
  pieces,
  first,
  pages,
  choose,
}: {
  pieces: readonly Piece[];
  first: number;
  pages: number;
  choose: (change: { first: number; pages: number }) => void;
}) {
  const begun = useRef<number | null>(null);
  const pageAt = (event: PointerEvent): number => {
    const { left, width } = (event.currentTarget as Element).getBoundingClientRect();
    return Math.min(Math.max(Math.floor(((event.clientX - left) / width) * PAGES), 0), PAGES - 1);
  };
  const drag = (event: PointerEvent): void => {
    if (begun.current === null) return;
    const here = pageAt(event);
    const start = Math.min(begun.current, here);
    choose({ first: start, pages: Math.abs(here - begun.current) + 1 });
  };
  const told = pieces.map(describe).join(", ");
  return (
    <svg
      class="ruler"
      viewBox={`0 0 ${WIDTH} 112`}
      role="img"
      aria-label={`${PAGES} pages; mapped: ${told || "nothing"}; asked about: ${span(first, pages)}`}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        begun.current = pageAt(event);
        drag(event);
      }}
      onPointerMove={drag}
      onPointerUp={() => {
        begun.current = null;
      }}
    >
      <rect class="asked" x={first * CELL} y="4" width={pages * CELL} height="84" />
      {pieces.map((piece) => (
        <g key={piece.first}>
          <rect
            class={`piece object-${piece.object}`}
            x={piece.first * CELL + 1.5}
            y="22"
            width={piece.pages * CELL - 3}
            height="48"
            rx="3"
          />
          <text
            class={`on-${piece.object}`}
            x={(piece.first + piece.pages / 2) * CELL}
            y="52"
            text-anchor="middle"
          >
            {piece.pages > 1 ? `${piece.object} + ${piece.offset}` : piece.object}
          </text>
        </g>
      ))}
      <path class="edge" d={`M${first * CELL} 4 V88 M${(first + pages) * CELL} 4 V88`} />
      {Array.from({ length: PAGES + 1 }, (_, i) => (
        <g key={i}>
          <path class="tick-line" d={`M${i * CELL} 88 v6`} />
          {i % 2 === 0 && i < PAGES && (
            <text class="tick-label" x={i * CELL + CELL / 2} y="107" text-anchor="middle">
              {i}
            </text>
          )}
        </g>
      ))}
    </svg>
  );
}

function span(first: number, pages: number): string {
  return pages === 1 ? `page ${first}` : `pages ${first} to ${first + pages - 1}`;
}

function describe({ first, pages, object, offset }: Piece): string {
  return `${span(first, pages)} show ${object} from its page ${offset}`;
}

function Told({ step: { kind, piece, front, behind, keep } }: { step: CutStep }) {
  const stay = [front, behind].filter((side) => side !== null);
  return (
    <>
      <b>{kind}</b> {kind === "map" && `${describe(piece)}.`}
      {kind === "unmap" && `${span(piece.first, piece.pages)} of ${piece.object} go.`}
      {kind === "remap" && (
        <>
          the mapping of {span(piece.first, piece.pages)} goes, and {amount(stay.length, "piece")} of it{" "}
          {stay.length === 1 ? "comes" : "come"} back: {stay.map(describe).join("; ")}.
        </>
      )}
      {keep && <em> keep: the same bytes come again, page-table entries may stay.</em>}
    </>
  );
}

/** Split and merge. */
export const splitAndMerge: Pane = pane({
  id: "split-and-merge",
  title: "Split and merge in pictures",
  schema: STATE,
  View: SplitView,
});
