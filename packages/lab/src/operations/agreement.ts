/**
 * Where answers differ: every operation as one short word for each strategy, and whether the words agree.
 *
 * @module
 */

import type { OperationAnswer, SightAnswer, StrategyAnswer } from "./answer.ts";

/** One operation as one strategy answers it. */
export interface AnswerWord {
  /** `ok`, `EINVAL`, `refused`, `0`, `a + 0x1000`, `dropped`, `fault`, `soft fault`; empty where it was left out. */
  readonly word: string;
  /** What kind of word it is, for a colour. */
  readonly tone: "done" | "refused" | "zero" | "memory" | "other" | "fault" | "none";
}

/** One operation as all strategies answer it. */
export interface AgreementRow {
  /** By strategy, in the order of the answers. */
  readonly words: readonly AnswerWord[];
  /** Whether two that answered differ. */
  readonly differs: boolean;
}

/**
 * @param answer - of one operation
 * @returns it in a word
 */
export function wordOf({ outcome, errno, sight }: OperationAnswer): AnswerWord {
  if (outcome === "left-out") return { word: "", tone: "none" };
  if (outcome === "refused") return { word: errno ?? "refused", tone: "refused" };
  return sight === null ? { word: "ok", tone: "done" } : wordOfSight(sight);
}

function wordOfSight({ access, behind, object, value, fault, stops }: SightAnswer): AnswerWord {
  // A GPU may report a fault and go on: the job has its 0, and the fault is told.
  if (fault !== "") return { word: stops ? "fault" : "soft fault", tone: "fault" };
  if (behind === "memory") return { word: object, tone: "memory" };
  if (access === "write") {
    return value === null ? { word: "dropped", tone: "zero" } : { word: `kept in ${object}`, tone: "other" };
  }
  return value === 0
    ? { word: "0", tone: "zero" }
    : { word: `0x${(value ?? 0).toString(16)}`, tone: "other" };
}

/**
 * @param answers - of the same operations
 * @returns a row for each operation
 */
export function agreement(answers: readonly StrategyAnswer[]): AgreementRow[] {
  const count = Math.max(0, ...answers.map(({ operations }) => operations.length));
  return Array.from({ length: count }, (_, i) => {
    const words = answers.map(({ operations }): AnswerWord => {
      const answer = operations[i];
      return answer === undefined ? { word: "", tone: "none" } : wordOf(answer);
    });
    const said = new Set(words.filter(({ tone }) => tone !== "none").map(({ word }) => word));
    return { words, differs: said.size > 1 };
  });
}
