/**
 * Commands that judge a trace: what is wrong in it, and how it differs from another.
 *
 * @module
 */

import { TRACE_BUDGETS } from "@vmbind/trace/input";
import type { CommandSpec } from "./command.ts";
import { SHARD_HELP, SHARD_OPTION } from "./commands-shard.ts";

const TRACES_HELP =
  "A TRACE is a file, - for standard input, or the name of a recording that ships, such as {trace}.";

/** See `COMMANDS`. */
export const LINT_COMMANDS: readonly CommandSpec[] = [
  {
    name: "lint",
    summary: "find mistakes in what a program did to a GPU's address space",
    operands: "TRACE...",
    operandIs: "trace",
    min: 1,
    max: Number.POSITIVE_INFINITY,
    options: {
      rule: {
        type: "string",
        value: "ID",
        is: "rule",
        multiple: true,
        help: "only this rule; may be repeated",
      },
      json: { type: "boolean", help: "print JSON in place of text: a line for each trace" },
      sarif: {
        type: "boolean",
        help: "print SARIF 2.1.0 for all traces together, for code hosts and editors",
      },
      shard: SHARD_OPTION,
    },
    details: [
      "Replays each trace on the model of its driver and asks rules about its mappings, sparse resources, operations and costs: a range " +
        "that is still mapped when its VM goes, a page bound twice, a bind beyond its resource, a handle named after it was closed, a hole, " +
        "a block that stays shattered, eight operations where one would do. Each finding names the ioctl, the operation, the address, the " +
        "cause, and what to do; what follows from a cause is counted there.",
      `${TRACES_HELP} A folder is all .jsonl and .jsonl.gz files in it. Errors come first; the last line of each trace is the answer. ` +
        "docs/lint-rules.md has every rule, with examples.",
      SHARD_HELP,
    ],
    examples: [
      { line: "vmbind lint {trace}", does: "a recording that ships" },
      { line: "vmbind lint --rule page-bound-twice mine.jsonl.gz", does: "your own, one rule" },
      { line: "vmbind lint --sarif traces/ > lint.sarif", does: "a folder, for a code host" },
    ],
    budgets: Object.values(TRACE_BUDGETS),
    exits: { 0: "no error; there may be warnings and notes", 1: "an error was found" },
    shows: ["json", "sarif"],
    load: () => import("./commands/lint.ts"),
  },
  {
    name: "diff",
    summary: "two traces compared by meaning: binds that are new, missing, elsewhere",
    operands: "A B",
    operandIs: "trace",
    min: 2,
    max: 2,
    options: {
      resources: {
        type: "boolean",
        help: "only sparse resources and what is bound in them; always so for traces of two drivers",
      },
      json: { type: "boolean", help: "print JSON in place of text" },
    },
    details: [
      "Lifts both traces to what an application asked for, and tells what B does otherwise than A: binds that are missing, new, elsewhere, of other " +
        "memory or of another size; objects and mappings; what comes earlier or later; and where the state of a resource differs first. " +
        "Addresses, handles and numbers of ioctls mean nothing: a resource of B is that of A which began at the same place in the order with the " +
        "same size, an object likewise. How a driver cuts a list into calls, or joins neighbours, is no difference.",
      TRACES_HELP,
    ],
    examples: [
      { line: "vmbind diff before.jsonl.gz after.jsonl.gz", does: "what a change of a driver changes" },
      { line: "vmbind diff {trace} mine.jsonl.gz --json", does: "for a script" },
    ],
    budgets: Object.values(TRACE_BUDGETS),
    exits: { 0: "no difference", 1: "they differ" },
    load: () => import("./commands/diff.ts"),
  },
];
