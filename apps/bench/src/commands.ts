/**
 * The commands and their options as data: parsing, help and the tests of help all read this one table.
 *
 * A command's code is imported when it runs, so that `vmbind --help` loads nothing.
 *
 * @module
 */

import { WORK_BUDGETS } from "@vmbind/lab/budgets";
import { STORY_BUDGETS, TRACE_BUDGETS } from "@vmbind/trace/input";
import type { CommandSpec, OptionSpec } from "./command.ts";
import { ABOUT_COMMANDS } from "./commands-about.ts";
import { COMPARE_COMMANDS } from "./commands-compare.ts";
import { LIFT_COMMANDS, LOWERED_HELP, LOWERED_OPTIONS } from "./commands-lift.ts";
import { LINT_COMMANDS } from "./commands-lint.ts";
import { LIVE_COMMANDS } from "./commands-live.ts";
import { MERGE_COMMAND, SHARD_HELP, SHARD_OPTION } from "./commands-shard.ts";
import { FUZZ_YOUNG_MIB } from "./engine.ts";

const JSON_OPTION: OptionSpec = { type: "boolean", help: "print JSON in place of text" };
const TRACE_HELP =
  "A TRACE is a file, - for standard input, or the name of a recording that ships, such as {trace}.";
const TRACES_HELP = `${TRACE_HELP} A folder is all .jsonl and .jsonl.gz files in it.`;

const TRACE = Object.values(TRACE_BUDGETS);
const WORK = Object.values(WORK_BUDGETS);

