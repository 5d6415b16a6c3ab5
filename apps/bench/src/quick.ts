/**
 * How a command line is run. Which are done in a moment: no thread is started to run them, nobody has to watch over them.
 *
 * @module
 */

import type { CommandSpec } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { isModule } from "./files/module-name.ts";

/**
 * @param argv - the words after the program's name
 * @returns the command that they begin with
 */
export function commandOf(argv: readonly string[]): CommandSpec | undefined {
  return COMMANDS.find(({ name }) => name === argv[0]);
}

/**
 * @param argv - the words after the program's name
 * @returns whether it is help, the version, a list of names, or wrong from its first word on
 */
export function isQuick(argv: readonly string[]): boolean {
  const command = commandOf(argv);
  return !command || command.quick === true || asksForHelp(argv);
}

/**
 * @param argv - the words after the program's name
 * @returns whether its command is run as it is compiled
 */
export function isAsCompiled(argv: readonly string[]): boolean {
  const how = commandOf(argv)?.asCompiled;
  return how === "always" || (how === "with modules" && argv.some(isModule));
}

/**
 * @param argv - words of a command line
 * @returns whether one of them asks for help; what stands behind `--` is another program's
 */
export function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end < 0 ? argv : argv.slice(0, end)).some((word) => word === "--help" || word === "-h");
}
