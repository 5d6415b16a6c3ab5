/**
 * A brief command, in the thread that is there: to start one for it, and to watch over that, is a good part of its time and memory.
 *
 * What nobody watches over must not run out of memory, which V8 answers by aborting the process. So it has room enough, and only files
 * that are read at one go: where one turns out to be long, a thread goes on with it.
 *
 * @module
 */

import { getHeapStatistics } from "node:v8";
import { tuneCommand } from "../engine.ts";
import { NotBrief } from "../errors.ts";
import { processIo } from "../io.ts";
import { main } from "../main.ts";
import { terminalColumns } from "../output/terminal.ts";
import { isThisBehind } from "./bundle.ts";

/** Fewest bytes that the heap may grow to: ten times what the longest of the recordings that ship needs. */
const ROOM = 2 ** 28;

/** @returns whether there is room for a brief command, and this is the program as it was built last */
export function isForHere(): boolean {
  return getHeapStatistics().heap_size_limit >= ROOM && !isThisBehind();
}

/**
 * Run a command.
 *
 * @param argv - the words after the program's name
 * @returns its exit status, or how far it came
 */
export async function runHere(argv: readonly string[]): Promise<number | NotBrief> {
  const io = processIo(undefined, terminalColumns());
  try {
    return await main(argv, io, () => tuneCommand(true), { done: 0, shortOnly: true });
  } catch (error) {
    if (error instanceof NotBrief) return error;
    throw error;
  }
}
