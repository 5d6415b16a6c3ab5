/**
 * `vmbind record`: a program in front of a real driver, its memory-management ioctls recorded.
 *
 * @module
 */

import { CannotStart, NoShim, type RecordEnd, recordCommand, type StrangeGpu } from "@vmbind/live";
import { cacheFolder } from "../cache/cache-folder.ts";
import type { CommandInput } from "../command.ts";
import { OutputError, UsageError } from "../errors.ts";
import { columnsIn, complain, type Io } from "../io.ts";
import { checkOutput } from "../output/whole-file.ts";
import { renderTable } from "../text/table.ts";

const DEFAULT_OUTPUT = "recording.jsonl.gz";

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands }: CommandInput, io: Io): Promise<number> {
  const output = String(options["output"] ?? DEFAULT_OUTPUT);
  await checkOutput({ option: "--output", path: output }, []);
  try {
    const end = await recordCommand({ command: operands, output, cache: io.cacheFolder ?? cacheFolder() });
    if (end.error !== null) throw new OutputError(`--output: ${output}`, end.error, "; the recording is cut");
    const { stranger } = end;
    if (stranger !== null) complain(io, "record", `warning: ${unknownGpu(stranger)}`);
    if (end.nothing !== null) complain(io, "record", `nothing is recorded: ${end.nothing}`);
    else if (options["time"] === true) io.err(timesOf(end, columnsIn(io)));
    return end.status;
  } catch (error) {
    if (error instanceof NoShim) throw new UsageError(error.message);
    if (!(error instanceof CannotStart)) throw error;
    complain(io, "record", error.message);
    return error.status;
  }
}

function unknownGpu({ is, taken }: StrangeGpu): string {
  return `the GPU is ${is}, of which there is no model; the header tells of another, ${taken}, on whose model it is replayed`;
}

function timesOf({ times }: RecordEnd, columns: number): string {
  const us = (ns: number | undefined) => ((ns ?? 0) / 1000).toFixed(1);
  const rows = times.map(({ name, ns }) => [
    name,
    ns.length,
    us(ns[ns.length >> 1]),
    us(ns[Math.floor(ns.length * 0.99)]),
    us(ns.at(-1)),
  ]);
  return renderTable(
    { columns: ["ioctl", "calls", "median us", "p99 us", "longest us"], rows },
    "text",
    columns,
  );
}
