/** The write pane: a program of operations at the left, what every driver answers to it at the right. */

import { useCallback, useMemo, useState } from "preact/hooks";
import type { EditorMark } from "../../editor/api.ts";
import { FUNCTIONS } from "../../editor/functions.ts";
import type { OperationsAnswer, OperationsRequest } from "../../engine/programs/answer-operations.ts";
import type { Offer } from "../../engine/programs/list-strategies.ts";
import type { TextFile, TextProblem } from "../../engine/programs/run-text.ts";
import type { PaneProps } from "../pane.ts";
import { AnswerTable } from "./answer-table.tsx";
import { KernelChoice, StrategyChoice, usualStrategies } from "./choices.tsx";
import { CostTable, EndStates } from "./end-state.tsx";
import { EXAMPLES, STRATEGY_EXAMPLES } from "./examples.ts";
import { OperationDetail } from "./operation-detail.tsx";
import type { WriteState } from "./state.ts";
import { TextEditor } from "./text-editor.tsx";
import { type Answers, useAnswers, useOffer } from "./use-answers.ts";

type Setter = PaneProps<WriteState>["setState"];

const FIRST_TEXT = EXAMPLES[0]?.text ?? "";

/** Operations written once, answered by every driver. */
export function WriteView({ state, setState }: PaneProps<WriteState>) {
  const offer = useOffer();
  const text = state.text ?? FIRST_TEXT;
  const request = useMemo((): OperationsRequest | null => {
    if (offer === null) return null;
    const known = offer.strategies.map(({ name }) => name);
    const strategies = (state.strategies ?? usualStrategies(offer)).filter((name) => known.includes(name));
    const { devices, kernel, strategy } = state;
    return { program: text, strategy, strategies, devices, kernel };
  }, [offer, text, state.strategy, state.strategies, state.devices, state.kernel]);
  const answers = useAnswers(request);
  const chosen = chosenOf(state, answers.answer);
  const [goTo, setGoTo] = useState<{ line: number } | null>(null);
  const choose = useCallback(
    (index: number) => {
      setState((last) => ({ ...last, chosen: index, file: "operations.ts" }));
      const line = answers.answer?.operations[index]?.line;
      if (line !== undefined) setGoTo({ line });
    },
    [setState, answers.answer],
  );
  return (
    <div class="write-pane">
      <header>
        <h1>Ask every driver at once</h1>
        <p class="muted">
          Write operations at the left; at the right stands what each driver answers, and where they differ.
          Everything runs in this page.
        </p>
      </header>
      <section class="texts" aria-label="program">
        <Bar state={state} setState={setState} />
        <Texts offer={offer} state={state} setState={setState} answers={answers} goTo={goTo} text={text} />
        <Problems problems={answers.problems} goTo={setGoTo} setState={setState} />
        <Help />
      </section>
      <section class="right" aria-label="what the drivers answer">
        <div class="bar">
          <KernelChoice state={state} setState={setState} />
          {offer && <StrategyChoice offer={offer} state={state} setState={setState} />}
          <p class="busy muted" role="status">
            {answers.busy && `${answers.busy} …`}
          </p>
          {answers.busy !== "" && (
            <button type="button" onClick={answers.stop}>
              Stop
            </button>
          )}
        </div>
        {answers.answer && <Answer answer={answers.answer} chosen={chosen} choose={choose} />}
      </section>
    </div>
  );
}

/** What is looked at closely: what was chosen, or the first operation whose answers differ. */
function chosenOf({ chosen }: WriteState, answer: OperationsAnswer | null): number {
  if (answer === null) return 0;
  if (chosen !== null && chosen < answer.operations.length) return chosen;
  return Math.max(
    0,
    answer.rows.findIndex(({ differs }) => differs),
  );
}

