/**
 * `vmbind explore`: one trace as a page.
 *
 * @module
 */

import { lensOf } from "@vmbind/lab";
import { tellStory } from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { EXIT } from "../errors.ts";
import { renderExplore } from "../explore/explore.ts";
import { STANDARD_INPUT } from "../files/standard-input.ts";
import { openTrace } from "../files/trace-files.ts";
import type { Io } from "../io.ts";
import { checkOutput, makeFile } from "../output/whole-file.ts";

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands, budgets }: CommandInput, io: Io): Promise<number> {
  const trace = await openTrace(operands[0] as string, budgets, { command: "explore", io });
  const output = {
    option: "--output",
    path: String(options["output"] ?? `${trace.path === STANDARD_INPUT ? "trace" : trace.name}.html`),
  };
  await checkOutput(output, [trace.path]);
  const story = await tellStory(trace, await lensOf(trace), budgets);
  await makeFile(io, output, await renderExplore(story));
  io.out(`${output.path}\n`);
  return story.differenceCount > 0 ? EXIT.difference : EXIT.ok;
}
