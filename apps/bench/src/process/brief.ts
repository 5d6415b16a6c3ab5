/**
 * Whether a command is over before compiling its code thoroughly pays.
 *
 * @module
 */

import { statSync } from "node:fs";
import { filesOf, JSON_LINES } from "../files/folders.ts";
import { STANDARD_INPUT } from "../files/standard-input.ts";
import { commandOf } from "../quick.ts";

/**
 * @param argv - the words after the program's name
 * @returns whether its files have no more bytes than the command says; recordings that ship are short
 */
export function isBrief(argv: readonly string[]): boolean {
  const most = commandOf(argv)?.briefUpTo;
  return most !== undefined && !argv.some(isOfUnknownLength) && fileBytes(argv.slice(1)) <= most;
}

/** Nobody knows how much comes from standard input; shards are parts of work that is not brief. */
function isOfUnknownLength(word: string): boolean {
  return word === STANDARD_INPUT || word.startsWith("--shard");
}

/** Of the words that are files or folders of them. */
function fileBytes(words: readonly string[]): number {
  let bytes = 0;
  for (const word of words) {
    try {
      for (const path of filesOf(word, JSON_LINES)) bytes += statSync(path).size;
    } catch {
      // No file, or none that can be read: the command says so if it has to.
    }
  }
  return bytes;
}
