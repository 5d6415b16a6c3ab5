/** Lesson: who holds which reference. One sparse resource from its creation to its end, with the counts of the living model. */

import type { AccountingMoment } from "@vmbind/lab";
import * as v from "valibot";
import { useAnswer } from "../ask.ts";
import { type Pane, type PaneProps, pane } from "../panes/pane.ts";
import {
  amount,
  bytesText,
  count,
  Live,
  Question,
  StrategySelect,
  strategyOr,
  useStrategies,
} from "./parts.tsx";

/** Large enough that a page a time is thousands, and quick. */
const BYTES = 2 ** 24;

const MOMENTS: Record<AccountingMoment["moment"], string> = {
  opened: "the device is open",
  created: "the resource is created",
  allocated: "memory is allocated",
  "tile-bound": "one block is bound",
  destroyed: "the resource is destroyed",
};

const STATE = v.object({
  strategy: v.optional(v.string(), ""),
  moment: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(4)), 1),
  guess: v.optional(v.string(), ""),
});
type State = v.InferOutput<typeof STATE>;

function BooksView({ engine, state, setState }: PaneProps<State>) {
  const rows = useStrategies(engine);
  const strategy = strategyOr(rows, state.strategy);
  const { answer, error } = useAnswer(
    engine,
    "keep-books",
    strategy === "" ? null : { strategy, bytes: BYTES },
  );
  const moment = answer?.moments[state.moment];
  return (
    <>
      <p>
        <q>Does this mess up some accounting or refcounts?</q> a maintainer asked about mapping one object
        thousands of times. The kernel counts who uses what, so that nothing is freed too early and nothing
        stays for ever:
      </p>
      <ul>
        <li>
          a <dfn>mapping</dfn> holds a reference to its VM;
        </li>
        <li>
          a <dfn>vm_bo</dfn> is one pair of a VM and an object: every mapping of the object in the VM refers
          to it, and it alone refers to the object;
        </li>
        <li>
          an object's pages belong to whoever has a <dfn>handle</dfn> to it: that is what statistics of a
          process show.
        </li>
      </ul>
      <Live label="the books of one resource">
        <StrategySelect
          rows={rows}
          chosen={strategy}
          choose={(name) => setState((last) => ({ ...last, strategy: name, guess: "" }))}
          label="Said by"
        />
        <label class="slider wide">
          <span class="slider-label">
            a resource of {bytesText(BYTES)}: <b>{moment ? MOMENTS[moment.moment] : ""}</b>
          </span>
          <input
            type="range"
            min={0}
            max={4}
            value={state.moment}
            aria-valuetext={moment ? MOMENTS[moment.moment] : ""}
            onInput={(event) => {
              const at = event.currentTarget.valueAsNumber;
              setState((last) => ({ ...last, moment: at }));
            }}
          />
        </label>
        {error && <p class="bad">{error}</p>}
        {moment && <Holders moment={moment} />}
        {moment && <Objects moment={moment} />}
      </Live>
      {answer && (
        <>
          <Question
            asks={`Under ${strategy}: when the resource is destroyed, are the books as they were before it?`}
            options={[
              { value: "clean", label: "yes, nothing is left" },
              { value: "kept", label: "no, an object or its memory stays" },
              { value: "mapped", label: "no, mappings stay" },
            ]}
            chosen={state.guess}
            choose={(guess) => setState((last) => ({ ...last, guess }))}
            right={answer.left.gpuvas > 0 ? "mapped" : answer.left.backingBytes > 0 ? "kept" : "clean"}
          >
            <p>
              Left: {amount(answer.left.gpuvas, "mapping")}, {amount(answer.left.gemRefs, "reference")} to
              objects, {bytesText(answer.left.backingBytes)} of memory. While the resource lived,{" "}
              {bytesText(answer.sparse.hiddenBytes)} of memory came with it that no process has in its
              statistics.
            </p>
          </Question>
          <h2>Who has to be told</h2>
          <p>
            A GPU keeps translations in its <dfn>TLB</dfn>. When an entry changes that it may have read, the
            driver has to send an <dfn>invalidation</dfn>, and wait. An entry that was empty before needs none
            on many GPUs. For this resource:
          </p>
          <table>
            <thead>
              <tr>
                {answer.invalidations.map(({ did }) => (
                  <th key={did} class="number">
                    {did}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              <tr>
                {answer.invalidations.map((row) => (
                  <td key={row.did} class="number">
                    {count(row.count)}
                  </td>
                ))}
              </tr>
            </tbody>
          </table>
          <p>
            A strategy that maps a page at a time pays here as well, if its driver tells the TLB after each
            operation: choose <code>{rows[0]?.name}</code> above and look.
          </p>
        </>
      )}
    </>
  );
}

/** Who refers to whom: mappings to their VM and to vm_bos, vm_bos to the VM and to objects. */
function Holders({ moment: { figures } }: { moment: AccountingMoment }) {
  const boxes = [
    { x: 8, y: 66, title: "mappings", value: figures.gpuvas, says: "" },
    { x: 236, y: 8, title: "VM", value: figures.vmRefs, says: "references" },
    { x: 236, y: 124, title: "vm_bos", value: figures.vmBos, says: amount(figures.vmBoRefs, "reference") },
    { x: 464, y: 124, title: "objects", value: figures.gemRefs, says: "references" },
  ] as const;
  const label = `${amount(figures.gpuvas, "mapping")}; ${amount(figures.vmRefs, "reference")} to the VM; ${amount(figures.vmBos, "vm_bo")} with ${amount(figures.vmBoRefs, "reference")}; ${amount(figures.gemRefs, "reference")} to objects`;
  return (
    <svg class="holders" viewBox="0 0 632 196" role="img" aria-label={label}>
      <defs>
        <marker id="holds" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
          <path d="M0 0 L8 4 L0 8 z" />
        </marker>
      </defs>
      <path class="holds" d="M168 88 C200 88 200 44 230 44" marker-end="url(#holds)" />
      <path class="holds" d="M168 112 C200 112 200 158 230 158" marker-end="url(#holds)" />
      <path class="holds" d="M316 120 V86" marker-end="url(#holds)" />
      <path class="holds" d="M396 158 H458" marker-end="url(#holds)" />
      {boxes.map(({ x, y, title, value, says }) => (
        <g key={title}>
          <rect x={x} y={y} width="160" height="68" rx="5" />
          <text class="box-title" x={x + 12} y={y + 20}>
            {title}
          </text>
          <text class="box-value" x={x + 12} y={y + 44}>
            {count(value)}
          </text>
          <text class="box-says" x={x + 12} y={y + 60}>
            {says}
          </text>
        </g>
      ))}
    </svg>
  );
}

function Objects({ moment: { objects, locked, figures } }: { moment: AccountingMoment }) {
  return (
    <>
      <table>
        <thead>
          <tr>
            <th>object</th>
            <th class="number">memory</th>
            <th>handle</th>
            <th class="number">mappings</th>
            <th class="number">references</th>
          </tr>
        </thead>
        <tbody>
          {objects.map(({ role, residentBytes, handle, gpuvas, refs }, i) => (
            <tr key={i}>
              <td>{role}</td>
              <td class="number">{bytesText(residentBytes)}</td>
              <td>{handle === 0 ? "the kernel's" : handle}</td>
              <td class="number">{count(gpuvas)}</td>
              <td class="number">{count(refs)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="muted">
        A submit locks {locked.join(", ") || "nothing"}. Page tables take {bytesText(figures.tableBytes)}.
      </p>
    </>
  );
}

/** Who holds which reference. */
export const books: Pane = pane({ id: "books", title: "Who holds what", schema: STATE, View: BooksView });
