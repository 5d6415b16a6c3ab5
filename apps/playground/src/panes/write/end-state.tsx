/** What is left in the end: costs side by side, and each address space as the GPU and the driver have it. */

import { hex, size } from "@vmbind/drm";
import type { SightRun, StrategyAnswer } from "@vmbind/lab";
import type { OperationsAnswer } from "../../engine/programs/answer-operations.ts";
import { COSTS } from "./operation-detail.tsx";
import { Scroll } from "./scroll.tsx";

/** Costs of all operations together. */
export function CostTable({ answer: { columns } }: { answer: OperationsAnswer }) {
  const rows = [
    ...COSTS.map(([name, words]) => ({
      words,
      values: columns.map(({ answer: { cost } }) => cost[name] ?? null),
    })),
    { words: "mappings in the end", values: columns.map(({ answer }) => answer.mappingCount) },
    { words: "tables in the end", values: columns.map(({ answer }) => answer.tablesLive) },
  ];
  const shown = rows.filter(({ values }) => values.some((value) => value !== null && value !== 0));
  return (
    <Scroll label="costs">
      <table class="costs-table">
        <thead>
          <tr>
            <th scope="col">all operations together</th>
            {columns.map(({ name }) => (
              <th key={name} scope="col" class="number">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map(({ words, values }) => {
            const said = values.filter((value) => value !== null);
            const least = Math.min(...said);
            // The best is worth a mark where it is not what nearly everybody has.
            const isSame = said.filter((value) => value === least).length > said.length / 2;
            return (
              <tr key={words}>
                <th scope="row">{words}</th>
                {values.map((value, i) => (
                  <td key={columns[i]?.name} class={`number ${!isSame && value === least ? "least" : ""}`}>
                    {value === null ? <span class="muted">none</span> : value.toLocaleString("en")}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </Scroll>
  );
}

/** The address space of each strategy. */
export function EndStates({ answer: { columns } }: { answer: OperationsAnswer }) {
  return (
    <div class="cards">
      {columns.map(({ name, answer }) => (
        <article key={name} class="card">
          <h3 class="mono">{name}</h3>
          {answer.ranges.map((range) => (
            <div key={range.name}>
              <p class="muted">
                <span class="mono">{range.name}</span> at <span class="mono">{hex(range.va)}</span>,{" "}
                {size(range.bytes)}
              </p>
              <Strip range={range} />
              <ul class="runs">
                {range.runs.map((run) => (
                  <li key={run.addr}>
                    <span class={`swatch ${toneOf(run)}`} /> {runText(run, range.va)}
                  </li>
                ))}
                {range.runCount > range.runs.length && (
                  <li class="muted">and {range.runCount - range.runs.length} more</li>
                )}
              </ul>
            </div>
          ))}
          <Mappings answer={answer} />
        </article>
      ))}
    </div>
  );
}

/** A range from its first byte to its last, each run as wide as it is long, but never too narrow to see. */
function Strip({ range: { runs, bytes, name } }: { range: StrategyAnswer["ranges"][number] }) {
  return (
    <div class="strip" role="img" aria-label={`${name} from start to end`}>
      {runs.map((run) => (
        <span key={run.addr} class={toneOf(run)} style={{ flexGrow: Math.max(run.bytes / bytes, 0.004) }} />
      ))}
    </div>
  );
}

function toneOf({ behind }: SightRun): string {
  return { memory: "memory", driver: "shared", null: "sparse", fault: "hole" }[behind];
}

function runText({ addr, bytes, leaves, leafBytes, behind, object }: SightRun, va: number): string {
  const where = `+ ${hex(addr - va)}, ${size(bytes)}: `;
  if (leaves === 0) return `${where}nothing, faults`;
  const what = behind === "null" ? "null" : object;
  return `${where}${what}, ${leaves.toLocaleString("en")} × ${size(leafBytes)}`;
}

function Mappings({ answer: { mappings, mappingCount } }: { answer: StrategyAnswer }) {
  return (
    <details>
      <summary>
        {mappingCount} {mappingCount === 1 ? "mapping" : "mappings"}
      </summary>
      <ul class="runs mono">
        {mappings.map(({ addr, range, kind, object }) => (
          <li key={`${addr} ${kind}`}>
            [{hex(addr)}, {hex(addr + range)}) {kind} {object}
          </li>
        ))}
        {mappingCount > mappings.length && <li class="muted">and {mappingCount - mappings.length} more</li>}
      </ul>
    </details>
  );
}
