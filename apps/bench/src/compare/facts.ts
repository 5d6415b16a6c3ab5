/**
 * What a report says about itself: versions, and the commands that give its numbers again.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import { openStrategyTrace, STRATEGIES } from "@vmbind/lab";
import { bundledTrace } from "../files/trace-files.ts";
import type { ReportCommand } from "../report/input.ts";

const QUESTION_WORKLOAD = "buffer-100e6";

/** @returns versions of the program, of Node, of the modelled kernel, and of the recorded user-mode drivers */
export async function versions(): Promise<Record<string, string>> {
  const manifest = await readFile(new URL("../../package.json", import.meta.url), "utf8");
  const found: Record<string, string> = {
    vmbind: (JSON.parse(manifest) as { version: string }).version,
    "Node.js": process.version,
  };
  for (const strategy of STRATEGIES) {
    if (!strategy.recorded) continue;
    const trace = await openStrategyTrace(strategy, QUESTION_WORKLOAD, bundledTrace);
    if (trace) found["uAPI"] = String(trace.header["uapi"]);
    if (trace) found[strategy.name] = `${trace.header.umd}, ${trace.header.device}`;
  }
  return found;
}

/**
 * @param given - the options that decide what is compared
 * @returns command lines and what they give
 */
export function commands(given: readonly string[]): ReportCommand[] {
  const line = ["vmbind compare", ...given].join(" ");
  return [
    { command: `${line} --json`, gives: "all numbers of this comparison" },
    { command: "vmbind sweep", gives: "how each figure grows, at more points" },
    { command: "vmbind replay panthor-sparse-buffer-100e6", gives: "one trace by phase" },
    { command: "vmbind explain panthor-sparse-buffer-100e6 --ops", gives: "its operations in words" },
    { command: "vmbind lower buffer-100e6 --strategy xe-null", gives: "the ioctls of a generated workload" },
  ];
}
