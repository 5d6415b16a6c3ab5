/**
 * One command line between the real streams: at once, or in a thread that is watched over.
 *
 * Each import stands where it is needed: what is imported at the top is what `vmbind --version` waits for.
 *
 * @module
 */

import { isQuick } from "../quick.ts";

/**
 * Run a command.
 *
 * @param argv - the words after the program's name
 * @returns its exit status
 */
export async function runCommand(argv: readonly string[]): Promise<number> {
  if (isQuick(argv)) {
    const [{ main }, { processIo }] = await Promise.all([import("../main.ts"), import("../io.ts")]);
    return main(argv, processIo());
  }
  const { isBrief } = await import("./brief.ts");
  const here = isBrief(argv) ? await import("./here.ts") : null;
  const end = here?.isForHere() ? await here.runHere(argv) : { done: 0, status: 0 };
  if (typeof end === "number") return end;
  const { supervise } = await import("./supervise.ts");
  return Math.max(end.status, await supervise(argv, end.done));
}
