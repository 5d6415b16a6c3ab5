/**
 * Completion for fish.
 *
 * @module
 */

import type { Offer, OfferedCommand, OfferedOption } from "./words.ts";

/**
 * @param commands - what there is
 * @returns the script
 */
export function fishCompletion(commands: readonly OfferedCommand[]): string {
  const all = commands.map(({ name }) => name).join(" ");
  const lines = [
    "# Completion of vmbind for fish, made by: vmbind completion fish",
    "complete -c vmbind -f",
    "complete -c vmbind -n __fish_use_subcommand -l help -d 'print the help'",
    "complete -c vmbind -n __fish_use_subcommand -l version -d 'print the version'",
    ...commands.map(
      ({ name, summary }) => `complete -c vmbind -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
    ),
    "complete -c vmbind -n __fish_use_subcommand -a help -d 'what a command does'",
    `complete -c vmbind -n '__fish_seen_subcommand_from help' -a ${quoted(all)}`,
    ...commands.flatMap(({ name, options, operands }) => {
      const behind = `complete -c vmbind -n '__fish_seen_subcommand_from ${name}'`;
      return [
        ...options.map((option) => `${behind} ${flag(option)}`),
        ...(operands.files ? [`${behind} -F`] : []),
        ...(operands.names.length > 0 ? [`${behind} -a ${quoted(operands.names.join(" "))}`] : []),
      ];
    }),
  ];
  return `${lines.join("\n")}\n`;
}

function flag({ name, value, offer, help }: OfferedOption): string {
  return `-l ${name.slice(2)}${value === null ? "" : ` ${values(offer)}`} -d ${quoted(help)}`;
}

function values({ names, files }: Offer): string {
  return `${files ? "-r -F" : "-x"}${names.length > 0 ? ` -a ${quoted(names.join(" "))}` : ""}`;
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, (sign) => `\\${sign}`)}'`;
}
