/**
 * Commands that run a program: on a model, or in front of a real driver.
 *
 * @module
 */

import type { CommandSpec } from "./command.ts";

/** See `COMMANDS`. */
export const LIVE_COMMANDS: readonly CommandSpec[] = [
  {
    name: "live",
    summary: "run a program on a driver model: an unmodified Vulkan driver, a kernel test",
    operands: "COMMAND [ARG]...",
    min: 1,
    max: Number.POSITIVE_INFINITY,
    options: {
      device: {
        type: "string",
        value: "DRIVER[:GPU]",
        is: "device",
        help: "what COMMAND finds in /dev/dri, e.g. {driver} (default {gpu})",
      },
    },
    details: [
      "Runs COMMAND with a model as its kernel: what it does with /dev/dri goes to the model of a driver, through a small library " +
        "that is preloaded into it. No GPU is needed, no root, no kernel module. Put -- in front of COMMAND.",
    ],
    examples: [
      {
        line: "vmbind live -- vulkaninfo --summary",
        does: "the Vulkan drivers of this machine on the default GPU",
      },
    ],
    exits: {
      0: "COMMAND succeeded; any other status is COMMAND's, 128 and the number for a signal",
      1: "COMMAND's",
    },
    quick: true,
    load: () => import("./commands/live.ts"),
  },
];
