#!/usr/bin/env node
/**
 * The `vmbind` program: {@link main} between the real command line and the real streams.
 *
 * @module
 */

import { tuneEngine } from "./engine.ts";
import { processIo } from "./io.ts";
import { main } from "./main.ts";

tuneEngine();

// A reader that has seen enough (`vmbind explain T | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await main(process.argv.slice(2), processIo());
