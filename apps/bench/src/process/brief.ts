/**
 * Whether a command is over before compiling its code thoroughly, or starting a thread for it, pays.
 *
 * @module
 */

import { statSync } from "node:fs";
import { filesOf, JSON_LINES } from "../files/folders.ts";
import { seemsShort } from "../files/short-files.ts";
import { STANDARD_INPUT } from "../files/standard-input.ts";
import { commandOf } from "../quick.ts";

/**
 * @param argv - the words after the program's name
 * @returns whether its files have no more bytes together than the command says, and none seems to be long; recordings that ship are short
 */
export function isBrief(argv: readonly string[]): boolean {
  const most = commandOf(argv)?.briefUpTo;
  if (most === undefined || argv.some(isOfUnknownLength)) return false;
  let bytes = 0;
  for (const word of argv.slice(1)) {
    try {
      for (const path of filesOf(word, JSON_LINES)) {
        bytes += statSync(path).size;
        if (bytes > most || !seemsShort(path)) return false;
      }
    } catch {
      // No file, or none that can be read: the command says so if it has to.
    }
  }
  return true;
}

/** Nobody knows how much comes from standard input; shards are parts of work that is not brief. */
function isOfUnknownLength(word: string): boolean {
  return word === STANDARD_INPUT || word.startsWith("--shard");
}
