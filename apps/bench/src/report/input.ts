/**
 * What the HTML report is made of. The page carries this object as JSON, so a number on it can be looked up under the
 * same names as in `vmbind compare --json`.
 *
 * @module
 */

import type { QuirkProfile } from "@vmbind/drm";
import type { Answer, CostFigures, LabResult, SparseStrategy, TimeEstimate, TraceRow } from "@vmbind/lab";

/** What the report says and draws of a strategy. */
export type ShownStrategy = Pick<SparseStrategy, "name" | "driver" | "shortDriver" | "says" | "look"> & {
  /** Sentences that readers of its figures need; null for none. */
  note: string | null;
};

/**
 * @param strategy - a strategy
 * @returns what the report needs of it
 */
export function shownStrategy(strategy: SparseStrategy): ShownStrategy {
  const { name, driver, shortDriver, says, look, note = null } = strategy;
  return { name, driver, shortDriver, says, look, note };
}

/** Everything that the report shows. */
export interface ReportInput {
  /** The kernel that everything was run on. */
  kernel: QuirkProfile;
  /** The strategies in the order of tables and charts. */
  strategies: readonly ShownStrategy[];
  /** What it comes down to. */
  answer: Answer;
  /** What the laboratory found: costs, views, semantics, accounting, findings. */
  lab: LabResult;
  /** How costs grow. */
  sweeps: SweepResult;
  /** What was compared: name of a program or an interface, and its version, in the order in which they are shown. */
  versions: Record<string, string>;
  /** Command lines that give these numbers again. */
  commands: ReportCommand[];
  /** The recorded traces: one row for every workload and strategy. */
  recorded: TraceRow[];
  /** Real devices; time, and never mixed with counts. */
  measured: MeasuredDevice[];
  /** What the counts may come to in time; absent unless asked for. */
  time?: TimeEstimate[];
}

/** What a device took. */
export interface MeasuredDevice {
  /** The GPU, or what stands for one. */
  device: string;
  /** Its driver, with versions. */
  driver: string;
  /** When, YYYY-MM-DD. */
  date: string;
  /** Block of a sparse buffer, bytes. */
  tileBytes: number;
  /** Vulkan's words about it, by name. */
  facts: Record<string, string | number>;
  /** How it was measured, where there is more to say. */
  notes?: string;
  /** The measurements. */
  rows: MeasuredRow[];
}

/** One measurement. */
export interface MeasuredRow {
  /** What was done. */
  row: string;
  /** Which of several, where rows have one name. */
  kind?: string;
  /** Amounts by name: `..._us` are microseconds; lists of one row belong together, element by element. */
  amounts: Record<string, number | number[]>;
}

/** Costs over a knob of the workload. */
export interface SweepResult {
  /** Part of the resource that is bound while the size changes, 0 to 1. */
  boundFraction: number;
  /** Bytes of the resource while the fraction changes. */
  sizeBytes: number;
  /** Bytes of one bind. */
  tileBytes: number;
  /** One for every strategy, axis and value, `x` ascending. */
  rows: SweepRow[];
}

/** One point of a growth curve. */
export interface SweepRow {
  /** Name of the strategy. */
  strategy: string;
  /** Which knob `x` is. */
  axis: "size" | "fraction";
  /** Bytes of the resource, or the bound part of it, 0 to 1. */
  x: number;
  /** Cost of the whole workload. */
  figures: CostFigures;
}

/** A command line. */
export interface ReportCommand {
  /** As typed. */
  command: string;
  /** What it gives, a few words. */
  gives: string;
}
