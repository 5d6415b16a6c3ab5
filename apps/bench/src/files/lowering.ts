/**
 * A workload under a strategy, as the command line names them: to be printed, written as a trace, or read as one.
 *
 * @module
 */

import { gzipSync } from "node:zlib";
import {
  holdStrategyWork,
  inFile,
  lowerToTrace,
  type SparseStrategy,
  type Step,
  strategyFor,
  underKernel,
  type Workload,
} from "@vmbind/lab";
import { type Budgets, type Trace, writeTrace } from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { byteCount, chosenKernel, chosenStrategy, wholeNumber } from "../compare/options.ts";
import { UsageError } from "../errors.ts";
import { complain, type Io } from "../io.ts";
import { newDigest } from "./ends.ts";
import { openTrace } from "./trace-files.ts";
import { findWorkload, isWorkloadFile } from "./workload-file.ts";

/** What is lowered, and how. */
export interface Lowering {
  /** What the application does. */
  readonly workload: Workload;
  /** Its file; null for one that comes with the program. */
  readonly path: string | null;
  /** How sparse is said. */
  readonly strategy: SparseStrategy;
  /** One of the strategy's devices. */
  readonly device: string;
  /** The workload's steps for the strategy. */
  readonly steps: readonly Step[];
}

/**
 * @param operand - a workload
 * @param options - of the command line: `--strategy`, `--device`, `--seed`, `--size`
 * @param budgets - amounts of work that a file may ask for, other than the standard ones
 * @throws {@link UsageError} for a name that there is not
 * @throws InputError for a file that cannot be read or breaks a rule
 */
export async function loweringOf(
  operand: string,
  options: CommandInput["options"],
  budgets: Budgets,
): Promise<Lowering> {
  if (options["strategy"] === undefined) throw new UsageError("--strategy is missing");
  const chosen = underKernel(await chosenStrategy(String(options["strategy"])), chosenKernel(options));
  const device = deviceOf(chosen, options["device"]);
  const workload = await findWorkload(operand, {
    seed: wholeNumber(options, "seed", 0, Number.MAX_SAFE_INTEGER),
    size: byteCount(options, "size", 1, 2 ** 40),
    budgets,
  });
  const strategy = strategyFor(workload, chosen);
  const steps = inFile(operand, () => workload.steps(strategy.blockBytes));
  const isFile = isWorkloadFile(operand);
  // What the program brings along is as much work as its user has chosen.
  if (isFile) inFile(operand, () => holdStrategyWork(steps, strategy, budgets));
  return { workload, path: isFile ? operand : null, strategy, device, steps };
}

/**
 * What `explain` and `explore` read: a trace, or with `--strategy` a workload lowered to one.
 *
 * @param operand - a trace or a workload
 * @param options - of the command line
 * @param budgets - amounts of work that it may ask for, other than the standard ones
 * @param reader - the command, and where a warning goes
 * @throws {@link UsageError} for a name that there is not
 * @throws InputError for a file that cannot be read or breaks a rule
 */
export async function traceOrLowered(
  operand: string,
  options: CommandInput["options"],
  budgets: Budgets,
  reader: { command: string; io: Pick<Io, "err"> },
): Promise<Trace> {
  if (options["strategy"] === undefined) {
    const surplus = ["device", "kernel"].find((name) => options[name] !== undefined);
    if (surplus !== undefined) throw new UsageError(`--${surplus} goes with --strategy`);
    return openTrace(operand, budgets, reader);
  }
  const { workload, strategy, device, steps } = await loweringOf(operand, options, budgets);
  warnOfUnsaid(strategy, reader.command, reader.io);
  return lowerToTrace(workload, strategy, device, steps);
}

/**
 * Tell that a trace is not all of a strategy: what reads it makes the device of its driver, as far as its header says.
 *
 * @param strategy - whose ioctls the trace has
 * @param command - who tells
 * @param io - where
 */
export function warnOfUnsaid(strategy: SparseStrategy, command: string, io: Pick<Io, "err">): void {
  const { name, unsaid = [] } = strategy;
  if (unsaid.length === 0) return;
  const what = "a trace has the ioctls of it; what they do is shown on the driver as it is";
  complain(io, command, `warning: ${name} changes ${unsaid.join(", ")}: ${what}`);
}

/**
 * @param trace - any
 * @param path - where it goes: with `.gz` at its end it is compressed
 * @returns the content of its file, with an end line
 */
export async function traceContent(trace: Trace, path: string): Promise<string | Uint8Array> {
  const lines: string[] = [];
  for await (const line of writeTrace(trace.header, trace.records, newDigest)) lines.push(line);
  const text = lines.join("");
  return path.endsWith(".gz") ? gzipSync(text) : text;
}

function deviceOf(strategy: SparseStrategy, value: CommandInput["options"][string]): string {
  const device = value === undefined ? strategy.devices[0] : String(value);
  if (strategy.devices.includes(device)) return device;
  throw new UsageError(`--device: ${strategy.name} runs on ${strategy.devices.join(", ")}, not on ${device}`);
}
