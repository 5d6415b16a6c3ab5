/**
 * What a command is: its name, operands and options as data, and the code behind it.
 *
 * @module
 */

import type { Budget, Budgets } from "@vmbind/trace";
import type { Io } from "./io.ts";

/** One option of a command. */
export interface OptionSpec {
  /** A flag, or an option that takes a value. */
  type: "boolean" | "string";
  /** What the value stands for in help, e.g. `N`. */
  value?: string;
  /** May be given several times. */
  multiple?: boolean;
  /** One line of help. */
  help: string;
}

/** What the parser found. */
export interface CommandInput {
  /** Values by option name; options that were not given are absent. */
  options: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;
  /** The operands in order. */
  operands: readonly string[];
  /** What `--budget` says; only budgets of the command. */
  budgets: Budgets;
}

/** The code of a command; the result is its exit status. */
type Run = (input: CommandInput, io: Io) => Promise<number>;

/** One command. */
export interface CommandSpec {
  /** First word of the command line. */
  name: string;
  /** One line for the list of commands. */
  summary: string;
  /** How operands are written, empty if there are none. */
  operands: string;
  /** Fewest operands. */
  min: number;
  /** Most operands. */
  max: number;
  /** Options by name. */
  options: Readonly<Record<string, OptionSpec>>;
  /** Paragraphs of help. */
  details: readonly string[];
  /** What a file may ask of the command; `--budget NAME=N` changes it. None unless given. */
  budgets?: readonly Budget[];
  /** Exit statuses in words; the others mean the same for every command. */
  exits: Readonly<Record<0 | 1, string>>;
  /** Import the code. */
  load(): Promise<{ run: Run }>;
}