function Bar({ state, setState }: { state: WriteState; setState: Setter }) {
  const isProgram = state.file === "operations.ts";
  const examples = isProgram ? EXAMPLES : STRATEGY_EXAMPLES;
  const [copied, setCopied] = useState(false);
  return (
    <div class="bar">
      <fieldset class="files" aria-label="file">
        {(["operations.ts", "strategy.ts"] as const).map((file) => (
          <button
            key={file}
            type="button"
            aria-pressed={state.file === file}
            onClick={() => setState((last) => ({ ...last, file }))}
          >
            {file}
          </button>
        ))}
      </fieldset>
      <label>
        <span class="hidden">example</span>
        <select
          aria-label="example"
          value=""
          onChange={({ currentTarget }) => {
            const found = examples.find(({ name }) => name === currentTarget.value);
            currentTarget.value = "";
            if (!found) return;
            setState((last) => ({
              ...last,
              ...(isProgram ? { text: found.text, chosen: null } : { strategy: found.text }),
            }));
          }}
        >
          <option value="">Example …</option>
          {examples.map(({ name }) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {!isProgram && state.strategy !== null && (
        <button type="button" onClick={() => setState((last) => ({ ...last, strategy: null }))}>
          Remove
        </button>
      )}
      <button
        type="button"
        onClick={async () => {
          await navigator.clipboard?.writeText(location.href);
          setCopied(true);
          setTimeout(() => setCopied(false), 2000);
        }}
      >
        {copied ? "Copied" : "Copy link"}
      </button>
    </div>
  );
}

interface TextsProps {
  offer: Offer | null;
  state: WriteState;
  setState: Setter;
  answers: Answers;
  goTo: { line: number } | null;
  text: string;
}

function Texts({ offer, state, setState, answers, goTo, text }: TextsProps) {
  const isProgram = state.file === "operations.ts";
  const marks = useMemo(() => marksOf(state.file, answers), [state.file, answers.problems, answers.answer]);
  const moved = (line: number): void => {
    const index = answers.answer?.operations.findIndex((operation) => operation.line === line) ?? -1;
    if (isProgram && index >= 0) setState((last) => ({ ...last, chosen: index }));
  };
  if (!isProgram && state.strategy === null) {
    return (
      <div class="empty">
        <p>
          A strategy of your own, beside those of the table: a module whose <code>export default</code> is
          what <code>…Strategy()</code> of <code>@vmbind/lab/DRIVER</code> makes of a description.
        </p>
        <p>
          {STRATEGY_EXAMPLES.map(({ name, text: module }) => (
            <button
              key={name}
              type="button"
              onClick={() => setState((last) => ({ ...last, strategy: module }))}
            >
              {name}
            </button>
          ))}
        </p>
      </div>
    );
  }
  return (
    <TextEditor
      key={state.file}
      label={isProgram ? "operations" : "strategy module"}
      text={isProgram ? text : (state.strategy ?? "")}
      offer={offer}
      isProgram={isProgram}
      marks={marks}
      goTo={goTo}
      changed={(next) =>
        setState((last) => ({ ...last, ...(isProgram ? { text: next } : { strategy: next }) }))
      }
      moved={moved}
    />
  );
}

/** Errors of the text, refusals and differences of its operations, by line. */
function marksOf(file: TextFile, { problems, answer }: Answers): EditorMark[] {
  const marks: EditorMark[] = problems
    .filter((problem) => problem.file === file && problem.line !== null)
    .map(({ line, message }) => ({ line: line ?? 1, kind: "error", message }));
  if (file === "strategy.ts" || answer === null) return marks;
  const seen = new Set<number>();
  for (const [i, { line }] of answer.operations.entries()) {
    if (seen.has(line)) continue;
    const refusals = answer.columns.flatMap(({ name, answer: { operations } }) => {
      const one = operations[i];
      return one?.outcome === "refused" ? [`${name}: ${one.errno ?? "refused"}, ${one.reason}`] : [];
    });
    if (refusals.length > 0) {
      marks.push({ line, kind: "error", message: refusals.join("\n") });
    } else if (answer.rows[i]?.differs) {
      const words = answer.columns.map(({ name }, at) => `${name}: ${answer.rows[i]?.words[at]?.word ?? ""}`);
      marks.push({ line, kind: "differs", message: words.join("\n") });
    } else continue;
    seen.add(line);
  }
  return marks;
}

function Problems({
  problems,
  goTo,
  setState,
}: {
  problems: readonly TextProblem[];
  goTo: (to: { line: number }) => void;
  setState: Setter;
}) {
  return (
    <div role="alert" class="problems">
      {problems.map(({ file, line, message }) => (
        <p key={`${file} ${line}`}>
          <button
            type="button"
            disabled={line === null}
            onClick={() => {
              setState((last) => ({ ...last, file }));
              if (line !== null) goTo({ line });
            }}
          >
            {file}
            {line !== null && `:${line}`}
          </button>{" "}
          <span class="bad">{message}</span>
        </p>
      ))}
    </div>
  );
}

function Answer({
  answer,
  chosen,
  choose,
}: {
  answer: OperationsAnswer;
  chosen: number;
  choose: (index: number) => void;
}) {
  const [isShort, setShort] = useState(false);
  const differing = answer.rows.filter(({ differs }) => differs).length;
  if (answer.operations.length === 0) return <p class="muted">No operations yet.</p>;
  if (answer.columns.length === 0) return <p class="muted">No strategy is chosen.</p>;
  return (
    <>
      <div class="bar">
        <p>
          {answer.operations.length} operations,{" "}
          {differing === 0 ? "all answered alike" : <strong>{differing} answered differently</strong>}
        </p>
        {differing > 0 && (
          <label>
            <input
              type="checkbox"
              checked={isShort}
              onChange={({ currentTarget }) => setShort(currentTarget.checked)}
            />{" "}
            only those
          </label>
        )}
      </div>
      <AnswerTable answer={answer} chosen={chosen} choose={choose} isShort={isShort} />
      <OperationDetail answer={answer} chosen={chosen} />
      <h2>What it costs</h2>
      <CostTable answer={answer} />
      <h2>What the GPU sees in the end</h2>
      <EndStates answer={answer} />
    </>
  );
}

function Help() {
  return (
    <details class="help">
      <summary>Functions</summary>
      <dl>
        {FUNCTIONS.map(({ name, signature, says }) => (
          <div key={name}>
            <dt>
              <code>
                <b>{name}</b>
                {signature}
              </code>
            </dt>
            <dd>{says}</dd>
          </div>
        ))}
      </dl>
      <p class="muted">
        An address is a number, or <code>buf.at(offset)</code> in a range: where a range lies, each user-mode
        driver decides. Everything else is TypeScript; a program runs once, and all strategies answer the same
        operations.
      </p>
    </details>
  );
}
