/**
 * What a command line says about shards, and a command line made again from what was understood of it: two that mean the same are
 * then the same, whatever the order of their options.
 *
 * @module
 */

import type { CommandInput, CommandSpec } from "../command.ts";
import { optionsOf } from "../help.ts";
import type { Division } from "./division.ts";
import { givenShard } from "./whose.ts";

/** Options that decide where and how fast parts run, and nothing of what comes out. */
const IDLE: ReadonlySet<string> = new Set(["shard", "jobs", "no-cache"]);

/**
 * @param command - an entry of the table
 * @param input - what was understood of its words
 * @param env - the environment, where an engine says which shard this is
 * @returns which part of the work is done here; all of it unless `--shard` is given
 * @throws UsageError for a shard that there is not
 */
export function divisionOf(
  command: CommandSpec,
  input: Pick<CommandInput, "options" | "operands">,
  env: Readonly<Record<string, string | undefined>>,
): Division {
  const option = input.options["shard"];
  if (typeof option !== "string") return { kind: "whole" };
  return {
    kind: "shard",
    given: givenShard(option, env),
    command: command.name,
    words: wordsOf(command, input),
  };
}

/**
 * @param command - an entry of the table
 * @param input - what was understood
 * @returns the words behind its name, without those that say nothing of the result
 */
function wordsOf(
  command: CommandSpec,
  { options, operands }: Pick<CommandInput, "options" | "operands">,
): string[] {
  const given = Object.keys(optionsOf(command)).flatMap((name) => {
    const value = options[name];
    if (value === undefined || value === false || IDLE.has(name)) return [];
    return [value].flat().flatMap((one) => (typeof one === "string" ? [`--${name}=${one}`] : [`--${name}`]));
  });
  return operands.some((operand) => operand.startsWith("-"))
    ? [...given, "--", ...operands]
    : [...given, ...operands];
}

/**
 * @param words - of a command line
 * @returns them as a shell takes them
 */
export function typed(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
}
