/**
 * Which command lines are done in a moment: no thread is started to run them, nobody has to watch over them.
 *
 * @module
 */

import { COMMANDS } from "./commands.ts";

/**
 * @param argv - the words after the program's name
 * @returns whether it is help, the version, a list of names, or wrong from its first word on
 */
export function isQuick(argv: readonly string[]): boolean {
  const command = COMMANDS.find(({ name }) => name === argv[0]);
  return !command || command.quick === true || argv.some((word) => word === "--help" || word === "-h");
}
