/**
 * Where a strategy's recorded workloads come from: its own traces, or those of another one with each sparse operation
 * replaced. What the strategies are is said in `strategy/table.ts`.
 *
 * @module
 */

import type { Trace } from "@vmbind/trace";

/**
 * A place where recorded traces are: files, or a web server.
 *
 * @param name - of a trace, e.g. `xe-buffer-100e6`
 * @returns the trace, null when there is none of that name
 */
export type TraceLibrary = (name: string) => Promise<Trace | null>;

/** Where one strategy gets its traces. */
export interface Strategy {
  /** Name in kebab-case, the same everywhere. */
  name: string;
  /** Beginning of the names of the traces that it is taken from. */
  prefix: string;
  /** Whether those traces are as a real driver sent them. */
  recorded: boolean;
  /** Makes the strategy's trace from one of those, where it is not recorded. */
  derive?(trace: Trace, name: string): Promise<Trace>;
}

/** The workloads, smallest question first. */
export const WORKLOADS = [
  "buffer-100e6",
  "image-unbound",
  "buffer-stream",
  "image-window",
  "image-3d",
  "image-array-mips",
  "many-small",
] as const;

/** The strategies, most operations first. */
export const STRATEGIES: readonly Strategy[] = [
  {
    name: "panthor-per-page",
    prefix: "panthor-sparse",
    recorded: false,
    derive: async (trace, name) => {
      const { derive, PER_PAGE } = await import("./derive.ts");
      return derive(trace, PER_PAGE, name);
    },
  },
  {
    name: "panthor-blackhole",
    prefix: "panthor-blackhole",
    recorded: true,
  },
  {
    name: "panthor-repeat",
    prefix: "panthor-sparse",
    recorded: false,
    derive: async (trace, name) => {
      const { derive, REPEAT } = await import("./derive.ts");
      return derive(trace, REPEAT, name);
    },
  },
  {
    name: "panthor-sparse",
    prefix: "panthor-sparse",
    recorded: true,
  },
  {
    name: "asahi-single-page",
    prefix: "asahi",
    recorded: true,
  },
  {
    name: "xe-null",
    prefix: "xe",
    recorded: true,
  },
];

/**
 * Open a strategy's trace of a workload.
 *
 * @param strategy - which answer
 * @param workload - one of {@link WORKLOADS}
 * @param library - where traces are
 * @returns the trace, or null when the library has none
 */
export async function openStrategyTrace(
  strategy: Strategy,
  workload: string,
  library: TraceLibrary,
): Promise<Trace | null> {
  const trace = await library(`${strategy.prefix}-${workload}`);
  if (trace === null) return null;
  return strategy.derive ? strategy.derive(trace, `${strategy.name}-${workload}`) : trace;
}
