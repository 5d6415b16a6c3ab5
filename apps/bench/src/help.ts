/**
 * Help texts, made from the table of commands.
 *
 * @module
 */

import type { CommandSpec, OptionSpec } from "./command.ts";
import { DRIVER_NAMES } from "./drivers/table.ts";
import { type EXIT, EXIT_MEANINGS } from "./errors.ts";
import { filler } from "./names.ts";
import { BYTES_FORMS } from "./text/amounts.ts";

const WIDTH = 80;
/** What stands at the left of a list is at most so wide. */
const MARGIN_MAX = 26;
const IN_WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/** What the program is. */
export const SUMMARY: string =
  `An executable model of how ${IN_WORDS[DRIVER_NAMES.length]} Linux GPU drivers (${DRIVER_NAMES.join(", ")}) let user space manage a GPU's virtual ` +
  "address space, and a laboratory that counts what a sparse workload costs in each.";

/** Variables of the environment that the program reads, and what they do. */
export const ENVIRONMENT: Readonly<Record<string, string>> = {
  COLUMNS: "width of text in characters, at least 40 (default: the terminal's, 80 in a pipe)",
  NO_COLOR: "no emphasis, even on a terminal",
  VMBIND_CACHE: "folder where compare and sweep keep what they have counted",
  VMBIND_STACK: "an internal error prints where it was thrown",
  NODE_OPTIONS: "e.g. --max-old-space-size=MIB, for files that need more memory",
};

/**
 * @param commands - the table
 * @returns the help of the program
 */
export function programHelp(commands: readonly CommandSpec[]): string {
  const list = listed(commands.map(({ name, summary }) => [name, summary]));
  return (
    "Usage: vmbind COMMAND [OPTION]... [OPERAND]...\n\n" +
    wrap(SUMMARY) +
    `\nCommands:\n${list}\n` +
    "vmbind COMMAND --help tells more. vmbind --version prints the version.\n\n" +
    wrap(`Numbers of bytes are written as ${BYTES_FORMS}. A file named - is standard input.`) +
    `\nEnvironment:\n${listed(Object.entries(ENVIRONMENT))}\n` +
    `Exit status:\n${statuses(EXIT_MEANINGS)}`
  );
}

/**
 * @param command - an entry of the table
 * @returns its help
 */
export async function commandHelp(command: CommandSpec): Promise<string> {
  const fill = await filler();
  const options = Object.entries(optionsOf(command)).map(
    ([name, option]) => [optionSyntax(name, option), fill(option.help)] as const,
  );
  const examples = command.examples.map(({ line, does }) => `  ${fill(line)}\n      ${fill(does)}\n`);
  return (
    `${commandUsage(command)}\n\n` +
    command.details.map((paragraph) => `${wrap(fill(paragraph))}\n`).join("") +
    `Options:\n${listed(options)}\n` +
    budgets(command) +
    `Examples:\n${examples.join("")}\n` +
    `Exit status:\n${statuses({ ...EXIT_MEANINGS, ...command.exits })}`
  );
}

/**
 * @param name - of an option
 * @param option - its entry
 * @returns `--name VALUE`
 */
export function optionSyntax(name: string, { type, value, short }: OptionSpec): string {
  const letter = short === undefined ? "" : `-${short}, `;
  return type === "string" ? `${letter}--${name} ${value ?? "VALUE"}` : `${letter}--${name}`;
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
  const rows = some.map(({ name, standard, counts }) => [`${name}=${standard}`, counts] as const);
  return `Budgets, as they are unless told:\n${listed(rows)}\n`;
}

function statuses(meanings: Readonly<Record<(typeof EXIT)[keyof typeof EXIT], string>>): string {
  return listed(Object.entries(meanings));
}

/** Words at the left, what they mean at the right, nothing wider than a terminal. */
function listed(rows: readonly (readonly [string, string])[]): string {
  const width = Math.min(MARGIN_MAX, Math.max(...rows.map(([left]) => left.length)) + 2);
  const indent = " ".repeat(2 + width);
  return rows
    .map(([left, right]) => {
      const lines = wrap(right, WIDTH - indent.length)
        .trimEnd()
        .split("\n")
        .join(`\n${indent}`);
      const first = left.length + 2 > width ? `${left}\n${indent}` : left.padEnd(width);
      return `  ${first}${lines}\n`;
    })
    .join("");
}

/**
 * @param command - an entry of the table
 * @returns its usage line
 */
export function commandUsage(command: CommandSpec): string {
  return `Usage: vmbind ${command.name} [OPTION]...${command.operands ? ` ${command.operands}` : ""}`;
}

function wrap(paragraph: string, width: number = WIDTH): string {
  const lines: string[] = [];
  let line = "";
  for (const word of paragraph.split(" ")) {
    if (line && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line ? `${line} ${word}` : word;
    }
  }
  return `${[...lines, line].join("\n")}\n`;
}
