/**
 * How the JavaScript engine is set up for the models, in every process that runs them.
 *
 * @module
 */

import { setFlagsFromString } from "node:v8";

/** For a process that runs the models over and over; to be called before they run for the first time. */
export function tuneEngine(): void {
  // One VM_BIND crosses many small functions; V8's default budget for inlining ends in the middle of it.
  setFlagsFromString("--max-inlined-bytecode-size=1000");
  setFlagsFromString("--max-inlined-bytecode-size-cumulative=4000");
}

/** MiB of the young generation of a command's thread: what dies young here dies at once, so a larger one only takes memory. */
export const YOUNG_MIB = 12;

/** That of a fuzzer's threads. A device lives for hundreds of calls: out of a smaller one most of it was copied while it still lived. */
export const FUZZ_YOUNG_MIB = 48;

/** Later ones have a quick compiler before the thorough one, and flags of other names. */
const NODE_20_V8 = "11.";

/**
 * For a command that runs once and ends; to be called in its thread when its code is there. Before, each of Node's own modules would be
 * compiled anew: with other settings V8 takes none of the code that Node brings along.
 *
 * What the first seconds compile costs more here than it gives back: by default V8 compiles 570 functions for the recordings of three
 * drivers, and 150 of them twice. So only short functions are put into their callers, since each caller is compiled with them.
 *
 * @param brief - the command is over so soon that even the compiler's best passes give back less than they take
 */
export function tuneCommand(brief: boolean): void {
  // In bytes of bytecode. V8 takes functions up to 460.
  const inlined = brief ? 30 : 200;
  setFlagsFromString(`--max-inlined-bytecode-size=${inlined}`);
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${2 * inlined}`);
  // Of the thread of the process, which runs what is brief: as large as it is by then.
  if (brief) setFlagsFromString("--semi-space-growth-factor=1");
  // Per cent that the heap may grow before it is collected; V8 lets a small one grow to four times what is alive.
  setFlagsFromString("--heap-growing-percent=50");
  // A flag that V8 does not know would be complained of on standard error.
  if (!process.versions.v8.startsWith(NODE_20_V8)) return;
  // Compiling begins after so many bytes of bytecode.
  setFlagsFromString("--interrupt-budget=150000");
  setFlagsFromString("--no-turbo-loop-peeling");
  if (!brief) return;
  setFlagsFromString("--no-turbo-splitting");
  setFlagsFromString("--no-turbo-escape");
}
