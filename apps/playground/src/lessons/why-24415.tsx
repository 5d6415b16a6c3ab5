/** Lesson: why 24415. One sparse buffer of any size under every strategy, and what each has to say to the kernel. */

import * as v from "valibot";
import type { CreationCost } from "../engine/count-creation.ts";
import type { StrategyRow } from "../engine/sparse-strategies.ts";
import { type Pane, type PaneProps, pane } from "../panes/pane.ts";
import { useAnswers } from "./ask.ts";
import { amount, bytesText, Choice, count, Live, Question, useStrategies } from "./parts.tsx";

/** The buffer that the mailing list talked about. */
const THREAD_BYTES = 100_000_000;
const PAGE_BYTES = 4096;

const FIGURES = ["operations", "ioctls", "payloadBytes", "leaves", "tables", "invalidations"] as const;
type Figure = (typeof FIGURES)[number];
const FIGURE_LABELS: Record<Figure, string> = {
  operations: "operations",
  ioctls: "ioctls",
  payloadBytes: "bytes into the kernel",
  leaves: "leaf entries written",
  tables: "table pages",
  invalidations: "TLB invalidations",
};

const STATE = v.object({
  bytes: v.optional(
    v.pipe(v.number(), v.integer(), v.minValue(PAGE_BYTES), v.maxValue(2 ** 27)),
    THREAD_BYTES,
  ),
  figure: v.optional(v.picklist(FIGURES), "operations"),
  guess: v.optional(v.string(), ""),
});
type State = v.InferOutput<typeof STATE>;

/** The slider's notches: four to a doubling. */
const NOTCHES = 4;

function WhyView({ engine, state, setState }: PaneProps<State>) {
  const rows = useStrategies(engine);
  const { answer, error, busy } = useAnswers(
    engine,
    "count-creation",
    rows.map(({ name }) => ({ strategy: name, bytes: state.bytes })),
  );
  const costs = answer !== null && answer.length > 0 && answer.length === rows.length ? answer : null;
  const most = costs && Math.max(...costs.map(({ operations }) => operations));
  const pages = state.bytes / PAGE_BYTES;
  return (
    <>
      <p>
        In March 2026 the kernel's mailing list argued over a patch series. Behind it was one number. A Vulkan
        driver for Mali wanted to create a sparse buffer of {count(THREAD_BYTES)} bytes, with nothing bound.
        Mali has no entry that says "no memory here". So the driver has to map <em>something</em> at every
        address: a <dfn>dummy</dfn> page, again and again.
      </p>
      <p>
        A page is {count(PAGE_BYTES)} bytes. {count(state.bytes)} / {count(PAGE_BYTES)} ={" "}
        {pages.toLocaleString("en-US", { maximumFractionDigits: 2 })}, and a page that is used in part is a
        page.
      </p>
      <Question
        asks={`How many map operations does one dummy page at a time take for ${count(state.bytes)} bytes?`}
        options={optionsFor(state.bytes)}
        chosen={state.guess}
        choose={(guess) => setState((last) => ({ ...last, guess }))}
        right={most === null ? null : `${most}`}
      >
        <p>
          And each of them is checked, split against what is there, given a mapping of its own, written as an
          entry, and told to the TLB. Below is the same buffer under every answer that drivers have found.
        </p>
      </Question>
      <Live label="the same buffer under every strategy">
        <label class="slider wide">
          <span class="slider-label">
            size <b>{sizeText(state.bytes)}</b>
          </span>
          <input
            type="range"
            min={12 * NOTCHES}
            max={27 * NOTCHES}
            value={Math.round(Math.log2(state.bytes) * NOTCHES)}
            aria-valuetext={sizeText(state.bytes)}
            onInput={(event) => {
              const bytes = Math.round(2 ** (event.currentTarget.valueAsNumber / NOTCHES));
              setState((last) => ({ ...last, bytes, guess: "" }));
            }}
          />
        </label>
        <p class="row">
          <button
            type="button"
            disabled={state.bytes === THREAD_BYTES}
            onClick={() => setState((last) => ({ ...last, bytes: THREAD_BYTES, guess: "" }))}
          >
            The thread's buffer
          </button>
          <span class="muted" role="status">
            {busy ? "counting ..." : ""}
          </span>
        </p>
        <Choice
          legend="Show"
          options={FIGURES.map((value) => ({ value, label: FIGURE_LABELS[value] }))}
          chosen={state.figure}
          choose={(figure) => setState((last) => ({ ...last, figure }))}
        />
        {error && <p class="bad">{error}</p>}
        {costs && <Dots rows={rows} costs={costs} figure={state.figure} />}
      </Live>
      {costs && <Reading rows={rows} costs={costs} />}
    </>
  );
}

