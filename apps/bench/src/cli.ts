#!/usr/bin/env node
/**
 * The `vmbind` program: {@link main} between the real command line and the real streams.
 *
 * @module
 */

import { setFlagsFromString } from "node:v8";
import { processIo } from "./io.ts";
import { main } from "./main.ts";

// One VM_BIND crosses many small functions; V8's default budget for inlining ends in the middle of it.
setFlagsFromString("--max-inlined-bytecode-size=1000");
setFlagsFromString("--max-inlined-bytecode-size-cumulative=4000");

// A reader that has seen enough (`vmbind explain T | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await main(process.argv.slice(2), processIo());
