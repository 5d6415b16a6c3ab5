/**
 * Commands that run strategies and count: side by side, and over sizes.
 *
 * @module
 */

import { WORK_BUDGETS } from "@vmbind/lab/budgets";
import type { CommandSpec, OptionSpec } from "./command.ts";
import { WORKLOAD_FILE_HELP } from "./commands-lift.ts";
import { SHARD_HELP, SHARD_OPTION } from "./commands-shard.ts";
import {
  DEVICES_OPTION,
  KERNEL_HELP,
  KERNEL_OPTION,
  OWN_STRATEGY_HELP,
  STRATEGIES_OPTION,
} from "./strategy-options.ts";

const JSON_OPTION: OptionSpec = { type: "boolean", help: "print JSON in place of text" };
const NO_CACHE_OPTION: OptionSpec = {
  type: "boolean",
  help: "count everything anew, whatever an earlier run has left",
};
const WORK = Object.values(WORK_BUDGETS);

/** See `COMMANDS`. */
export const COMPARE_COMMANDS: readonly CommandSpec[] = [
  {
    name: "compare",
    summary: "the same workloads under every sparse strategy, cost sheets side by side",
    operands: "",
    min: 0,
    max: 0,
    options: {
      workload: {
        type: "string",
        value: "NAME|FILE",
        is: "workload",
        multiple: true,
        help: "only this workload; may be repeated",
      },
      strategy: STRATEGIES_OPTION,
      kernel: KERNEL_OPTION,
      device: DEVICES_OPTION,
      seed: { type: "string", value: "N", help: "seed of the draws of generated workloads (default 1)" },
      size: { type: "string", value: "BYTES", help: "a buffer of 100e6, 64MiB, up to 1 TiB, unbound" },
      details: { type: "boolean", help: "also all figures, the findings, the semantics and the accounting" },
      report: { type: "string", value: "FILE", is: "file", help: "also write everything as one HTML page" },
      measured: {
        type: "string",
        value: "FILE",
        is: "file",
        multiple: true,
        help: "with --report: also what a device of yours measured; may be repeated",
      },
      time: { type: "boolean", help: "also what counts may come to in microseconds, as ranges" },
      jobs: { type: "string", value: "N", help: "cells run at a time (default: one per CPU but one)" },
      "no-cache": NO_CACHE_OPTION,
      shard: SHARD_OPTION,
      json: JSON_OPTION,
      csv: { type: "boolean", help: "print comma-separated values: a row per workload, strategy and figure" },
      markdown: { type: "boolean", help: "print Markdown tables" },
      mail: { type: "boolean", help: "print plain text of 72 columns for a mailing list, the answer first" },
    },
    details: [
      "A sparse resource whose pages are not bound must not fault. How should user space say so, and what does it cost? " +
        "Runs workloads under each answer that exists and counts.",
      "Recorded workloads are ioctls of Mesa, replayed: buffer-100e6, image-unbound, buffer-stream, image-window, " +
        "image-3d, image-array-mips, many-small. Generated ones are what an application asks of Vulkan, lowered to ioctls " +
        "anew: buffer-100e6, buffer-stream, many-small-40 (the first 40 buffers of many-small: all 500 would be four " +
        "million operations page by page), random, and by name also many-small, image-mips, unbound, sequential, window. A name that " +
        "is both runs both. A FILE is " +
        `${WORKLOAD_FILE_HELP}; a folder is all .json, .jsonl and .jsonl.gz files in it.`,
      OWN_STRATEGY_HELP,
      KERNEL_HELP,
      `${SHARD_HELP} A report is written by merge.`,
    ],
    examples: [
      { line: "vmbind compare", does: "everything" },
      { line: "vmbind compare --size 100e6", does: "one buffer, nothing bound" },
      {
        line: "vmbind compare --workload mine.trace.jsonl.gz",
        does: "what you recorded, under every strategy",
      },
      { line: "vmbind compare --workload mine.json --mail", does: "your own workload, for a mailing list" },
      {
        line: "vmbind compare --strategy all --strategy ./mine.ts",
        does: "an answer of your own beside the others",
      },
      { line: "vmbind compare --report report.html", does: "the tables, and a page of all that was found" },
    ],
    budgets: WORK,
    exits: { 0: "printed", 1: "a model refused an operation" },
    shows: ["json", "csv", "markdown", "mail", "details"],
    asCompiled: "with modules",
    load: () => import("./commands/compare.ts"),
  },
  {
    name: "sweep",
    summary: "how the cost of a sparse resource grows with its size and with what is bound",
    operands: "[FILE]...",
    operandIs: "file",
    min: 0,
    max: Number.POSITIVE_INFINITY,
    options: {
      strategy: STRATEGIES_OPTION,
      workload: {
        type: "string",
        value: "FILE",
        is: "workload",
        help: "sweep the knobs of this JSON workload",
      },
      kernel: KERNEL_OPTION,
      "work-max": {
        type: "string",
        value: "N",
        help: "leave out points with more operations or leaf entries (default 1048576)",
      },
      jobs: { type: "string", value: "N", help: "points measured at a time (default: one per CPU but one)" },
      details: { type: "boolean", help: "also counted work by size, and each point that is left out" },
      "no-cache": NO_CACHE_OPTION,
      shard: SHARD_OPTION,
      merge: { type: "boolean", help: "put shards together: the same as vmbind merge FILE..." },
      json: JSON_OPTION,
      csv: { type: "boolean", help: "print comma-separated values" },
      markdown: { type: "boolean", help: "print Markdown tables" },
    },
    details: [
      "Measures every strategy at sizes from 64 KiB to 1 TiB (powers of two, a page less, 64 KiB more, and odd numbers), at " +
        "bound parts from 0 to 1 by 1/64, and with something in the way at the top of the heap. Prints how each figure " +
        "grows and the counted work against size, and names the points that it leaves out.",
      "Everything is counted, nothing timed: the output depends neither on --jobs nor on sharding.",
      OWN_STRATEGY_HELP,
      KERNEL_HELP,
      SHARD_HELP,
    ],
    examples: [
      { line: "vmbind sweep --strategy {strategy}", does: "one strategy" },
      { line: "vmbind sweep --strategy ./mine.ts", does: "a strategy of your own" },
      {
        line: "vmbind sweep --workload mine.json",
        does: "your own tiles, order and calls at all sizes and bound parts",
      },
      { line: "vmbind sweep --shard 1/3 > 1.jsonl", does: "a third of the points, on this machine" },
      { line: "vmbind sweep --shard auto > 1.jsonl", does: "the share of this task of a Slurm array" },
    ],
    exits: { 0: "printed", 1: "a model refused an operation" },
    shows: ["json", "csv", "markdown", "details"],
    asCompiled: "with modules",
    load: () => import("./commands/sweep.ts"),
  },
];
