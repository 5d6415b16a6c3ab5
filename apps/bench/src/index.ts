/**
 * The laboratory in Node.js: all of `@vmbind/lab`, the recordings that ship with the command, files from disk, and jobs on
 * worker threads. The command itself is `vmbind`.
 *
 * @packageDocumentation
 */

export * from "@vmbind/lab";
export { bundledTrace, bundledTraces, openTrace } from "./files/trace-files.ts";
export { readWorkload } from "./files/workload-file.ts";
export { JobPool } from "./jobs/pool.ts";
