/**
 * What a command is: its name, operands and options as data, and the code behind it.
 *
 * @module
 */

import type { Budget, Budgets } from "@vmbind/trace/input";
import type { NotBrief } from "./errors.ts";
import type { Io } from "./io.ts";
import type { Division } from "./shard/division.ts";

/** What values and operands can be, where names or files can be offered for them. */
export type NameKind =
  | "area"
  | "device"
  | "driver"
  | "file"
  | "kernel"
  | "phase"
  | "rule"
  | "shell"
  | "strategy"
  | "trace"
  | "vectors"
  | "workload";

/** One option of a command. */
export interface OptionSpec {
  /** A flag, or an option that takes a value. */
  type: "boolean" | "string";
  /** A letter that stands for it, too. */
  short?: string;
  /** What the value stands for in help, e.g. `N`. */
  value?: string;
  /** What the value is. */
  is?: NameKind;
  /** May be given several times. */
  multiple?: boolean;
  /** One line of help; `{name}` as {@link filler} knows them. */
  help: string;
}

/** A command line that somebody may want. */
interface Example {
  /** The line, without a prompt; `{name}` as {@link filler} knows them. */
  line: string;
  /** What it does, one line. */
  does: string;
}

/** What the parser found. */
export interface CommandInput {
  /** Values by option name; options that were not given are absent. */
  options: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;
  /** The operands in order. */
  operands: readonly string[];
  /** What `--budget` says; only budgets of the command. */
  budgets: Budgets;
  /** Whether all of the work is done here, one shard of it, or none, since shards have done it. */
  division: Division;
  /** The table, for commands about commands. */
  commands: readonly CommandSpec[];
  /** Which of its files the command takes; all unless given. */
  stretch?: Stretch;
}

/** A stretch of the files of a command line. */
export interface Stretch {
  /** How many at its beginning are done already. */
  readonly done: number;
  /** Whether it ends, by {@link NotBrief}, at a file that is not read at one go. */
  readonly shortOnly: boolean;
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
  /** What each operand is; nothing unless given. */
  operandIs?: NameKind;
  /** Fewest operands. */
  min: number;
  /** Most operands. */
  max: number;
  /** Options by name. */
  options: Readonly<Record<string, OptionSpec>>;
  /** Paragraphs of help; `{name}` as {@link filler} knows them. */
  details: readonly string[];
  /** At least one. */
  examples: readonly Example[];
  /** What a file may ask of the command; `--budget NAME=N` changes it. None unless given. */
  budgets?: readonly Budget[];
  /** Exit statuses in words; the others mean the same for every command. */
  exits: Readonly<Record<0 | 1, string>>;
  /** Options that only decide how its results are shown; only of commands whose work can be divided. */
  shows?: readonly string[];
  /** It takes next to no time and memory, or its work is done by other processes: no thread is started for it. */
  quick?: true;
  /** MiB of the young generation of its thread, unless `YOUNG_MIB` is enough. */
  youngMib?: number;
  /**
   * Bytes that the files of a command line may have for it to be over before compiling its code thoroughly, or starting a thread for it,
   * pays. None unless given; only of commands that have said all of a file before they read the next one.
   */
  briefUpTo?: number;
  /**
   * Its code is run as it is compiled, not from the bundle: always where it starts files of the program by their place, else where a
   * module of its user's is named. Such a module imports the packages by name, and has to meet the same classes.
   */
  asCompiled?: "always" | "with modules";
  /** Import the code. */
  load(): Promise<{ run: Run }>;
}
