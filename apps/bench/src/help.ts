/**
 * Help texts, made from the table of commands.
 *
 * @module
 */

import type { CommandSpec, OptionSpec } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { DRIVER_NAMES } from "./drivers/table.ts";
import { type EXIT, EXIT_MEANINGS } from "./errors.ts";

const WIDTH = 100;
const IN_WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/** @returns the help of the program */
export function programHelp(): string {
  const width = Math.max(...COMMANDS.map((c) => c.name.length)) + 2;
  const commands = COMMANDS.map((c) => `  ${c.name.padEnd(width)}${c.summary}\n`).join("");
  return (
    "Usage: vmbind COMMAND [OPTION]... [OPERAND]...\n\n" +
    wrap(
      `An executable model of how ${IN_WORDS[DRIVER_NAMES.length]} Linux GPU drivers (${DRIVER_NAMES.join(", ")}) let user space manage a GPU's virtual ` +
        "address space, and a laboratory that counts what a sparse workload costs in each.",
    ) +
    `\nCommands:\n${commands}\n` +
    "vmbind COMMAND --help tells more. vmbind --version prints the version.\n\n" +
    `Exit status:\n${statuses(EXIT_MEANINGS)}`
  );
}

/**
 * @param command - an entry of the table
 * @returns its help
 */
export function commandHelp(command: CommandSpec): string {
  const options = Object.entries(optionsOf(command)).map(
    ([name, { type, value, help }]) =>
      [type === "string" ? `--${name} ${value}` : `--${name}`, help] as const,
  );
  const width = Math.max(...options.map(([left]) => left.length)) + 2;
  return (
    `${commandUsage(command)}\n\n` +
    command.details.map((paragraph) => `${wrap(paragraph)}\n`).join("") +
    `Options:\n${options.map(([left, help]) => `  ${left.padEnd(width)}${help}\n`).join("")}\n` +
    budgets(command) +
    `Exit status:\n${statuses({ ...EXIT_MEANINGS, ...command.exits })}`
  );
}

/**
 * @param command - an entry of the table
 * @returns its options, those that several commands have included
 */
export function optionsOf({ options, budgets: some }: CommandSpec): Readonly<Record<string, OptionSpec>> {
  return {
    ...options,
    ...(some && { budget: BUDGET_OPTION }),
    help: { type: "boolean", help: "print this help" },
  };
}

const BUDGET_OPTION: OptionSpec = {
  type: "string",
  value: "NAME=N",
  multiple: true,
  help: "let a file ask for more work, or less; may be repeated",
};

function budgets({ budgets: some }: CommandSpec): string {
  if (!some) return "";
  const width = Math.max(...some.map(({ name, standard }) => `${name}=${standard}`.length)) + 2;
  const lines = some.map(
    ({ name, standard, counts }) => `  ${`${name}=${standard}`.padEnd(width)}${counts}\n`,
  );
  return `Budgets, as they are unless told:\n${lines.join("")}\n`;
}

function statuses(meanings: Readonly<Record<(typeof EXIT)[keyof typeof EXIT], string>>): string {
  return Object.entries(meanings)
    .map(([status, meaning]) => `  ${status}  ${meaning}\n`)
    .join("");
}

/**
 * @param command - an entry of the table
 * @returns its usage line
 */
export function commandUsage(command: CommandSpec): string {
  return `Usage: vmbind ${command.name} [OPTION]...${command.operands ? ` ${command.operands}` : ""}`;
}

function wrap(paragraph: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of paragraph.split(" ")) {
    if (line && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else {
      line = line ? `${line} ${word}` : word;
    }
  }
  return `${[...lines, line].join("\n")}\n`;
}
