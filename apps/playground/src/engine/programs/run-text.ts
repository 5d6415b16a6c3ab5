/**
 * Running what a user typed. The text is JavaScript by now, with imports as calls of `require`; it is a script of its own under the name of its file,
 * so that stacks say its lines.
 *
 * It runs in the worker that its pane owns, which has no page, no network and no storage of anybody else: the worst that it can do is not to
 * come back, and then the page ends the worker.
 */

import { InputError } from "@vmbind/trace";
import { loadOwnModules } from "./own-modules.ts";

/** A file of the pane. */
export type TextFile = "operations.ts" | "strategy.ts";

/** What is wrong with a text. */
export interface TextProblem {
  /** Which text. */
  readonly file: TextFile;
  /** Line, from 1; null where it cannot be told. */
  readonly line: number | null;
  /** One sentence. */
  readonly message: string;
}

/** A place in a text. */
export interface TextPlace {
  /** Line, from 1. */
  readonly line: number;
  /** Column, from 1. */
  readonly column: number;
}

declare function importScripts(url: string): void;

const ENTRY = "vmbindText";

/**
 * Run a text.
 *
 * @param file - its name
 * @param code - JavaScript, without import and export statements
 * @param scope - what it sees beside the language
 * @returns what it exports, by name
 * @throws whatever it throws; `problemOf` makes a sentence of it
 */
export async function runText(
  file: TextFile,
  code: string,
  scope: Readonly<Record<string, unknown>> = {},
): Promise<Readonly<Record<string, unknown>>> {
  const require = await loadOwnModules(importsIn(code));
  const exports: Record<string, unknown> = {};
  const given: Record<string, unknown> = { ...scope, exports, require };
  // On the first line of the text, so that no line moves.
  const head = `globalThis.${ENTRY}=function(${Object.keys(given).join()}){"use strict";`;
  evaluate(`${head}${code}\n}\n//# sourceURL=vmbind:///${file}`);
  const holder = globalThis as { [ENTRY]?: (...values: unknown[]) => void };
  const run = holder[ENTRY];
  delete holder[ENTRY];
  run?.(...Object.values(given));
  return exports;
}

/** A worker's way, which the page's policy allows; a test's process has the other one. */
function evaluate(script: string): void {
  if (typeof importScripts !== "function") {
    const run: unknown = new Function("script", "(0, eval)(script)");
    if (typeof run === "function") run(script);
    return;
  }
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  try {
    importScripts(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}

function importsIn(code: string): string[] {
  return [...new Set([...code.matchAll(/\brequire\(["']([^"']+)["']\)/g)].map(([, name]) => name as string))];
}

/**
 * @param file - a text that is running
 * @param stack - of an error made in it or below it
 * @returns the innermost place of the text; null where there is none
 */
export function placeIn(file: TextFile, stack = ""): TextPlace | null {
  const [, line, column] =
    new RegExp(`vmbind:///${file.replace(".", "\\.")}:(\\d+):(\\d+)`).exec(stack) ?? [];
  return line === undefined ? null : { line: Number(line), column: Number(column) };
}

/**
 * @param file - the text that was run
 * @param error - what was thrown
 * @returns what is wrong, for its user
 */
export function problemOf(file: TextFile, error: unknown): TextProblem {
  if (error instanceof InputError) return { file, line: error.line || null, message: error.rule };
  if (!(error instanceof Error)) return { file, line: null, message: `threw ${String(error)}` };
  const line = placeIn(file, error.stack)?.line ?? null;
  const isOurs = error.name === "OperationError" || error.name === "RangeError";
  return { file, line, message: isOurs ? error.message : `${error.name}: ${error.message}` };
}
