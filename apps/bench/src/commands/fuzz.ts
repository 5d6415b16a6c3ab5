/**
 * `vmbind fuzz`: random and mutated ioctls against a driver model.
 *
 * @module
 */

import { counted } from "@vmbind/drm";
import type { CommandInput } from "../command.ts";
import { DRIVER_NAMES } from "../drivers/table.ts";
import { EXIT, UsageError } from "../errors.ts";
import { type FuzzResult, fuzz, SESSION_KINDS } from "../fuzz/fuzz.ts";
import { targetFor } from "../fuzz/targets.ts";
import type { Io } from "../io.ts";
import { checkOutput, makeFile } from "../output/whole-file.ts";
import { noSuchName } from "../text/nearest.ts";
import { Progress } from "../text/progress.ts";

const RUNS_DEFAULT = 100_000;

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options }: CommandInput, io: Io): Promise<number> {
  const name = options["driver"];
  if (typeof name !== "string")
    throw new UsageError(`--driver is missing: one of ${DRIVER_NAMES.join(", ")}`);
  if (!DRIVER_NAMES.includes(name)) {
    throw new UsageError(`--driver: ${noSuchName("driver", name, DRIVER_NAMES)}`);
  }
  const seed = integer("seed", options["seed"], 1);
  const runs = integer("runs", options["runs"], RUNS_DEFAULT);
  const only = SESSION_KINDS.find((kind) => kind === options["only"]);
  if (options["only"] !== undefined && only === undefined) {
    throw new UsageError(`--only: ${noSuchName("kind of sessions", String(options["only"]), SESSION_KINDS)}`);
  }
  const out = {
    option: "--out",
    path: typeof options["out"] === "string" ? options["out"] : `fuzz-${name}-${seed}.jsonl`,
  };
  // Without the option nothing is written unless something is found.
  if (options["out"] !== undefined) await checkOutput(out, []);
  const progress = new Progress(io);
  const result = fuzz(await targetFor(name), {
    seed,
    runs,
    check: options["check"] === true,
    ...(only !== undefined && { kinds: [only] }),
    onSession: (issued) => progress.show(() => `${name}: ${issued} of ${runs} ioctls`),
  });
  progress.done();
  const { reproducer, ...facts } = result;
  const file = result.finding === null ? null : out.path;
  io.out(options["json"] === true ? `${JSON.stringify({ ...facts, file })}\n` : describe(result, out.path));
  // What was found is on the screen before anything can go wrong with the file.
  if (reproducer !== null) await makeFile(io, out, reproducer);
  return result.finding === null ? EXIT.ok : EXIT.difference;
}

function describe(
  { driver, seed, ioctls, succeeded, sessions, finding, reproducerCalls }: FuzzResult,
  out: string,
): string {
  const done = `${driver}, seed ${seed}: ${counted(ioctls, "ioctl")} on ${counted(sessions, "device")}, ${succeeded} succeeded`;
  if (finding === null) return `${done}, nothing found\n`;
  return (
    `${done}\n${finding.kind}: ${finding.text}\n` +
    `reproducer of ${counted(reproducerCalls, "ioctl")}: ${out} (vmbind replay --check ${out})\n`
  );
}

function integer(name: string, value: unknown, otherwise: number): number {
  if (value === undefined) return otherwise;
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 0) {
    throw new UsageError(`--${name}: expected an integer from 0, got ${JSON.stringify(value)}`);
  }
  return number;
}
