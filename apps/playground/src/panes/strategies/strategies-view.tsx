/** The strategies pane: two strategies side by side on a workload. */

import { useEffect, useState } from "preact/hooks";
import { programEngine } from "../../editor/program-engine.ts";
import type { CompareTwo, TwoCompared } from "../../engine/programs/compare-strategies.ts";
import type { Offer } from "../../engine/programs/list-strategies.ts";
import type { PaneProps } from "../pane.ts";
import { Scroll } from "../write/scroll.tsx";
import { KERNELS } from "../write/state.ts";
import { useOffer } from "../write/use-answers.ts";
import type { StrategiesState } from "./state.ts";

/** Two strategies, one workload. */
export function StrategiesView({ state, setState }: PaneProps<StrategiesState>) {
  const offer = useOffer();
  const request = offer && requestOf(state, offer);
  const { found, busy, error } = useCompared(request);
  return (
    <div class="strategies-pane">
      <h1>Two strategies side by side</h1>
      <p class="muted">
        The same workload under both: what each phase costs, what the GPU reads, what remains. Everything is
        counted, nothing timed.
      </p>
      {offer && request && <Choices offer={offer} request={request} setState={setState} />}
      <p class="muted" role="status">
        {busy && `${busy} …`}
      </p>
      {error && (
        <p class="bad" role="alert">
          {error}
        </p>
      )}
      {found && <Found found={found} />}
    </div>
  );
}

/** What the state asks for, as far as there is such a thing. */
function requestOf(
  { pair, workload, kernel }: StrategiesState,
  { strategies, workloads }: Offer,
): CompareTwo {
  const names = strategies.map(({ name }) => name);
  const [first] = strategies;
  const lastOfFirst = strategies.findLast(({ driver }) => driver === first?.driver);
  const known = pair?.every((name) => names.includes(name)) ? pair : null;
  const wanted = workloads.find(({ name }) => name === workload) ?? workloads[0];
  return {
    pair: known ?? [first?.name ?? "", lastOfFirst?.name ?? ""],
    workload: wanted?.name ?? "",
    kernel,
  };
}

/** The comparison of a request, in a worker of its own that ends with it. */
function useCompared(request: CompareTwo | null): { found: TwoCompared | null; busy: string; error: string } {
  const [found, setFound] = useState<TwoCompared | null>(null);
  const [busy, setBusy] = useState("loading");
  const [error, setError] = useState("");
  const key = request && JSON.stringify(request);
  useEffect(() => {
    if (request === null) return;
    let isCurrent = true;
    const engine = programEngine();
    setBusy("running");
    engine.ask("compare-strategies", request, { progress: (text) => isCurrent && setBusy(text) }).then(
      (answer) => {
        if (!isCurrent) return;
        setFound(answer);
        setError("");
        setBusy("");
      },
      ({ message }: Error) => {
        if (!isCurrent) return;
        setError(message);
        setBusy("");
      },
    );
    return () => {
      isCurrent = false;
      engine.stop("another comparison was asked for");
    };
  }, [key]);
  return { found, busy, error };
}

function Choices({
  offer,
  request,
  setState,
}: {
  offer: Offer;
  request: CompareTwo;
  setState: PaneProps<StrategiesState>["setState"];
}) {
  const { pair, workload, kernel } = request;
  const strategies = offer.strategies.map(({ name }) => name);
  const choose = (part: Partial<StrategiesState>): void => setState((last) => ({ ...last, ...part }));
  return (
    <div class="bar">
      <Choice
        label="strategy"
        value={pair[0]}
        values={strategies}
        choose={(a) => choose({ pair: [a, pair[1]] })}
      />
      <Choice
        label="beside"
        value={pair[1]}
        values={strategies}
        choose={(b) => choose({ pair: [pair[0], b] })}
      />
      <Choice
        label="workload"
        value={workload}
        values={offer.workloads.map(({ name }) => name)}
        choose={(next) => choose({ workload: next })}
      />
      <Choice
        label="kernel"
        value={kernel}
        values={KERNELS}
        choose={(next) => choose({ kernel: KERNELS.find((one) => one === next) ?? "ideal" })}
      />
    </div>
  );
}

function Choice({
  label,
  value,
  values,
  choose,
}: {
  label: string;
  value: string;
  values: readonly string[];
  choose: (value: string) => void;
}) {
  return (
    <label>
      {label}{" "}
      <select value={value} onChange={({ currentTarget }) => choose(currentTarget.value)}>
        {values.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
    </label>
  );
}

function Found({ found }: { found: TwoCompared }) {
  const { pair, description, phases, questions, findings, verdicts, leftOut } = found;
  const differing = questions.filter(({ answers: [a, b] }) => a?.answer !== b?.answer);
  return (
    <>
      <p>
        <span class="mono">{found.workload}</span>: {description}
      </p>
      {leftOut.map((why) => (
        <p key={why} class="bad">
          {why}
        </p>
      ))}
      <h2>Costs</h2>
      <Scroll label="costs of both">
        <table class="two">
          <Heads pair={pair} first="" />
          {phases.map(({ phase, figures }) => (
            <tbody key={phase}>
              <tr>
                <th colSpan={4} scope="rowgroup">
                  <h3>{phase}</h3>
                </th>
              </tr>
              {figures.map(({ title, values: [a, b] }) => (
                <tr key={title} class={a === b ? "same" : ""}>
                  <th scope="row">{title}</th>
                  <td class="number">{numberText(a)}</td>
                  <td class="number">{numberText(b)}</td>
                  <td class="number muted">{factorText(a, b)}</td>
                </tr>
              ))}
            </tbody>
          ))}
        </table>
      </Scroll>
      <h2>
        What the GPU sees: {differing.length} of {questions.length} answers differ
      </h2>
      <Scroll label="questions to both">
        <table class="two questions">
          <Heads pair={pair} first="question" />
          <tbody>
            {questions.map(({ question, answers }) => (
              <tr key={question} class={answers[0]?.answer === answers[1]?.answer ? "same" : ""}>
                <th scope="row">{question}</th>
                {answers.map((one, i) => (
                  <td key={pair[i]} class={one?.ok === false ? "bad" : ""}>
                    {one?.answer}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      <h2>What it comes down to</h2>
      <ul>
        {findings.map((text) => (
          <li key={text}>{text}</li>
        ))}
      </ul>
      {pair.map((name, i) => (
        <section key={`${name} ${i}`}>
          <h3 class="mono">{name}</h3>
          <ul>
            {verdicts[i]?.map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}

function Heads({ pair, first }: { pair: readonly [string, string]; first: string }) {
  return (
    <thead>
      <tr>
        {first === "" ? <td /> : <th scope="col">{first}</th>}
        {pair.map((name, i) => (
          <th key={`${name} ${i}`} scope="col" class={first === "" ? "number" : ""}>
            {name}
          </th>
        ))}
        {first === "" && (
          <th scope="col" class="number">
            second over first
          </th>
        )}
      </tr>
    </thead>
  );
}

function numberText(value: number | null): string {
  return value === null ? "none" : value.toLocaleString("en");
}

function factorText(a: number | null, b: number | null): string {
  if (a === null || b === null || a === 0 || a === b) return "";
  if (b === 0) return "none";
  const [sign, factor] = b > a ? ["×", b / a] : ["÷", a / b];
  return `${sign} ${factor >= 100 ? Math.round(factor).toLocaleString("en") : Number(factor.toPrecision(2))}`;
}
