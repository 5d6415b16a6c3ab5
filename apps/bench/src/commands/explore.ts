/**
 * `vmbind explore`: one trace as a page.
 *
 * The page is that of the playground, with the trace inside: whoever opens it has the model, too, and goes to any moment of the trace.
 *
 * @module
 */

import { replayTrace } from "@vmbind/lab";
import type { Trace } from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { EXIT } from "../errors.ts";
import { compressedTrace } from "../files/compressed-trace.ts";
import { traceOrLowered } from "../files/lowering.ts";
import { STANDARD_INPUT } from "../files/standard-input.ts";
import type { Io } from "../io.ts";
import { pageWithTrace } from "../output/trace-page.ts";
import { checkOutput, makeFile } from "../output/whole-file.ts";

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands, budgets }: CommandInput, io: Io): Promise<number> {
  const input = operands[0] as string;
  const named = options["output"];
  const output = { option: "--output", path: typeof named === "string" ? named : null };
  const open = (): Promise<Trace> => traceOrLowered(input, options, budgets, { command: "explore", io });
  const isFile = options["strategy"] === undefined;
  const { path, differenceCount } = await writeExplorer({ open, isFile, output, io });
  io.out(`${path}\n`);
  return differenceCount > 0 ? EXIT.difference : EXIT.ok;
}

/** What page is to be written. */
export interface ExplorerPage {
  /** Opens the trace; its records are consumed, so it is asked again for each reading. */
  readonly open: () => Promise<Trace>;
  /** Whether the trace is what a file holds, byte for byte. */
  readonly isFile: boolean;
  /** Where to; without a path beside the trace's name. */
  readonly output: { readonly option: string; readonly path: string | null };
  /** The world. */
  readonly io: Io;
}

/**
 * @param page - see {@link ExplorerPage}
 * @returns where the page is, and in how many places the model differs from the trace
 */
export async function writeExplorer({
  open,
  isFile,
  output: { option, path: named },
  io,
}: ExplorerPage): Promise<{ path: string; differenceCount: number }> {
  const trace = await open();
  const path = named ?? `${trace.path === STANDARD_INPUT ? "trace" : trace.name}.html`;
  await checkOutput({ option, path }, [trace.path]);
  const name = trace.path === STANDARD_INPUT ? "trace" : trace.name;
  // The page would say the same of a trace that breaks a rule, but too late for whoever made it.
  const { differenceCount } = await replayTrace(trace);
  const bytes = await compressedTrace(isFile ? trace.path : await open());
  await makeFile(io, { option, path }, await pageWithTrace(name, bytes));
  return { path, differenceCount };
}