function sizeText(bytes: number): string {
  const unit = bytesText(bytes);
  return `${count(bytes)} bytes${unit.endsWith("bytes") ? "" : `, ${unit}`}`;
}

/** The right one among others that a reader might think of. */
function optionsFor(bytes: number): { value: string; label: string }[] {
  const whole = Math.ceil(bytes / PAGE_BYTES);
  const values = new Set([1, Math.max(Math.floor(bytes / 2 ** 21), 2), whole, whole * 8]);
  return [...values].sort((a, b) => a - b).map((value) => ({ value: `${value}`, label: count(value) }));
}

/** One dot a strategy, on a scale on which each line is ten times the one before. */
function Dots({
  rows,
  costs,
  figure,
}: {
  rows: readonly StrategyRow[];
  costs: readonly CreationCost[];
  figure: Figure;
}) {
  const values = costs.map((cost) => cost[figure]);
  const decades = Math.max(Math.ceil(Math.log10(Math.max(...values, 1))), 1);
  // 0 has no place on such a scale; it stands at its left end, a tenth of the way before 1.
  const at = (value: number): string => `${value === 0 ? 0 : 10 + (90 * Math.log10(value)) / decades}%`;
  const lines = Array.from({ length: decades + 1 }, (_, i) => 10 ** i);
  return (
    <ul class="dots" aria-label={FIGURE_LABELS[figure]}>
      <li class="dots-row" aria-hidden="true">
        <span />
        <span class="dots-track" style="--at:0%">
          {lines.map((value) => (
            <span key={value} class="dots-tick-label" style={`--at:${at(value)}`}>
              {tickText(value)}
            </span>
          ))}
        </span>
      </li>
      {rows.map(({ name, look }, i) => {
        const value = values[i] ?? 0;
        return (
          <li key={name} class="dots-row">
            <code class="dots-name">{name}</code>
            <span class="dots-track" style={`--at:${at(value)};--light:${look.light};--dark:${look.dark}`}>
              {lines.map((line) => (
                <span key={line} class="dots-tick" style={`--at:${at(line)}`} />
              ))}
              <span class="dots-dot" style={`--at:${at(value)}`} />
              <span class="dots-value" style={`--at:${at(value)}`}>
                {count(value)}
              </span>
            </span>
          </li>
        );
      })}
    </ul>
  );
}

/** A power of ten, short. */
function tickText(value: number): string {
  if (value >= 1e6) return `${value / 1e6}M`;
  return value >= 1e3 ? `${value / 1e3}k` : `${value}`;
}

/** What the figures say, in words that follow the figures. */
function Reading({ rows, costs }: { rows: readonly StrategyRow[]; costs: readonly CreationCost[] }) {
  const by = (figure: Figure) => costs.map((cost) => cost[figure]);
  const most = costs.reduce((a, b) => (b.operations > a.operations ? b : a));
  const leaves = by("leaves");
  const fewest = costs[leaves.indexOf(Math.min(...leaves))];
  const one = rows.filter((_, i) => costs[i]?.operations === 1).length;
  if (fewest === undefined) return null;
  return (
    <p>
      {amount(one, "strategy says", "strategies say")} it in one operation. That alone is not the cost: the
      most operations are {count(most.operations)}, in {amount(most.ioctls, "ioctl")}, while the leaf entries
      go from {count(fewest.leaves)} to {count(Math.max(...leaves))}. An operation may be one and its entries
      many: what fits a large leaf, of 2 MiB for instance, is one entry, what does not is one for each page.
      Show <em>leaf entries written</em> above and see who wrote blocks.
    </p>
  );
}

/** Why 24415. */
export const why24415: Pane = pane({ id: "why-24415", title: "Why 24415", schema: STATE, View: WhyView });
