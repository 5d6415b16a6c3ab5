/** One address: what is mapped there and who mapped it, the walk level by level, and its whole history. */

import { hex, size, span } from "@vmbind/drm";
import { useAnswer } from "../../ask.ts";
import type { Engine } from "../../engine/engine.ts";
import type { AnswerOf } from "../../engine/protocol.ts";
import { EntryFields } from "../../entry-fields.tsx";
import { addressIn } from "./index-of.ts";
import { Seq } from "./problems.tsx";
import { sizeOf } from "./space.tsx";

type Walked = AnswerOf<"walk-address">;
type Event = AnswerOf<"tell-history">["events"][number];

/** What it shows. */
export interface AddressProps {
  readonly engine: Engine;
  readonly trace: string;
  readonly seq: number;
  readonly file: number;
  readonly vm: number;
  readonly va: number | null;
  readonly lookAt: (va: number | null) => void;
  readonly choose: (seq: number) => void;
}

/** See the module. */
export function Address(props: AddressProps) {
  const { engine, trace, seq, file, vm, va, lookAt, choose } = props;
  const where = va === null ? null : { trace, file, vm, va };
  const { answer: walked, error } = useAnswer(engine, "walk-address", where && { ...where, seq });
  const { answer: history } = useAnswer(engine, "tell-history", where);
  return (
    <section class="look" aria-label="an address">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const text = new FormData(event.currentTarget).get("va");
          lookAt(addressIn(String(text)));
        }}
      >
        <label>
          Address{" "}
          <input
            key={va}
            name="va"
            class="mono"
            placeholder="0x…"
            spellcheck={false}
            autocomplete="off"
            defaultValue={va === null ? "" : hex(va)}
          />
        </label>
        <button type="submit">Look</button>
      </form>
      {va === null && <p class="muted">Click into the address space, or on an address in an operation.</p>}
      {error !== "" && <p class="reason">{error}</p>}
      {va !== null && walked?.va === va && (
        <div class="columns">
          <div>
            <Now
              walked={walked}
              events={history?.va === va ? history.events : []}
              seq={seq}
              choose={choose}
            />
            <WalkView walked={walked} />
          </div>
          <div>
            {history?.va === va && (
              <History events={history.events} count={history.count} seq={seq} choose={choose} />
            )}
          </div>
        </div>
      )}
    </section>
  );
}

function Now({
  walked,
  events,
  seq,
  choose,
}: {
  walked: Walked;
  events: readonly Event[];
  seq: number;
  choose: (seq: number) => void;
}) {
  const by = events.findLast(
    (event) => event.seq <= seq && (event.what === "mapped" || event.what === "sparse"),
  );
  return (
    <div class="now">
      <h3>
        {hex(walked.va)} behind #{seq}
      </h3>
      {!walked.isThere && <p>There is no such VM then.</p>}
      {walked.isThere && (
        <>
          <p>
            {walked.kind === "page" && (
              <>
                The GPU reaches memory at <code>{hex(walked.pa)}</code>, in a leaf of {size(walked.sizeBytes)}
                ; it may {walked.rights || "do nothing"}.
              </>
            )}
            {walked.kind === "null" && <>There is no memory: loads give 0, stores are dropped.</>}
            {walked.kind === "fault" && <>An access faults.</>}
          </p>
          {walked.mappings.map(({ addr, range, kind, object, offset }) => (
            <p key={`${addr} ${kind}`}>
              Mapped: <code>{span(addr, range)}</code>, {sizeOf(range)},{" "}
              {object === "" ? kind : `${object} + ${hex(offset)}`}
              {object !== "" && <span class="muted"> ({kind})</span>}
            </p>
          ))}
          {walked.mappings.length === 0 && <p>The driver has no mapping here.</p>}
          {by !== undefined && walked.mappings.length > 0 && (
            <p>
              By <Seq seq={by.seq} choose={choose} /> {by.ioctl}
              {by.op > 0 ? `, operation ${by.op}` : ""}: <code>{by.text}</code>
            </p>
          )}
        </>
      )}
    </div>
  );
}

function WalkView({ walked }: { walked: Walked }) {
  const { entries, format } = walked;
  if (entries.length === 0) return null;
  return (
    <div class="walk">
      <h3>
        The walk <span class="muted">{format}</span>
      </h3>
      <ol>
        {entries.map((entry, i) => (
          <li key={i}>
            <details open={i === entries.length - 1}>
              <summary>
                <span class="level">
                  level {entry.level}
                  {entry.half !== null && `, ${entry.half} half`}
                  {entry.isCompact && ", 64 KiB"}
                </span>
                <code>{entry.entry}</code>
                <span class="kind">{KINDS[entry.kind] ?? entry.kind}</span>
              </summary>
              <p class="muted">
                bits {entry.indexBits} of the address: entry {entry.index} of {entry.entries}, at{" "}
                <code>{hex(entry.address)}</code>; covers {sizeOf(entry.entryBytes)}
              </p>
              <EntryFields fields={entry.fields} />
            </details>
          </li>
        ))}
      </ol>
    </div>
  );
}

const KINDS: Readonly<Record<string, string>> = {
  empty: "nothing",
  table: "a table",
  page: "a leaf",
  null: "a leaf without memory",
};

function History({
  events,
  count,
  seq,
  choose,
}: {
  events: readonly Event[];
  count: number;
  seq: number;
  choose: (seq: number) => void;
}) {
  return (
    <div class="history">
      <h3>Its history</h3>
      {events.length === 0 && <p class="muted">No operation of the trace ever covered this address.</p>}
      <ol>
        {folded(events).map((group) =>
          group.length === 1 ? (
            <HistoryItem key={keyOf(group[0])} event={group[0] as Event} seq={seq} choose={choose} />
          ) : (
            <li key={keyOf(group[0])}>
              <details>
                <summary>
                  cut {group.length} times, #{group[0]?.seq} to #{group.at(-1)?.seq}
                </summary>
                <ol>
                  {group.map((event) => (
                    <HistoryItem key={keyOf(event)} event={event} seq={seq} choose={choose} />
                  ))}
                </ol>
              </details>
            </li>
          ),
        )}
      </ol>
      {count > events.length && <p class="muted">… {count - events.length} more</p>}
    </div>
  );
}

function HistoryItem({ event, seq, choose }: { event: Event; seq: number; choose: (seq: number) => void }) {
  return (
    <li class={event.seq > seq ? "later" : undefined}>
      <Seq seq={event.seq} choose={choose} />
      {event.op > 0 && <span class="muted"> op {event.op}</span>}{" "}
      <strong class={event.what === "refused" ? "bad" : undefined}>{event.what}</strong>
      {event.object !== "" &&
        event.what !== "unmapped" &&
        `: ${event.object}, ${span(event.addr, event.range)}`}
      {event.did !== "" && <span class="muted"> {event.did}</span>}
      <br />
      <code class="muted">
        {event.ioctl} {event.text}
      </code>
    </li>
  );
}

/** A mapping that is cut again and again is one line until somebody asks. */
const CUTS_MAX = 3;

/** Events one by one, but for long runs of cuts. */
function folded(events: readonly Event[]): Event[][] {
  const groups: Event[][] = [];
  for (const event of events) {
    const last = groups.at(-1);
    if (event.what === "cut" && last?.at(-1)?.what === "cut") last.push(event);
    else groups.push([event]);
  }
  return groups.flatMap((group) => (group.length > CUTS_MAX ? [group] : group.map((event) => [event])));
}

function keyOf(event: Event | undefined): string {
  return `${event?.seq} ${event?.op}`;
}
