/**
 * What a command line needs before it reads a trace: budgets, errors of inputs, and text made fit for a terminal. An entry of
 * its own, since a program that only prints its help should not load the replay.
 *
 * @packageDocumentation
 */

export * from "./budget.ts";
export * from "./input-error.ts";
export * from "./visible.ts";
