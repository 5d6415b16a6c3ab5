#!/usr/bin/env node
/**
 * The `vmbind` program. Built, this file runs a bundle in place of these modules (`scripts/bundle-quick.mjs`).
 *
 * @module
 */

import { runCommand } from "./process/run.ts";

process.exitCode = await runCommand(process.argv.slice(2));
