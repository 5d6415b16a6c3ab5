/** One operation closely: what each strategy made of it, ioctl by ioctl, with the reason of a refusal. */

import { hex } from "@vmbind/drm";
import type { CallAnswer, OperationAnswer } from "@vmbind/lab";
import type { OperationsAnswer } from "../../engine/programs/answer-operations.ts";

/** See {@link AnswerTable}. */
export function OperationDetail({ answer, chosen }: { answer: OperationsAnswer; chosen: number }) {
  const operation = answer.operations[chosen];
  if (operation === undefined) return null;
  return (
    <section aria-label="the operation on each driver">
      <h2>
        <code>{operation.label}</code> <span class="muted">line {operation.line}</span>
      </h2>
      <div class="cards">
        {answer.columns.map(({ name, answer: { operations } }, at) => {
          const one = operations[chosen];
          const word = answer.rows[chosen]?.words[at];
          if (
            one === undefined ||
            (one.outcome === "left-out" && answer.columns.length > 1 && operation.driver)
          )
            return null;
          return (
            <article key={name} class="card">
              <h3>
                <span class="mono">{name}</span>{" "}
                <span class={`word ${word?.tone}`}>{word?.word || "left out"}</span>
              </h3>
              <Outcome answer={one} />
              {one.calls.map((call, i) => (
                <Call key={i} call={call} />
              ))}
              {one.callCount > one.calls.length && (
                <p class="muted">and {one.callCount - one.calls.length} ioctls more</p>
              )}
              <Costs cost={one.cost} />
            </article>
          );
        })}
      </div>
    </section>
  );
}

function Outcome({ answer: { outcome, by, reason, failed, va, sight, errno } }: { answer: OperationAnswer }) {
  if (outcome === "left-out") return <p class="muted">{reason}</p>;
  if (outcome === "refused") {
    return (
      <p class="bad">
        {errno ?? `refused by the ${by}`}: {reason}
        {failed !== null && <span class="muted"> (operation {failed} of the call)</span>}
      </p>
    );
  }
  if (sight === null) return va === null ? null : <p class="muted mono">at {hex(va)}</p>;
  const what = {
    memory: sight.object,
    driver: sight.object,
    null: "an entry that stands for no memory",
    fault: "nothing",
  };
  return (
    <p>
      <span class="mono">{hex(sight.va)}</span> → {what[sight.behind]}
      {sight.fault !== "" && <span class="bad">; {sight.fault}</span>}
      {sight.access === "read" && sight.value !== null && (
        <>
          , reads <span class="mono">{hex(sight.value)}</span>
        </>
      )}
      {sight.access === "write" && sight.fault === "" && sight.value === null && "; the store is dropped"}
    </p>
  );
}

function Call({ call: { ioctl, text, errno, lines, leaves } }: { call: CallAnswer }) {
  return (
    <div class="call">
      <div class="mono">
        {ioctl} {errno !== null && <span class="bad">= {errno}</span>} <span class="muted">{text}</span>
      </div>
      {lines.length > 0 && <pre>{lines.join("\n")}</pre>}
      {leaves.length > 0 && (
        <pre class="leaves">
          {leaves.map((line) => (
            <span key={line} class={line.startsWith("+") ? "came" : line.startsWith("-") ? "went" : ""}>
              {`${line}\n`}
            </span>
          ))}
        </pre>
      )}
    </div>
  );
}

function Costs({ cost }: { cost: OperationAnswer["cost"] }) {
  const parts = COSTS.flatMap(([name, words]) => {
    const value = cost[name] ?? 0;
    return value === 0 ? [] : [`${value.toLocaleString("en")} ${value === 1 ? singular(words) : words}`];
  });
  return parts.length === 0 ? null : <p class="muted costs">{parts.join(" · ")}</p>;
}

function singular(words: string): string {
  return words.replace("entries", "entry").replace(/(\w)s( |$)/, "$1$2");
}

/** Counters, and their words where there is little room. */
export const COSTS: readonly (readonly [name: keyof OperationAnswer["cost"], words: string])[] = [
  ["ioctls", "ioctls"],
  ["bindOps", "operations"],
  ["payloadBytes", "payload bytes"],
  ["mapSteps", "map steps"],
  ["remapSteps", "remap steps"],
  ["unmapSteps", "unmap steps"],
  ["pteWrites", "entries written"],
  ["pteClears", "entries cleared"],
  ["tablesAllocated", "tables taken"],
  ["tablesFreed", "tables freed"],
  ["tlbInvalidations", "TLB invalidations"],
];
