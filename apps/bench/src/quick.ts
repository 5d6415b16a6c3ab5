/**
 * How a command line is run. Which are done in a moment: no thread is started to run them, nobody has to watch over them.
 *
 * @module
 */

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS } from "./commands.ts";
import { isModule } from "./files/module-name.ts";

/** Files of a folder that are asked how long they are. */
const FOLDER_MAX = 1000;

/**
 * @param argv - the words after the program's name
 * @returns whether it is help, the version, a list of names, or wrong from its first word on
 */
export function isQuick(argv: readonly string[]): boolean {
  const command = COMMANDS.find(({ name }) => name === argv[0]);
  return !command || command.quick === true || asksForHelp(argv);
}

/**
 * @param argv - the words after the program's name
 * @returns whether its command is run as it is compiled
 */
export function isAsCompiled(argv: readonly string[]): boolean {
  const how = COMMANDS.find(({ name }) => name === argv[0])?.asCompiled;
  return how === "always" || (how === "with modules" && argv.some(isModule));
}

/**
 * @param argv - the words after the program's name
 * @returns whether it is over before compiling its code thoroughly pays
 */
export function isBrief(argv: readonly string[]): boolean {
  const most = COMMANDS.find(({ name }) => name === argv[0])?.briefUpTo;
  return most !== undefined && fileBytes(argv.slice(1)) <= most;
}

/** Of the words that are files, and of the files in those that are folders. */
function fileBytes(words: readonly string[]): number {
  let bytes = 0;
  for (const word of words) {
    try {
      const file = statSync(word);
      bytes += file.isDirectory() ? folderBytes(word) : file.size;
    } catch {
      // No file, or none that can be read: the command says so if it has to.
    }
  }
  return bytes;
}

function folderBytes(folder: string): number {
  const names = readdirSync(folder);
  if (names.length > FOLDER_MAX) return Number.POSITIVE_INFINITY;
  return names.reduce((bytes, name) => bytes + statSync(join(folder, name)).size, 0);
}

/**
 * @param argv - words of a command line
 * @returns whether one of them asks for help; what stands behind `--` is another program's
 */
export function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end < 0 ? argv : argv.slice(0, end)).some((word) => word === "--help" || word === "-h");
}
