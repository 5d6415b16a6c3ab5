/** Lesson: one walk by hand. An address is taken apart level by level; each entry is guessed before it is shown. */

import { hex } from "@vmbind/drm";
import * as v from "valibot";
import { useAnswer } from "../ask.ts";
import type { ToldEntry } from "../engine/told-entries.ts";
import type { HandWalk } from "../engine/walk-by-hand.ts";
import { EntryFields } from "../entry-fields.tsx";
import { type Pane, type PaneProps, pane } from "../panes/pane.ts";
import { bytesText, Choice, count, Live, Question } from "./parts.tsx";

/** No format has more. */
const ENTRIES_MAX = 8;

const PLACES = ["bound", "unbound", "outside"] as const;
const PLACE_LABELS: Record<(typeof PLACES)[number], string> = {
  bound: "in a tile with memory",
  unbound: "in a tile without",
  outside: "far from the resource",
};

const KINDS = ["table", "page", "null", "empty"] as const;
const KIND_LABELS: Readonly<Record<string, string>> = {
  table: "the address of the next table",
  page: "the address of a page",
  null: "a leaf without memory",
  empty: "nothing",
};

const STATE = v.object({
  format: v.optional(v.string(), ""),
  place: v.optional(v.picklist(PLACES), "bound"),
  /** What was guessed of each entry: its number, and what it is. */
  guesses: v.optional(
    v.pipe(v.array(v.object({ index: v.string(), kind: v.string() })), v.maxLength(ENTRIES_MAX)),
    [],
  ),
});
type State = v.InferOutput<typeof STATE>;
type Guess = State["guesses"][number];

const NONE: Guess = { index: "", kind: "" };

function WalkView({ engine, state, setState }: PaneProps<State>) {
  const { answer: formats } = useAnswer(engine, "walk-formats", undefined);
  const chosen = (formats ?? []).find(({ format }) => format === state.format) ?? formats?.[0];
  const {
    answer: walk,
    isCurrent,
    error,
  } = useAnswer(
    engine,
    "walk-by-hand",
    chosen === undefined ? null : { strategy: chosen.strategy, place: state.place },
  );
  const entries = walk?.entries ?? [];
  // An entry is there to be guessed once the one before it was seen.
  const done = entries.findIndex((entry, i) => !isSeen(entries, state.guesses, entry, i));
  const open = done < 0 ? entries.length : done;
  const guess = (i: number, change: Partial<Guess>): void =>
    setState((last) => {
      const guesses = Array.from(
        { length: Math.max(last.guesses.length, i + 1) },
        (_, n) => last.guesses[n] ?? NONE,
      );
      guesses[i] = { ...(guesses[i] ?? NONE), ...change };
      return { ...last, guesses };
    });
  return (
    <>
      <p>
        A GPU does not know where your bytes are. It looks: an address is cut into groups of bits, and each
        group is the number of an entry in a table. The entry says where the next table is, until one says
        where the <dfn>page</dfn> is. That is a <dfn>walk</dfn>, and every GPU family has its own tables for
        it.
      </p>
      <p>
        Do one yourself. These tables are real ones: the driver's model wrote them for a sparse resource of 4
        MiB with one tile bound.
      </p>
      <Live label="an address and its tables">
        <Choice
          legend="Tables"
          options={(formats ?? []).map(({ format, driver }) => ({
            value: format,
            label: `${format} (${driver})`,
          }))}
          chosen={chosen?.format ?? ""}
          choose={(format) => setState((last) => ({ ...last, format, guesses: [] }))}
        />
        <Choice
          legend="An address"
          options={PLACES.map((value) => ({ value, label: PLACE_LABELS[value] }))}
          chosen={state.place}
          choose={(place) => setState((last) => ({ ...last, place, guesses: [] }))}
        />
        {error && <p class="bad">{error}</p>}
        {walk && isCurrent && (
          <>
            <Bits
              walk={walk}
              entry={entries[Math.min(open, entries.length - 1)]}
              isDone={open === entries.length}
            />
            <p>
              Virtual address <code>{hex(walk.va)}</code>. A register says where the first table is:{" "}
              <code>{hex(walk.root)}</code>.
            </p>
          </>
        )}
      </Live>
      {walk &&
        isCurrent &&
        entries
          .slice(0, open + 1)
          .map((entry, i) => (
            <Level
              key={`${walk.format} ${walk.va} ${i}`}
              entry={entry}
              index={isSameEntry(entries, i) ? null : optionsFor(entries, i)}
              guess={state.guesses[i] ?? NONE}
              choose={(change) => guess(i, change)}
            />
          ))}
      {walk && isCurrent && open === entries.length && <End walk={walk} />}
      {walk && isCurrent && (
        <p class="row">
          <button
            type="button"
            disabled={open === entries.length}
            onClick={() =>
              setState((last) => ({
                ...last,
                guesses: entries.map(({ index, kind }) => ({ index: `${index}`, kind })),
              }))
            }
          >
            Show the whole walk
          </button>
          <button
            type="button"
            disabled={state.guesses.length === 0}
            onClick={() => setState((last) => ({ ...last, guesses: [] }))}
          >
            Walk again
          </button>
        </p>
      )}
    </>
  );
}

