/**
 * What a shell has to know: the table of commands with the names that there are, ready to be written down.
 *
 * @module
 */

import type { CommandSpec, NameKind } from "../command.ts";
import { optionsOf } from "../help.ts";
import { filler, namesOf } from "../names.ts";

/** What can stand at a place. */
export interface Offer {
  /** These words. */
  names: readonly string[];
  /** Any file, too. */
  files: boolean;
}

/** An option of a command. */
export interface OfferedOption {
  /** With its dashes. */
  name: string;
  /** What the value stands for; null for a flag. */
  value: string | null;
  /** What its value can be. */
  offer: Offer;
  /** May be given several times. */
  multiple: boolean;
  /** One line. */
  help: string;
}

/** A command. */
export interface OfferedCommand {
  /** Its name. */
  name: string;
  /** One line. */
  summary: string;
  /** Its options. */
  options: readonly OfferedOption[];
  /** What each operand can be. */
  operands: Offer;
  /** How operands are written, empty if there are none. */
  syntax: string;
}

/** Kinds that are files, or can be. */
const FILES: ReadonlySet<NameKind> = new Set<NameKind>(["file", "strategy", "trace", "vectors", "workload"]);

/**
 * @param commands - the table
 * @returns all commands with what can stand behind them
 */
export async function offeredCommands(commands: readonly CommandSpec[]): Promise<OfferedCommand[]> {
  const fill = await filler();
  return Promise.all(
    commands.map(async (command) => ({
      name: command.name,
      summary: fill(command.summary),
      syntax: command.operands,
      operands: await offerOf(command.operandIs),
      options: await Promise.all(
        Object.entries(optionsOf(command)).map(async ([name, { type, value, is, multiple, help }]) => ({
          name: `--${name}`,
          value: type === "string" ? (value ?? "VALUE") : null,
          offer: name === "budget" ? budgetsOf(command) : await offerOf(is),
          multiple: multiple ?? false,
          help: fill(help),
        })),
      ),
    })),
  );
}

async function offerOf(kind: NameKind | undefined): Promise<Offer> {
  if (kind === undefined) return { names: [], files: false };
  return { names: await namesOf(kind), files: FILES.has(kind) };
}

function budgetsOf({ budgets = [] }: CommandSpec): Offer {
  return { names: budgets.map(({ name }) => `${name}=`), files: false };
}
