/** What lessons are made of: questions that are answered before the model does, choices, and names of strategies. */

import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { useAnswer } from "../ask.ts";
import type { Engine } from "../engine/engine.ts";
import type { StrategyRow } from "../engine/sparse-strategies.ts";

/** A value that can be chosen, and what it is called. */
export interface Option<Value extends string> {
  readonly value: Value;
  readonly label: string;
}

/** One of a few, side by side. */
export function Choice<Value extends string>({
  legend,
  options,
  chosen,
  choose,
}: {
  legend: string;
  options: readonly Option<Value>[];
  chosen: Value | "";
  choose: (value: Value) => void;
}) {
  const name = useId();
  return (
    <fieldset class="choice">
      <legend>{legend}</legend>
      {options.map(({ value, label }) => (
        <label key={value}>
          <input type="radio" name={name} checked={value === chosen} onChange={() => choose(value)} />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}

/**
 * A question: whoever reads answers first, the model after that. `right` is the model's answer, null while it runs; children say why,
 * and are shown with the verdict.
 */
export function Question({
  asks,
  options,
  chosen,
  choose,
  right,
  children,
}: {
  asks: string;
  options: readonly Option<string>[];
  chosen: string;
  choose: (value: string) => void;
  right: string | null;
  children: ComponentChildren;
}) {
  const label = options.find(({ value }) => value === right)?.label ?? right;
  return (
    <div class="question">
      <Choice legend={asks} options={options} chosen={chosen} choose={choose} />
      <div role="status">
        {chosen !== "" && right !== null && (
          <>
            <p>
              {chosen === right ? (
                <strong class="good">Yes.</strong>
              ) : (
                <strong class="bad">The model says: {label}.</strong>
              )}
            </p>
            {children}
          </>
        )}
      </div>
    </div>
  );
}

/** The strategies of the table; empty before the engine has told them. */
export function useStrategies(engine: Engine): readonly StrategyRow[] {
  return useAnswer(engine, "sparse-strategies", undefined).answer ?? [];
}

/** The name in the link if there is such a strategy, else the one that examples are made with; empty before they are known. */
export function strategyOr(rows: readonly StrategyRow[], name: string): string {
  return (rows.find((row) => row.name === name) ?? rows.find(({ isExample }) => isExample))?.name ?? "";
}

/** Chooses one of the strategies. */
export function StrategySelect({
  rows,
  chosen,
  choose,
  label,
}: {
  rows: readonly StrategyRow[];
  chosen: string;
  choose: (name: string) => void;
  label: string;
}) {
  const row = rows.find(({ name }) => name === chosen);
  return (
    <div class="strategy-select">
      <label>
        <span>{label}</span>
        <select value={chosen} onChange={(event) => choose(event.currentTarget.value)}>
          {rows.map(({ name }) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <span class="muted">{row?.says}</span>
    </div>
  );
}

/** The model, set apart from what is said about it. */
export function Live({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <section class="live" aria-label={label}>
      {children}
    </section>
  );
}

/** A number as text has it. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** A number of things. */
export function amount(value: number, one: string, many: string = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** Bytes in the unit that people would use. */
export function bytesText(bytes: number): string {
  for (const [unit, size] of [
    ["GiB", 2 ** 30],
    ["MiB", 2 ** 20],
    ["KiB", 2 ** 10],
  ] as const) {
    if (bytes >= size) return `${Number((bytes / size).toFixed(2))} ${unit}`;
  }
  return amount(bytes, "byte");
}
