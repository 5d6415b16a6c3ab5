/** One ioctl: operations, steps, leaves, costs, and why it was refused. */

import { useEffect, useRef, useState } from "preact/hooks";
import { useAnswer } from "../../ask.ts";
import type { Engine } from "../../engine/engine.ts";
import type { AnswerOf } from "../../engine/protocol.ts";
import { VirtualList } from "../../virtual-list.tsx";
import { addressIn } from "./index-of.ts";

type Told = AnswerOf<"tell-call">;
type Line = Told["lines"][number];

/** Lines that are asked for at a time. */
const PAGE = 200;

/** See the module. */
export function CallView({
  engine,
  trace,
  seq,
  lookAt,
}: {
  engine: Engine;
  trace: string;
  seq: number;
  lookAt: (va: number) => void;
}) {
  const { answer: told, isCurrent, error } = useAnswer(engine, "tell-call", { trace, seq });
  if (error !== "") return <p class="bad">{error}</p>;
  if (told === null) return <p class="muted">…</p>;
  return (
    <article class="told" aria-busy={!isCurrent}>
      <h2>
        #{told.seq} {told.ioctl}
      </h2>
      <p>
        {told.text} = <strong class={told.reason === "" ? "good" : "bad"}>{told.result}</strong>
        {told.recorded !== null && <span class="bad"> (the recording has {told.recorded})</span>}
        <span class="muted"> · line {told.line}</span>
      </p>
      {told.reason !== "" && <p class="reason">{told.reason}</p>}
      {told.lineCount > 0 && (
        <>
          <h3>
            {told.opCount} {told.opCount === 1 ? "operation" : "operations"}, {told.stepCount}{" "}
            {told.stepCount === 1 ? "step" : "steps"}
          </h3>
          <Lines key={`${trace} ${seq}`} engine={engine} trace={trace} told={told} lookAt={lookAt} />
        </>
      )}
      {told.leaves.length > 0 && (
        <>
          <h3>page-table leaves that came (+), went (−) or changed (~)</h3>
          <ul class="leaves">
            {told.leaves.map((text) => (
              <li key={text}>
                <Addresses text={text} lookAt={lookAt} />
              </li>
            ))}
            {told.leafRunCount > told.leaves.length && (
              <li>… {told.leafRunCount - told.leaves.length} more runs</li>
            )}
          </ul>
        </>
      )}
      {told.costs.length > 0 && (
        <details>
          <summary>what it cost</summary>
          <table>
            <tbody>
              {told.costs.map(({ title, value }) => (
                <tr key={title}>
                  <th scope="row">{title}</th>
                  <td class="number">{value.toLocaleString("en")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      )}
    </article>
  );
}

/** Lines come in pages as somebody scrolls to them. */
function Lines({
  engine,
  trace,
  told,
  lookAt,
}: {
  engine: Engine;
  trace: string;
  told: Told;
  lookAt: (va: number) => void;
}) {
  const known = useRef(new Map<number, readonly Line[]>([[0, told.lines]]));
  const [wanted, setWanted] = useState(0);
  const [, setLoaded] = useState(0);
  useEffect(() => {
    if (known.current.has(wanted)) return;
    const giveUp = new AbortController();
    engine
      .ask("tell-call", { trace, seq: told.seq, from: wanted * PAGE, count: PAGE }, { signal: giveUp.signal })
      .then(({ lines }) => {
        known.current.set(wanted, lines);
        setLoaded((n) => n + 1);
      })
      .catch(() => {});
    return () => giveUp.abort();
  }, [wanted]);
  const at = (row: number): Line | undefined => known.current.get(Math.floor(row / PAGE))?.[row % PAGE];
  return (
    <VirtualList
      label={`operations and steps of #${told.seq} of ${trace}`}
      count={told.lineCount}
      rowHeight={21}
      rowsShown={14}
      chosen={told.lines.findIndex(({ isRefused }) => isRefused)}
      rowClass={(row) => (at(row)?.isRefused ? "line refused" : at(row)?.isStep ? "line step" : "line")}
      row={(row) => {
        const line = at(row);
        if (line === undefined) {
          queueMicrotask(() => setWanted(Math.floor(row / PAGE)));
          return "…";
        }
        return <Addresses text={line.text} lookAt={lookAt} />;
      }}
    />
  );
}

/** Text whose first address can be looked at. */
function Addresses({ text, lookAt }: { text: string; lookAt: (va: number) => void }) {
  const match = /0x[0-9a-f]+/.exec(text);
  const va = match === null ? null : addressIn(match[0]);
  if (match === null || va === null) return <>{text}</>;
  return (
    <>
      {text.slice(0, match.index)}
      <button type="button" class="address" onClick={() => lookAt(va)}>
        {match[0]}
      </button>
      {text.slice(match.index + match[0].length)}
    </>
  );
}
