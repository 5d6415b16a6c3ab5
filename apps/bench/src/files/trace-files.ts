/**
 * Traces that are files: those that come with the program, by name, and others by path.
 *
 * @module
 */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readTrace, type Trace } from "@vmbind/trace";
import { fileBytes } from "./file-bytes.ts";

const TRACES = fileURLToPath(new URL("../../traces/", import.meta.url));

/** @returns names of the traces that come with the program, sorted */
export function bundledTraces(): string[] {
  return readdirSync(TRACES)
    .filter((name) => name.endsWith(".jsonl.gz"))
    .map((name) => name.slice(0, -".jsonl.gz".length))
    .sort();
}

/**
 * The traces that come with the program, as a library.
 *
 * @param name - of a trace
 * @returns the trace, null when none of that name is bundled
 */
export async function bundledTrace(name: string): Promise<Trace | null> {
  return bundledTraces().includes(name) ? openTrace(name) : null;
}

/**
 * Open a trace.
 *
 * @param operand - a path, or the name of a bundled trace
 * @returns its header and its records
 * @throws InputError for an unreadable file or a malformed header
 */
export async function openTrace(operand: string): Promise<Trace> {
  const bundled = join(TRACES, `${operand}.jsonl.gz`);
  const isName = !existsSync(operand) && !operand.includes("/") && existsSync(bundled);
  const path = isName ? bundled : operand;
  return readTrace(path, () => fileBytes(path));
}