/** All commands in the order of help. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    name: "verify",
    summary: "hold the models against conformance vectors",
    operands: "FILE...",
    operandIs: "vectors",
    min: 1,
    max: Number.POSITIVE_INFINITY,
    options: {
      json: JSON_OPTION,
      traces: {
        type: "string",
        value: "DIR",
        is: "file",
        help: "where the recordings are that cases name; ../../traces of the vector file, or those that ship",
      },
      shard: SHARD_OPTION,
    },
    details: [
      "Runs every case of each vector file (.jsonl or .jsonl.gz; the header's `format` says what it tests) against the " +
        "model and prints one line per file, with the first mismatch of a file that has one. - is standard input, a folder is " +
        "all .jsonl and .jsonl.gz files in it.",
      `${SHARD_HELP} Long files are cut between cases.`,
    ],
    examples: [
      { line: "vmbind verify vectors/", does: "every .jsonl and .jsonl.gz file in a folder" },
      { line: "zcat cases.jsonl.gz | vmbind verify -", does: "what another program writes" },
      { line: "vmbind verify --json cases.jsonl", does: "the tally and the first mismatch, for a script" },
    ],
    budgets: [TRACE_BUDGETS.bytes],
    exits: { 0: "every case passed", 1: "a case failed" },
    shows: ["json"],
    load: () => import("./commands/verify.ts"),
  },
  {
    name: "replay",
    summary: "feed recorded ioctls to a driver model and compare its answers",
    operands: "TRACE...",
    operandIs: "trace",
    min: 1,
    max: Number.POSITIVE_INFINITY,
    options: {
      check: { type: "boolean", help: "check every invariant of the model after every ioctl" },
      json: JSON_OPTION,
      shard: SHARD_OPTION,
    },
    details: [
      "Gives the raw bytes of each recorded ioctl to the model of the trace's driver, compares the result and the " +
        "returned bytes with the recording, the mappings with an independent interval replay, and recorded GPU stores " +
        "with where the model's page tables send them. Prints the counts, the cost sheet by phase and what is still " +
        "mapped at the end.",
      TRACES_HELP,
      SHARD_HELP,
    ],
    examples: [
      { line: "vmbind replay {trace}", does: "a recording that ships" },
      { line: "vmbind replay --check mine.jsonl.gz", does: "your own, with every invariant checked" },
      { line: "vmbind replay --json traces/ > results.jsonl", does: "a line for each trace of a folder" },
    ],
    budgets: TRACE,
    exits: { 0: "no difference", 1: "the model answers differently" },
    shows: [],
    // The recordings that ship, as they are compressed, which take three seconds.
    briefUpTo: 2 ** 21,
    load: () => import("./commands/replay.ts"),
  },
  {
    name: "explain",
    summary: "a trace in words, like strace, with what each VM_BIND does inside",
    operands: "TRACE",
    operandIs: "trace",
    min: 1,
    max: 1,
    options: {
      seq: {
        type: "string",
        value: "N[-M]",
        help: "only the ioctl with this number, or this range of numbers",
      },
      failed: { type: "boolean", help: "only what the driver refuses, with the reason" },
      va: {
        type: "string",
        value: "RANGE",
        help: "only what names these addresses: 0xA, 0xA-0xB (B behind the last byte), 0xA+64KiB",
      },
      bo: { type: "string", value: "N", help: "only what names this handle" },
      phase: { type: "string", value: "NAME", is: "phase", help: "only what the client does in this phase" },
      kind: {
        type: "string",
        value: "KIND",
        help: "only this: an ioctl's name, a kind of operation (map-sparse), bind, bo-create, ...",
      },
      ops: { type: "boolean", help: "per operation: GPUVM steps, leaf entries and tables that changed" },
      summary: {
        type: "boolean",
        short: "c",
        help: "how often each ioctl and kind of operation was there, and what it cost, in place of the list",
      },
      json: { type: "boolean", help: "print JSON in place of text: a line for each ioctl" },
      ...LOWERED_OPTIONS,
    },
    details: [
      "Prints each ioctl with its decoded arguments, the split and merge steps that its operations cause, the page-table " +
        "entries that change, and for a failing operation the rule that it breaks. What an address belongs to stands behind the #.",
      "Options that choose have to agree; of an array the operations that they are about are shown, and always the one that is refused. Marks are left out then.",
      TRACE_HELP,
      LOWERED_HELP,
    ],
    examples: [
      { line: "vmbind explain {trace}", does: "every ioctl" },
      { line: "vmbind explain {trace} --seq 10-12 --ops", does: "three ioctls, operation by operation" },
      { line: "vmbind explain mine.jsonl.gz --failed", does: "what was refused, and why" },
      { line: "vmbind explain mine.jsonl.gz --va 0x7fffd1855000", does: "the history of an address" },
      { line: "vmbind explain mine.jsonl.gz -c --phase bind", does: "what the binds cost" },
      { line: "zcat mine.jsonl.gz | vmbind explain - | less", does: "what another program writes" },
      {
        line: "vmbind explain buffer-100e6 --strategy {strategy}",
        does: "a workload, as a strategy lowers it",
      },
    ],
    budgets: [...TRACE, STORY_BUDGETS.leaves, ...WORK],
    exits: { 0: "printed", 1: "the model answers differently from the recording" },
    load: () => import("./commands/explain.ts"),
  },
  {
    name: "explore",
    summary: "a trace as an HTML page: time line, address space, steps, every bit of a walk",
    operands: "TRACE",
    operandIs: "trace",
    min: 1,
    max: 1,
    options: {
      output: {
        type: "string",
        value: "FILE",
        is: "file",
        help: "where to write the page (default NAME.html here)",
      },
      ...LOWERED_OPTIONS,
    },
    details: [
      "Writes one self-contained page with the trace and the driver's model in it: what was refused and why, a time line, each ioctl " +
        "with its operations, the split and merge steps and the page-table leaves that changed, the address space behind it from all of " +
        "it down to a page, and of each address who mapped it, its history, and its walk with every bit of each entry named. Works offline.",
      TRACE_HELP,
      LOWERED_HELP,
    ],
    examples: [
      { line: "vmbind explore {trace}", does: "writes {trace}.html" },
      { line: "vmbind explore mine.jsonl.gz --output mine.html", does: "your own trace" },
      { line: "vmbind explore random --strategy {strategy}", does: "a workload, as a strategy lowers it" },
    ],
    budgets: [...TRACE, ...WORK],
    exits: { 0: "written", 1: "the model answers differently from the recording" },
    load: () => import("./commands/explore.ts"),
  },
  ...LINT_COMMANDS,
  ...LIFT_COMMANDS,
  ...COMPARE_COMMANDS,
  {
    name: "fuzz",
    summary: "random and mutated ioctls against a driver model",
    operands: "",
    min: 0,
    max: 0,
    options: {
      driver: { type: "string", value: "NAME", is: "driver", help: "{drivers}; needed" },
      seed: { type: "string", value: "N", help: "seed of every draw (default 1)" },
      runs: {
        type: "string",
        value: "N",
        help: "ioctls to issue (default 100000); simulations add those that show that their VMs live",
      },
      "keep-going": {
        type: "boolean",
        help: "go on after a finding; each cause is told once. Always so in shards",
      },
      only: {
        type: "string",
        value: "KIND",
        help: "sessions of one kind: mutation or simulation (default: in turn)",
      },
      check: { type: "boolean", help: "check every invariant after every ioctl, not now and then" },
      out: {
        type: "string",
        value: "FILE",
        is: "file",
        help: "where to write a reproducer (default fuzz-NAME-N.jsonl); of a second cause FILE-2, and so on",
      },
      jobs: {
        type: "string",
        value: "N",
        help: "sessions run at a time (default: one per CPU, fewer in short runs)",
      },
      json: JSON_OPTION,
      shard: SHARD_OPTION,
    },
    details: [
      "Issues well-formed, mutated, recorded and random ioctls on several VMs and files of one device, and watches that " +
        "nothing is thrown, that every result is 0 or an errno of the specification, that no byte beyond the argument " +
        "changes, that the driver's invariants hold, and that a refused ioctl leaves what the real driver would leave. " +
        "The same seed gives the same calls, and what is printed and written does not depend on --jobs.",
      "Every second session is a simulation: several files share objects, fences signal in any order, memory is taken and given back, " +
        "allocations fail, files close at any point, and what the GPU finds is compared page by page with a naive model. In the end, " +
        "without faults, every VM must bind and unbind again.",
      "What is found is shrunk and written as a trace for `vmbind replay --check`. Findings have one cause when they break the same rule in " +
        "the same words, numbers aside, and need the same ioctls.",
      `${SHARD_HELP} Sessions have draws of their own, so shards never repeat each other.`,
    ],
    examples: [
      { line: "vmbind fuzz --driver {driver}", does: "100000 ioctls" },
      {
        line: "vmbind fuzz --driver {driver} --seed 7 --runs 1e6 --check",
        does: "many more, and everything checked after each",
      },
    ],
    exits: { 0: "nothing found", 1: "something found" },
    shows: ["json"],
    youngMib: FUZZ_YOUNG_MIB,
    load: () => import("./commands/fuzz.ts"),
  },
  {
    name: "micro",
    summary: "microbenchmarks beside the figures of the real kernel code",
    operands: "[AREA]",
    operandIs: "area",
    min: 0,
    max: 1,
    options: {
      json: JSON_OPTION,
      runs: {
        type: "string",
        value: "N",
        help: "timed runs of each workload after the warm-up (default 5; with --against 11)",
      },
      "warm-up": {
        type: "string",
        value: "MS",
        help: "CPU time of untimed runs before, in ms: at least 3, until two agree, for 3 times MS at most (default 1000)",
      },
      only: { type: "string", value: "ID", multiple: true, help: "only this workload; may be repeated" },
      max: {
        type: "string",
        value: "N",
        help: "largest N of the gpuvm and baseline areas (default 1000000)",
      },
      save: { type: "string", value: "FILE", help: "also write the figures, for --compare" },
      compare: {
        type: "string",
        value: "FILE",
        help: "ratios to the figures that --save has written, and whether the runs differ",
      },
      against: {
        type: "string",
        value: "DIR",
        help: "ratios to another build: a clone, in turns with this one, in both orders of loading",
      },
    },
    details: [
      "AREA is {areas}; without it all run. Every run checks its result, so a fast " +
        "wrong answer cannot win. Workloads that share no state run in processes of their own, which take the models from the bundle, " +
        "as `replay` and `compare` do, and wait for V8's compiler, lest figures depend on when it is done. Times are CPU time of the process (wall time for runs below a millisecond); `peer` is " +
        "the kernel's C or Rust code, compiled for user space, on another machine of this kind.",
      "To compare two commits, build the other in a worktree of its own (`git worktree add ../before HEAD~1`, install and build " +
        "there), then give its folder to --against: each repetition runs in both builds a millisecond apart, which tells small " +
        "changes from a busy machine. Two runs joined by --save and --compare do not.",
    ],
    examples: [
      { line: "vmbind micro gpuvm --max 1e5", does: "one area, with smaller sizes" },
      { line: "vmbind micro --runs 20 --json", does: "everything, for a script" },
      { line: "vmbind micro gpuvm --against ../before", does: "this build and another, in turns" },
      { line: "vmbind micro --save before.json", does: "figures for a later --compare before.json" },
    ],
    exits: { 0: "measured", 1: "a check value was wrong, or a measurement failed" },
    asCompiled: "always",
    load: () => import("./commands/micro.ts"),
  },
  MERGE_COMMAND,
  ...LIVE_COMMANDS,
  ...ABOUT_COMMANDS,
];
