/**
 * Options of the commands that run strategies: which ones, and on which kernel.
 *
 * @module
 */

import type { OptionSpec } from "./command.ts";

/** Which kernel the drivers are of. */
export const KERNEL_OPTION: OptionSpec = {
  type: "string",
  value: "NAME",
  is: "kernel",
  help: "what the drivers get wrong: ideal (nothing; the default), linux-7.3 or as-posted-v5",
};

/** Which strategies, by name or from modules. */
export const STRATEGIES_OPTION: OptionSpec = {
  type: "string",
  value: "NAME|FILE",
  is: "strategy",
  multiple: true,
  help: "only this strategy, or one of your own from a module (.ts, .js); all for all that have names; may be repeated",
};

/** On which of their devices strategies run, `compare`. */
export const DEVICES_OPTION: OptionSpec = {
  type: "string",
  value: "NAME",
  multiple: true,
  help: "also each strategy on this of its GPUs, in a column of its own, e.g. dg2; may be repeated",
};

/** What the kernels are. */
export const KERNEL_HELP: string =
  "A kernel is ideal unless told: each driver does what its interface means. linux-7.3 adds what the drivers of Linux 7.3-rc7 get wrong " +
  "in ordinary use, as recordings are replayed; as-posted-v5 also what the last posting of the REPEAT patches got wrong.";

/** What a module is. */
export const OWN_STRATEGY_HELP: string =
  'A FILE in place of a strategy\'s name is a module with one of your own, TypeScript or JavaScript: the guide "Propose an operation" has ' +
  "examples. What it costs to create a resource is measured first.";
