/**
 * What a report says about itself: versions, and the commands that give its numbers again.
 *
 * @module
 */

import {
  EXAMPLE_STRATEGY,
  openStrategyTrace,
  QUESTION_WORKLOAD,
  SPARSE_STRATEGIES,
  type SparseStrategy,
} from "@vmbind/lab";
import { bundledTrace } from "../files/trace-files.ts";
import { programVersion } from "../files/version.ts";
import type { ReportCommand } from "../report/input.ts";

/**
 * @param strategies - those that took part
 * @returns versions of the program, of Node, of the modelled kernel, of the recorded user-mode drivers, and of modules
 */
export async function versions(strategies: readonly SparseStrategy[]): Promise<Record<string, string>> {
  const found: Record<string, string> = {
    vmbind: await programVersion(),
    "Node.js": process.version,
  };
  for (const { name, module } of strategies) {
    if (module) found[name] = `${module.path}, sha256 ${module.digest.slice(0, 12)}`;
  }
  for (const strategy of SPARSE_STRATEGIES) {
    if (strategy.traces.derive) continue;
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
  const trace = `${EXAMPLE_STRATEGY.traces.prefix}-${QUESTION_WORKLOAD}`;
  const last = SPARSE_STRATEGIES.at(-1)?.name;
  return [
    { command: `${line} --json`, gives: "all numbers of this comparison" },
    { command: "vmbind sweep", gives: "how each figure grows, at more points" },
    { command: `vmbind replay ${trace}`, gives: "one trace by phase" },
    { command: `vmbind explain ${trace} --ops`, gives: "its operations in words" },
    {
      command: `vmbind lower ${QUESTION_WORKLOAD} --strategy ${last}`,
      gives: "the ioctls of a generated workload",
    },
  ];
}
