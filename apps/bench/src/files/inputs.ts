/**
 * Commands that take several files: a bad one, and one that a model breaks down over, is reported and the others still run.
 *
 * @module
 */

import { InputError } from "@vmbind/trace";
import { EXIT, ModelError } from "../errors.ts";
import { complainOf, type Io } from "../io.ts";
import { filesOf, JSON_LINES } from "./folders.ts";

/**
 * Process inputs one after the other.
 *
 * @param inputs - files, and folders for all JSON lines in them
 * @param command - name of the command, for messages
 * @param io - where messages go
 * @param run - processes one input; false when it found a difference
 * @returns the exit status: 3 when a model broke down, else 2 when an input was bad, else 1 when there was a difference, else 0
 */
export async function forEachInput(
  inputs: readonly string[],
  command: string,
  io: Io,
  run: (input: string) => Promise<boolean>,
): Promise<number> {
  let status: number = EXIT.ok;
  const attempt = async <T>(work: () => T | Promise<T>): Promise<T | null> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof InputError || error instanceof ModelError)) throw error;
      status = Math.max(status, complainOf(io, command, error).status);
      return null;
    }
  };
  for (const input of inputs) {
    for (const file of (await attempt(() => filesOf(input, JSON_LINES))) ?? []) {
      if ((await attempt(() => run(file))) === false) status = Math.max(status, EXIT.difference);
    }
  }
  return status;
}
