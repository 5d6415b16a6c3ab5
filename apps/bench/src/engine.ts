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
