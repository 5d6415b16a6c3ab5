/**
 * The command that goes from workloads to traces, as data; and what the commands say that read a workload where they could read a trace.
 *
 * @module
 */

import { WORK_BUDGETS } from "@vmbind/lab/budgets";
import { TRACE_BUDGETS } from "@vmbind/trace/input";
import type { CommandSpec, OptionSpec } from "./command.ts";
import { KERNEL_HELP, KERNEL_OPTION, OWN_STRATEGY_HELP } from "./strategy-options.ts";

/** What a file of a workload is. */
export const WORKLOAD_FILE_HELP: string =
  "JSON as schema/workload.schema.json describes it, a module (.ts, .js) whose default export yields steps, a trace (also by the name of " +
  "a recording that ships), lifted to what its application asked for; - for standard input";

/** Of commands that read a workload as a trace. */
export const LOWERED_OPTIONS: Readonly<Record<"strategy" | "kernel" | "device", OptionSpec>> = {
  strategy: {
    type: "string",
    value: "NAME|FILE",
    is: "strategy",
    help: "read a workload in place of a trace, as this strategy lowers it",
  },
  kernel: KERNEL_OPTION,
  device: { type: "string", value: "NAME", help: "with --strategy, the GPU: {devices}" },
};
/** What they do. */
export const LOWERED_HELP =
  "With --strategy the operand is a workload, one that ships or a file: it is lowered first, as `vmbind lower --trace` does it.";

const WORK = Object.values(WORK_BUDGETS);

const TRACE = Object.values(TRACE_BUDGETS);

/** The commands. */
export const LIFT_COMMANDS: readonly CommandSpec[] = [
  {
    name: "lift",
    summary: "what a trace's application asked for: create, bind, unbind, destroy",
    operands: "TRACE",
    operandIs: "trace",
    min: 1,
    max: 1,
    options: {
      ops: { type: "boolean", help: "every element of each call, with the operation that says it" },
      json: { type: "boolean", help: "print a workload file, for `compare --workload` and `lower`" },
    },
    details: [
      "Goes from the ioctls of one driver back to sparse steps, in order and in the calls of the application, each with the ioctls that " +
        "it came from. What no application can ask for is kept: plain binds, and holes in resources.",
      "A TRACE is a file, - for standard input, or the name of a recording that ships, such as {trace}.",
    ],
    examples: [
      { line: "vmbind lift {trace}", does: "the steps" },
      {
        line: "vmbind lift mine.jsonl.gz --json > mine.json",
        does: "the same as a workload, to be changed by hand",
      },
    ],
    budgets: TRACE,
    exits: { 0: "printed", 1: "never" },
    load: () => import("./commands/lift.ts"),
  },
  {
    name: "lower",
    summary: "the ioctls that a strategy makes of a workload",
    operands: "WORKLOAD",
    operandIs: "workload",
    min: 1,
    max: 1,
    options: {
      strategy: {
        type: "string",
        value: "NAME|FILE",
        is: "strategy",
        help: "how sparse is said, e.g. {strategy}, or a module with a way of your own; needed",
      },
      kernel: KERNEL_OPTION,
      seed: { type: "string", value: "N", help: "seed of the random draws (default 1)" },
      size: {
        type: "string",
        value: "BYTES",
        help: "bytes of the resource, e.g. 64MiB, for workloads that leave it open",
      },
      device: { type: "string", value: "NAME", help: "GPU: {devices}" },
      json: { type: "boolean", help: "print one JSON object per ioctl, with all its bytes" },
      trace: {
        type: "string",
        value: "FILE",
        is: "file",
        help: "write a trace, header, marks and end line, with what opens the device; FILE.gz is compressed",
      },
    },
    details: [
      "Runs the workload under the strategy and prints each ioctl of its steps with decoded operations; what an address " +
        "or a handle belongs to stands behind the #. Opening the device is left out, but for --trace, whose file `replay`, " +
        "`explain` and `explore` take as they take a recording.",
      "A WORKLOAD is buffer-100e6, buffer-stream, many-small, image-mips, unbound, sequential, random, window, or a file: " +
        `${WORKLOAD_FILE_HELP}.`,
      OWN_STRATEGY_HELP,
      KERNEL_HELP,
    ],
    examples: [
      { line: "vmbind lower buffer-100e6 --strategy {strategy}", does: "a workload that ships" },
      {
        line: "vmbind lower buffer-stream --strategy {strategy} --size 64MiB",
        does: "the same at another size",
      },
      {
        line: "vmbind lower mine.json --strategy {strategy} --json",
        does: "your own, one JSON object for each ioctl",
      },
      {
        line: "vmbind lower random --strategy {strategy} --trace random.jsonl.gz",
        does: "a trace, as if it had been recorded",
      },
    ],
    budgets: WORK,
    exits: { 0: "printed", 1: "the model refused an operation" },
    asCompiled: "always",
    load: () => import("./commands/lower.ts"),
  },
];
