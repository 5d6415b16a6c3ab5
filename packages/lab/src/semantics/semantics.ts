/**
 * The semantics matrix: every question, asked of every strategy on a device of its own.
 *
 * @module
 */

import type { SemanticsAnswer } from "../result.ts";
import type { SparseStrategy } from "../strategy/strategy.ts";
import { type Question, UNBOUND_QUESTIONS } from "./questions.ts";
import { CHANGE_QUESTIONS } from "./questions-changes.ts";

/** All questions in the order of tables. */
export const QUESTIONS: readonly Question[] = [...UNBOUND_QUESTIONS, ...CHANGE_QUESTIONS];

/**
 * Ask a strategy everything.
 *
 * @param strategy - how sparse is said
 * @returns one answer for every question
 */
export async function askAll(strategy: SparseStrategy): Promise<SemanticsAnswer[]> {
  const answers: SemanticsAnswer[] = [];
  for (const { id, question, ask } of QUESTIONS) {
    answers.push({ strategy: strategy.name, id, question, ...(await ask(strategy)) });
  }
  return answers;
}
