/** All answers at a glance: a row for each operation, a column for each strategy, and where they differ. */

import type { OperationsAnswer } from "../../engine/programs/answer-operations.ts";

import { Scroll } from "./scroll.tsx";

/** What it is given. */
export interface AnswerTableProps {
  readonly answer: OperationsAnswer;
  /** Index of the operation that is looked at closely. */
  readonly chosen: number;
  choose(index: number): void;
  /** Only rows whose answers differ, or that were refused. */
  readonly isShort: boolean;
}

/** See {@link AnswerTableProps}. */
export function AnswerTable({ answer, chosen, choose, isShort }: AnswerTableProps) {
  const { operations, columns, rows } = answer;
  const shown = operations
    .map((operation, i) => ({ operation, i, row: rows[i] }))
    .filter(({ row, i }) => !isShort || row?.differs === true || i === chosen);
  return (
    <Scroll label="answers">
      <table class="answers">
        <thead>
          <tr>
            <th scope="col">line</th>
            <th scope="col">operation</th>
            {columns.map(({ name, says, isOwn, answer: { device } }) => (
              <th key={name} scope="col" title={`${says}; on ${device}`} class={isOwn ? "own" : undefined}>
                {name.split("-").map((part, i) => (
                  <span key={`${part}${i}`}>{i > 0 ? `-${part}` : part}</span>
                ))}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map(({ operation, i, row }) => (
            <tr key={i} class={`${row?.differs ? "differs" : ""} ${i === chosen ? "chosen" : ""}`}>
              <td class="number muted">{operation.line}</td>
              <th scope="row">
                <button type="button" aria-pressed={i === chosen} onClick={() => choose(i)}>
                  {operation.label}
                </button>
                {row?.differs && <span class="differ-word">differs</span>}
              </th>
              {row?.words.map(({ word, tone }, at) => (
                <td key={columns[at]?.name} class={`word ${tone}`}>
                  {word}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
