/**
 * `vmbind explore`: one trace as a page.
 *
 * @module
 */

import { writeFile } from "node:fs/promises";
import { lensOf } from "@vmbind/lab";
import { tellStory } from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { EXIT, UsageError } from "../errors.ts";
import { renderExplore } from "../explore/explore.ts";
import { openTrace } from "../files/trace-files.ts";
import type { Io } from "../io.ts";

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands }: CommandInput, io: Io): Promise<number> {
  const trace = await openTrace(operands[0] as string);
  const story = await tellStory(trace, await lensOf(trace));
  const path = String(options["output"] ?? `${story.trace}.html`);
  try {
    await writeFile(path, await renderExplore(story));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new UsageError(`--output: ${(error as Error).message}`);
  }
  io.out(`${path}\n`);
  return story.differenceCount > 0 ? EXIT.difference : EXIT.ok;
}
