/**
 * Budgets: how much work a file may ask for. A few bytes of a file can name any amount of it (the number of an open file, the
 * size of a resource), so each amount is held against its budget before anything is done for it.
 *
 * @module
 */

import { InputError } from "./input-error.ts";

/** What a budget is for. */
export interface Budget {
  /** Name, as in `--budget NAME=N`. */
  readonly name: string;
  /** How much is allowed unless told. */
  readonly standard: number;
  /** What is counted, in the plural. */
  readonly counts: string;
}

/** What a trace may ask of its reader. */
export const TRACE_BUDGETS: Readonly<Record<"bytes" | "ioctls" | "marks" | "files", Budget>> = {
  bytes: { name: "bytes", standard: 2 ** 30, counts: "bytes of uncompressed text" },
  ioctls: { name: "ioctls", standard: 2 ** 22, counts: "ioctls of a trace" },
  marks: { name: "marks", standard: 2 ** 18, counts: "marks of a trace" },
  files: { name: "files", standard: 1024, counts: "open device files, counted to the highest number" },
};

/** What telling a trace in words may take on top of that. */
export const STORY_BUDGETS: Readonly<Record<"leaves", Budget>> = {
  leaves: {
    name: "leaves",
    standard: 2 ** 18,
    counts: "page-table leaves that one call's changes are looked for in",
  },
};

/** Amounts other than the standard ones, by name of the budget. */
export type Budgets = ReadonlyMap<string, number>;

/** None. */
export const STANDARD_BUDGETS: Budgets = new Map();

/**
 * @param budget - which
 * @param budgets - amounts other than the standard ones
 * @returns how much is allowed
 */
export function allowed(budget: Budget, budgets: Budgets = STANDARD_BUDGETS): number {
  return budgets.get(budget.name) ?? budget.standard;
}

/**
 * @param budget - which
 * @param most - how much is allowed
 * @returns what is said when something asks for more: it names the budget and the option that raises it
 */
export function overBudget({ name, counts }: Budget, most: number): string {
  return `more than ${most} ${counts}; --budget ${name}=N allows more`;
}

/**
 * Hold an amount against its budget.
 *
 * @param budget - which
 * @param amount - what is asked for
 * @param budgets - amounts other than the standard ones
 * @param place - file, line and member that ask
 * @throws {@link InputError} naming the place, the budget and the option that raises it
 */
export function holdBudget(
  budget: Budget,
  amount: number,
  budgets: Budgets,
  place: { path: string; line: number; member?: string },
): void {
  const most = allowed(budget, budgets);
  // Not a number is more than any.
  if (amount <= most) return;
  const member = place.member === undefined ? "" : `${place.member}: `;
  throw new InputError(place.path, place.line, `${member}${overBudget(budget, most)}`);
}
