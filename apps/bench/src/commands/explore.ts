/**
 * `vmbind explore`: one trace as a page.
 *
 * @module
 */

import { lensOf } from "@vmbind/lab";
import { type Budgets, type Trace, tellStory } from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { EXIT } from "../errors.ts";
import { renderExplore } from "../explore/explore.ts";
import { traceOrLowered } from "../files/lowering.ts";
import { STANDARD_INPUT } from "../files/standard-input.ts";
import type { Io } from "../io.ts";
import { checkOutput, makeFile } from "../output/whole-file.ts";

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands, budgets }: CommandInput, io: Io): Promise<number> {
  const input = operands[0] as string;
  const named = options["output"];
  const output = { option: "--output", path: typeof named === "string" ? named : null };
  const trace = await traceOrLowered(input, options, budgets, { command: "explore", io });
  const { path, differenceCount } = await writeExplorer({ trace, output, budgets, io });
  io.out(`${path}\n`);
  return differenceCount > 0 ? EXIT.difference : EXIT.ok;
}

/** What page is to be written. */
export interface ExplorerPage {
  /** The trace; its records are consumed. */
  readonly trace: Trace;
  /** Where to; without a path beside the trace's name. */
  readonly output: { readonly option: string; readonly path: string | null };
  /** What the trace may ask of the machine. */
  readonly budgets: Budgets;
  /** The world. */
  readonly io: Io;
}

/**
 * @param page - see {@link ExplorerPage}
 * @returns where the page is, and in how many places the model differs from the trace
 */
export async function writeExplorer({
  trace,
  output: { option, path: named },
  budgets,
  io,
}: ExplorerPage): Promise<{ path: string; differenceCount: number }> {
  const path = named ?? `${trace.path === STANDARD_INPUT ? "trace" : trace.name}.html`;
  await checkOutput({ option, path }, [trace.path]);
  const story = await tellStory(trace, await lensOf(trace), budgets);
  await makeFile(io, { option, path }, await renderExplore(story));
  return { path, differenceCount: story.differenceCount };
}
