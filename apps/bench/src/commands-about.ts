/**
 * Commands about the command itself: what ships with it, and how a shell learns its words.
 *
 * @module
 */

import type { CommandSpec, OptionSpec } from "./command.ts";

const JSON_OPTION: OptionSpec = { type: "boolean", help: "print JSON in place of text" };

/** The last commands of the table. */
export const ABOUT_COMMANDS: readonly CommandSpec[] = [
  {
    name: "traces",
    summary: "the recordings that ship, by name",
    operands: "[WORD]...",
    operandIs: "trace",
    min: 0,
    max: Number.POSITIVE_INFINITY,
    options: { json: JSON_OPTION },
    details: [
      "Lists name, driver, user-mode driver, GPU and workload of each recording that comes with vmbind; with a WORD only " +
        "those that have it in their name. Wherever a command takes a TRACE, such a name will do.",
    ],
    examples: [
      { line: "vmbind traces", does: "all of them" },
      { line: "vmbind traces image {driver}", does: "those with both words in their name" },
    ],
    exits: { 0: "printed", 1: "no recording has the words in its name" },
    quick: true,
    load: () => import("./commands/traces.ts"),
  },
  {
    name: "strategies",
    summary: "the ways to say that memory is sparse, by name",
    operands: "",
    min: 0,
    max: 0,
    options: { json: JSON_OPTION },
    details: [
      "Lists each strategy that `compare`, `sweep` and `lower` know: its driver, what user space sends, and whether anybody " +
        "does so today.",
    ],
    examples: [{ line: "vmbind strategies", does: "all of them" }],
    exits: { 0: "printed", 1: "never" },
    quick: true,
    load: () => import("./commands/strategies.ts"),
  },
  {
    name: "completion",
    summary: "a script that teaches a shell the commands, options and names",
    operands: "SHELL",
    operandIs: "shell",
    min: 1,
    max: 1,
    options: {},
    details: [
      "SHELL is bash, zsh or fish. The script knows the names of this version: print it anew after an update.",
    ],
    examples: [
      { line: 'eval "$(vmbind completion bash)"', does: "in ~/.bashrc" },
      { line: 'eval "$(vmbind completion zsh)"', does: "in ~/.zshrc, behind compinit" },
      { line: "vmbind completion fish > ~/.config/fish/completions/vmbind.fish", does: "once" },
    ],
    exits: { 0: "printed", 1: "never" },
    quick: true,
    load: () => import("./commands/completion.ts"),
  },
];
