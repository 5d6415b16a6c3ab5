/**
 * The man page, made from the table of commands: `man vmbind`.
 *
 * @module
 */

import type { CommandSpec } from "../command.ts";
import { COMMANDS } from "../commands.ts";
import { EXIT_MEANINGS } from "../errors.ts";
import { ENVIRONMENT, optionSyntax, optionsOf, SUMMARY } from "../help.ts";
import { filler } from "../names.ts";
import { BYTES_FORMS } from "../text/amounts.ts";

/**
 * @param version - of the command
 * @returns a page in the macros of man(7)
 */
export async function manualPage(version: string): Promise<string> {
  const fill = await filler();
  return [
    `.TH VMBIND 1 "" ${quoted(`vmbind ${version}`)} "User Commands"`,
    ".SH NAME",
    "vmbind \\- compare, replay and check how GPU drivers bind memory",
    ".SH SYNOPSIS",
    ".B vmbind",
    "\\fICOMMAND\\fR [\\fIOPTION\\fR]... [\\fIOPERAND\\fR]...",
    ".SH DESCRIPTION",
    text(SUMMARY),
    ".PP",
    text(`Numbers of bytes are written as ${BYTES_FORMS}. A file named - is standard input.`),
    ".SH COMMANDS",
    ...COMMANDS.flatMap((command) => section(command, fill)),
    ".SH EXIT STATUS",
    "Where a command does not say it better:",
    ...terms(Object.entries(EXIT_MEANINGS)),
    ".SH ENVIRONMENT",
    ...terms(Object.entries(ENVIRONMENT)),
    "",
  ].join("\n");
}

function section(command: CommandSpec, fill: (text: string) => string): string[] {
  const { name, operands, details, budgets, examples, exits } = command;
  const options = Object.entries(optionsOf(command)).map(
    ([option, spec]) => [optionSyntax(option, spec), fill(spec.help)] as const,
  );
  return [
    `.SS ${quoted(`vmbind ${name} [OPTION]... ${operands}`.trimEnd())}`,
    ...details.flatMap((paragraph) => [text(fill(paragraph)), ".PP"]),
    "Options:",
    ...terms(options),
    ...(budgets
      ? [".PP", "Budgets:", ...terms(budgets.map((b) => [`${b.name}=${b.standard}`, b.counts] as const))]
      : []),
    ".PP",
    "Examples:",
    ...terms(examples.map(({ line, does }) => [fill(line), fill(does)] as const)),
    ".PP",
    text(`Exit status: 0 ${exits[0]}; 1 ${exits[1]}.`),
  ];
}

function terms(rows: readonly (readonly [string, string])[]): string[] {
  return rows.flatMap(([term, meaning]) => [".TP", `.B ${text(term)}`, text(meaning)]);
}

/** A backslash, a dash that is typed, and a line that begins like a request mean something to roff. */
function text(words: string): string {
  const plain = words.replaceAll("\\", "\\e").replaceAll("-", "\\-");
  return /^[.']/.test(plain) ? `\\&${plain}` : plain;
}

function quoted(words: string): string {
  return `"${text(words).replaceAll('"', '""')}"`;
}
