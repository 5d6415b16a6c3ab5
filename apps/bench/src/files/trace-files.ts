/**
 * Traces that are files: those that come with the program, by name, and others by path.
 *
 * @module
 */

import { existsSync, readdirSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Budgets, InputError, readTrace, type Trace } from "@vmbind/trace";
import type { Io } from "../io.ts";
import { nearestName } from "../text/nearest.ts";
import { endOf, newDigest } from "./ends.ts";
import { fileSource } from "./file-bytes.ts";
import { asKind } from "./kinds.ts";
import { STANDARD_INPUT } from "./standard-input.ts";

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
 * @param budgets - amounts of work that it may ask for, other than the standard ones
 * @param reader - the command that reads a file of its user's, and where a warning goes that it has no end line
 * @returns its header and its records
 * @throws InputError for an unreadable file, a malformed header, or a file of another kind
 */
export async function openTrace(
  operand: string,
  budgets?: Budgets,
  reader?: { command: string; io: Pick<Io, "err"> },
): Promise<Trace> {
  const path = traceFile(operand);
  if (path === operand && isBareName(operand) && !existsSync(operand)) {
    throw new InputError(operand, 0, unknownTrace(operand));
  }
  // What comes with the program is as whole as the program.
  const ends = reader && path === operand ? endOf(path, reader.command, reader.io) : { digest: newDigest };
  return asKind("trace", path, () => readTrace(path, fileSource(path), budgets, ends));
}

/**
 * @param name - of a bundled trace
 * @returns its path
 */
export function bundledFile(name: string): string {
  return join(TRACES, `${name}.jsonl.gz`);
}

/** How the work on a trace is divided: not at all, for each ioctl depends on those before. */
export const WHOLE_TRACE: {
  place(operand: string): string;
  cut(operand: string): Promise<{ pieces: number; work: number }>;
  join<T>(pieces: readonly T[]): T;
} = {
  place: traceFile,
  // Of one that cannot be read nobody knows how much it is, and it is none.
  cut: async (operand) => ({
    pieces: 1,
    work: (await stat(traceFile(operand)).catch(() => null))?.size ?? 1,
  }),
  join: <T>(pieces: readonly T[]): T => pieces[0] as T,
};

/**
 * @param operand - a path, or the name of a bundled trace
 * @returns the path of the file that is meant
 */
function traceFile(operand: string): string {
  const bundled = bundledFile(operand);
  return isBareName(operand) && !existsSync(operand) && existsSync(bundled) ? bundled : operand;
}

function isBareName(operand: string): boolean {
  return operand !== STANDARD_INPUT && !/[/\\]|\.jsonl(\.gz)?$/.test(operand);
}

/** There are too many to list them. */
function unknownTrace(operand: string): string {
  const near = nearestName(operand, bundledTraces());
  const hint = near === null ? "`vmbind traces` lists those" : `did you mean ${near}?`;
  return `no such file, and no recording of this name ships; ${hint}`;
}
