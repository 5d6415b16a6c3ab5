/**
 * How the JavaScript engine is set up for the models, in every process that runs them.
 *
 * @module
 */

import { setFlagsFromString } from "node:v8";

/** To be called before the models run for the first time. */
export function tuneEngine(): void {
  // One VM_BIND crosses many small functions; V8's default budget for inlining ends in the middle of it.
  setFlagsFromString("--max-inlined-bytecode-size=1000");
  setFlagsFromString("--max-inlined-bytecode-size-cumulative=4000");
}

/** The same for a command that runs once and ends; to be called before its thread is started. */
export function tuneCommand(): void {
  tuneEngine();
  // Most commands end before optimised code pays for itself, and what is optimised early is thrown away again: by default V8 compiles
  // 570 functions, and 150 of them twice, for the recordings of three drivers. Bytes of bytecode that run before it begins.
  setFlagsFromString("--interrupt-budget=1200000");
  // MiB of each half of the young generation: what dies young here dies at once, so a larger one only takes memory.
  setFlagsFromString("--max-semi-space-size=4");
  // Per cent that the heap may grow before it is collected; V8 lets a small one grow to four times what is alive.
  setFlagsFromString("--heap-growing-percent=50");
}
