/**
 * The words of a command line, as the table of commands understands them.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { type Budget, type Budgets, STANDARD_BUDGETS } from "@vmbind/trace/input";
import type { CommandInput, CommandSpec } from "./command.ts";
import { UsageError } from "./errors.ts";
import { optionsOf } from "./help.ts";
import { bytesOf } from "./text/amounts.ts";
import { nearestName } from "./text/nearest.ts";

/**
 * @param command - an entry of the table
 * @param args - the words behind its name
 * @returns what they say
 * @throws {@link UsageError} naming the option or the operand that is wrong
 */
export function parseArguments(
  command: CommandSpec,
  args: readonly string[],
): Omit<CommandInput, "commands" | "division"> {
  const specs = optionsOf(command);
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, { type, multiple, short }]) => [
      name,
      { type, multiple: multiple ?? false, ...(short !== undefined && { short }) },
    ]),
  );
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options,
      allowPositionals: true,
      strict: true,
    });
    if (positionals.length < command.min)
      throw new UsageError(`${missingOf(command.operands, positionals.length)} is missing`);
    if (positionals.length > command.max) {
      throw new UsageError(`unexpected operand ${JSON.stringify(positionals[command.max])}`);
    }
    return {
      options: values,
      operands: positionals,
      budgets: budgetsOf(command.budgets ?? [], values["budget"]),
    };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (!code?.startsWith("ERR_PARSE_ARGS_")) throw error;
    throw new UsageError(inOurWords(message, Object.keys(specs)));
  }
}

/** What is missing of operands such as `A B`, of which some are given. */
function missingOf(operands: string, given: number): string {
  return operands.split(" ").slice(given).join(" ");
}

/** What Node.js says of an option that it does not understand. */
function inOurWords(message: string, names: readonly string[]): string {
  const unknown = /^Unknown option '(-[^']+)'/.exec(message)?.[1];
  if (unknown !== undefined) {
    const near = nearestName(unknown.replace(/^-+/, ""), names);
    return `no option ${JSON.stringify(unknown)}${near === null ? "" : `; did you mean --${near}?`}`;
  }
  const option = /^Option '(?:-\w, )?(--[^ ']+)/.exec(message)?.[1];
  if (option === undefined) return message.split(/[.\n]/)[0] as string;
  if (message.includes("is ambiguous"))
    return `${option}: a value that begins with - is written as ${option}=-1`;
  return `${option}: ${message.includes("argument missing") ? "a value is missing" : "takes no value"}`;
}

function budgetsOf(known: readonly Budget[], given: CommandInput["options"][string]): Budgets {
  if (!Array.isArray(given)) return STANDARD_BUDGETS;
  const names = known.map((budget) => budget.name);
  return new Map(
    given.map((text) => {
      const [, name = "", written = ""] = /^([a-z]+)=(.+)$/.exec(String(text)) ?? [];
      const amount = bytesOf(written);
      if (names.includes(name) && amount >= 0) return [name, amount];
      const near = nearestName(name, names);
      const hint = names.includes(name) || near === null ? "" : `; did you mean ${near}=${written}?`;
      throw new UsageError(
        `--budget: expected NAME=N, NAME one of ${names.join(", ")}; got ${JSON.stringify(text)}${hint}`,
      );
    }),
  );
}