/** Whether it is the other half of the entry before it, or of one that was read then: its number is known. */
function isSameEntry(entries: readonly ToldEntry[], i: number): boolean {
  return entries[i]?.half === "second" && entries.slice(0, i).some(({ half }) => half === "first");
}

function isSeen(
  entries: readonly ToldEntry[],
  guesses: readonly Guess[],
  _entry: ToldEntry,
  i: number,
): boolean {
  const { index, kind } = guesses[i] ?? NONE;
  return kind !== "" && (index !== "" || isSameEntry(entries, i));
}

/** The right number among those that come of taking other bits, in a fixed order. */
function optionsFor(entries: readonly ToldEntry[], i: number): string[] {
  const entry = entries[i];
  if (entry === undefined) return [];
  const { index, entries: size } = entry;
  const others = [
    ...entries.map((other) => other.index % size),
    index >> 1,
    (index * 2) % size,
    (index + 1) % size,
    size - 1,
  ].filter((other) => other !== index);
  return [...new Set([index, ...[...new Set(others)].slice(0, 3)])].sort((a, b) => a - b).map(String);
}

/** The address bit by bit, cut where the tables cut it; the group that is looked at now is marked. */
function Bits({ walk, entry, isDone }: { walk: HandWalk; entry: ToldEntry | undefined; isDone: boolean }) {
  const now = rangeOf(entry?.indexBits ?? "0:0");
  const ranges = walk.entries.map(({ indexBits }) => rangeOf(indexBits));
  const cuts = new Set([walk.vaBits, 0, ...ranges.flatMap(([high, low]) => [high + 1, low])]);
  const edges = [...cuts].sort((a, b) => b - a);
  const bits = BigInt(walk.va).toString(2).padStart(walk.vaBits, "0");
  return (
    <ul class="va-bits" aria-label="the address in bits">
      {edges.slice(0, -1).map((top, i) => {
        const low = edges[i + 1] ?? 0;
        const isNow = !isDone && top - 1 <= now[0] && low >= now[1];
        return (
          <li key={top} class={isNow ? "now" : ""} aria-current={isNow ? "step" : undefined}>
            <code>{bits.slice(walk.vaBits - top, walk.vaBits - low)}</code>
            <small class="bit-range">
              {top - 1}
              {top - 1 > low && `:${low}`}
            </small>
          </li>
        );
      })}
    </ul>
  );
}

function rangeOf(indexBits: string): [high: number, low: number] {
  const [high = 0, low = 0] = indexBits.split(":").map(Number);
  return [high, low];
}

/** One entry: which it is, what it is, what its bits say. */
function Level({
  entry,
  index,
  guess,
  choose,
}: {
  entry: ToldEntry;
  index: readonly string[] | null;
  guess: Guess;
  choose: (change: Partial<Guess>) => void;
}) {
  const half = entry.half === null ? "" : `, ${entry.half} half of the entry`;
  const isFound = index === null || guess.index !== "";
  return (
    <section class="level" aria-label={`level ${entry.level}${half}`}>
      <h2>
        Level {entry.level}
        {half}
        {entry.isCompact && ", a table of larger pages"}
      </h2>
      {index !== null && (
        <Question
          asks={`Bits ${entry.indexBits} of the address pick one of ${count(entry.entries)} entries. Which?`}
          options={index.map((value) => ({ value, label: value }))}
          chosen={guess.index}
          choose={(value) => choose({ index: value })}
          right={`${entry.index}`}
        >
          <p>
            Entry {entry.index}. Each entry here covers {bytesText(entry.entryBytes)} of addresses; this one
            lies at <code>{hex(entry.address)}</code>.
          </p>
        </Question>
      )}
      {isFound && (
        <Question
          asks={`It holds ${entry.entry}. What is that?`}
          options={KINDS.map((value) => ({ value, label: KIND_LABELS[value] ?? value }))}
          chosen={guess.kind}
          choose={(kind) => choose({ kind })}
          right={entry.kind}
        >
          <EntryFields fields={entry.fields} />
        </Question>
      )}
    </section>
  );
}

function End({ walk }: { walk: HandWalk }) {
  const { entries, kind, pa, sizeBytes, va } = walk;
  return (
    <p role="status">
      <strong>{entries.length} entries read.</strong>{" "}
      {kind === "page" && (
        <>
          The leaf covers {bytesText(sizeBytes)}. The bits of the address that no table looked at are the
          place in it: the byte is at <code>{hex(pa)}</code> in physical memory, {count(va % sizeBytes)} bytes
          behind the start of the leaf's range.
        </>
      )}
      {kind === "null" && (
        <>
          There is a leaf of {bytesText(sizeBytes)}, and no memory: a load gives 0, a store vanishes. That is
          what a sparse resource looks like where nothing is bound.
        </>
      )}
      {kind === "fault" && <>The way ends here: the GPU faults.</>} A TLB remembers this, so that the next
      access reads no table at all.
    </p>
  );
}

/** One walk by hand. */
export const walk: Pane = pane({ id: "walk", title: "One walk by hand", schema: STATE, View: WalkView });
