/**
 * What is wrong with a line of a file that a schema does not take, in the words that all other errors have.
 *
 * @module
 */

import * as v from "valibot";

/** How valibot says it where a schema does not. */
const DEFAULT = /^Invalid [a-z ]+: Expected (.+) but received (.+)$/s;

/**
 * @param what - what the value is, e.g. `header`
 * @param issue - the first thing that is wrong with it
 * @returns the member, and the rule that it breaks
 */
export function issueInWords(what: string, issue: v.BaseIssue<unknown>): string {
  const member = v.getDotPath(issue);
  return `${what}${member === null ? "" : `.${member}`}: ${ruleOf(issue)}`;
}

function ruleOf({ expected, received, message }: v.BaseIssue<unknown>): string {
  if (expected === "never") return "there is no such member";
  if (received === "undefined") return "is missing";
  if (expected === "!0") return "is empty";
  const [, wanted, got] = DEFAULT.exec(message) ?? [];
  if (wanted === undefined) return message;
  return `expected ${wanted.replace(/^>=/, "at least ")}, got ${got}`;
}
