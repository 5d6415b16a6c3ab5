#!/usr/bin/env node
/**
 * The `vmbind` program: `main` between the real command line and the real streams, with somebody to watch over it.
 *
 * @module
 */

import { tuneEngine } from "./engine.ts";
import { supervise } from "./process/supervise.ts";

// The engine's settings are the process's: the threads have them, too.
tuneEngine();
process.exitCode = await supervise(process.argv.slice(2));
