/**
 * Commands that run a program: on a model, or in front of a real driver.
 *
 * @module
 */

import { TRACE_BUDGETS } from "@vmbind/trace/input";
import type { CommandSpec } from "./command.ts";

const NOT_CAUGHT = "32-bit programs, static binaries and raw system calls are not caught.";

const EXITS = {
  0: "COMMAND succeeded",
  1: "COMMAND's own; so is any other that it ends with, 128 + N for signal N",
} as const;

/** See `COMMANDS`. */
export const LIVE_COMMANDS: readonly CommandSpec[] = [
  {
    name: "live",
    summary: "run a program on a driver model: an unmodified Vulkan driver, a kernel test",
    operands: "-- COMMAND [ARG]...",
    min: 1,
    max: Number.POSITIVE_INFINITY,
    options: {
      device: {
        type: "string",
        value: "DRIVER[:GPU]",
        is: "device",
        help: "what COMMAND finds in /dev/dri (default {gpu})",
      },
      log: {
        type: "boolean",
        help:
          "tell each ioctl on standard error, decoded, and of a refused one why; at the end the cost sheet, and what was " +
          "left mapped or open",
      },
      trace: { type: "string", value: "FILE", is: "file", help: "record, for replay, explain and explore" },
      check: {
        type: "boolean",
        help: "check every invariant of the model after each call that changes memory",
      },
      lint: {
        type: "boolean",
        help: "at the end say on standard error what is wrong with what COMMAND did to its address spaces; status 1 for an error",
      },
      report: {
        type: "string",
        value: "FILE",
        is: "file",
        help: "write what happened as explore does, as a page",
      },
      vram: { type: "string", value: "BYTES", help: "the GPU's own memory, for GPUs that have any" },
      system: { type: "string", value: "BYTES", help: "system memory that the GPU may use" },
      "debug-build": {
        type: "boolean",
        help: "the driver is built for debugging: some then take flags that make an ioctl fail",
      },
      "memory-folder": {
        type: "string",
        value: "DIR",
        is: "file",
        help: "folder for the file that is the GPU's memory (default /dev/shm)",
      },
    },
    details: [
      "Runs COMMAND with a model as its kernel: what it does with /dev/dri goes to the model of a driver, through a small " +
        "library that is preloaded into it. It needs neither a GPU nor root nor a kernel module; a C compiler for the first run. " +
        "Put -- in front of COMMAND.",
      "Batches are run as far as kernel tests need them: stores, copies, semaphores. Nothing is drawn. All programs that " +
        "COMMAND starts share the GPU, and are not isolated from each other. " +
        NOT_CAUGHT,
    ],
    examples: [
      {
        line: "vmbind live --log -- vulkaninfo --summary",
        does: "a Vulkan driver, and what it asks of the kernel",
      },
      { line: "vmbind live --trace mine.jsonl.gz -- ./mine", does: "a recording of your own program" },
      { line: "vmbind live --lint -- ./mine", does: "mistakes and waste in its binds" },
      { line: "vmbind live --check --report mine.html -- ./mine", does: "every step checked, and as a page" },
    ],
    budgets: Object.values(TRACE_BUDGETS),
    exits: EXITS,
    quick: true,
    load: () => import("./commands/live.ts"),
  },
  {
    name: "record",
    summary: "run a program on this machine's GPU and record what it asks of the driver's memory management",
    operands: "-- COMMAND [ARG]...",
    min: 1,
    max: Number.POSITIVE_INFINITY,
    options: {
      output: {
        type: "string",
        value: "FILE",
        is: "file",
        help: "where to write the recording (default recording.jsonl.gz here)",
      },
      time: { type: "boolean", help: "also print how long the recorded ioctls took in the kernel" },
    },
    details: [
      "Runs COMMAND as it is; each DRM ioctl goes to the real driver, and those about memory are kept with their arguments, what " +
        "they point to, and their results, in the format that replay, explain and explore read. Addresses of the process are " +
        "replaced by fixed ones. Put -- in front of COMMAND.",
      NOT_CAUGHT,
    ],
    examples: [
      { line: "vmbind record --output mine.jsonl.gz -- ./mine", does: "a recording of your own program" },
      { line: "vmbind record --time -- ./mine", does: "with the times of the real driver" },
    ],
    exits: EXITS,
    quick: true,
    load: () => import("./commands/record.ts"),
  },
];
