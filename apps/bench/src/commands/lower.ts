/**
 * `vmbind lower`: the ioctls that a strategy's user-mode driver makes of a workload.
 *
 * @module
 */

import { hex } from "@vmbind/drm";
import {
  type AccessResult,
  type CallSync,
  type Decoded,
  DRIVERS,
  decodeCalls,
  type LoweredOp,
  lowerToTrace,
  type Place,
  RefusedError,
  StrategyRun,
  WorkloadError,
} from "@vmbind/lab";
import { InputError, type Lens } from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { EXIT, UsageError } from "../errors.ts";
import { type Lowering, loweringOf, traceContent, warnOfUnsaid } from "../files/lowering.ts";
import { complain, type Io, listing } from "../io.ts";
import { checkOutput, makeFile, type OutputFile } from "../output/whole-file.ts";

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands, budgets }: CommandInput, io: Io): Promise<number> {
  const operand = operands[0] as string;
  const lowering = await loweringOf(operand, options, budgets);
  const path = options["trace"];
  try {
    if (typeof path === "string") return await writeTrace(lowering, { option: "--trace", path }, options, io);
    const lens = await (DRIVERS.get(lowering.strategy.driver) as () => Promise<Lens>)();
    const print = options["json"] ? jsonPrinter(io) : textPrinter(io, lens);
    await lower(lowering, lens, print);
  } catch (error) {
    if (error instanceof WorkloadError) throw new InputError(operand, 0, error.message);
    if (!(error instanceof RefusedError)) throw error;
    complain(io, "lower", error.message);
    return EXIT.difference;
  }
  return EXIT.ok;
}

async function writeTrace(
  lowering: Lowering,
  output: OutputFile,
  options: CommandInput["options"],
  io: Io,
): Promise<number> {
  if (options["json"]) throw new UsageError("--json and --trace exclude each other");
  await checkOutput(output, lowering.path === null ? [] : [lowering.path]);
  const { workload, strategy, device, steps } = lowering;
  warnOfUnsaid(strategy, "lower", io);
  const trace = await lowerToTrace(workload, strategy, device, steps);
  await makeFile(io, output, await traceContent(trace, output.path));
  io.out(`${output.path}\n`);
  if (trace.refused === null) return EXIT.ok;
  complain(io, "lower", trace.refused);
  return EXIT.difference;
}

interface Printer {
  call(decoded: Decoded): void;
  access(result: AccessResult): void;
}

async function lower({ strategy, device, steps }: Lowering, lens: Lens, print: Printer): Promise<void> {
  const session = await strategy.open(device);
  const run = new StrategyRun(
    strategy,
    session,
    decodeCalls(session, lens, (decoded) => print.call(decoded)),
  );
  for (const step of steps) {
    const before = run.accesses.length;
    run.perform(step);
    for (const result of run.accesses.slice(before)) print.access(result);
  }
}

function jsonPrinter(io: Io): Printer {
  return {
    call: ({ call }) => io.out(`${JSON.stringify(call)}\n`),
    // One object per ioctl: what the GPU does is not one.
    access: () => {},
  };
}

function textPrinter(world: Io, lens: Lens): Printer {
  const io = { out: (text: string): void => world.out(listing(world, text)) };
  let step = -1;
  let phase = "";
  return {
    call({ call, ops }) {
      if (call.step !== step || call.phase !== phase) io.out(`-- step ${call.step}: ${call.phase}\n`);
      ({ step, phase } = call);
      io.out(`#${call.seq} ${call.ioctl}(${call.text}) = ${call.ret}\n`);
      for (const [i, op] of ops.entries()) {
        io.out(`    ${lens.describe(op)}${comment(call.ops?.[i] as LoweredOp)}\n`);
      }
      for (const sync of call.syncs ?? []) io.out(`    ${describeSync(sync)}\n`);
    },
    access({ access, resource, offset, value, fault }) {
      io.out(`   GPU ${access} ${resource} + ${hex(offset)}: ${value === null ? fault : hex(value)}\n`);
    },
  };
}

function comment({ role, place }: LoweredOp): string {
  const parts = [place && describePlace(place), role === "none" ? null : role].filter(Boolean);
  return parts.length > 0 ? `  # ${parts.join(" -> ")}` : "";
}

function describePlace({ name, mirror, offset }: Place): string {
  return `${name}${mirror ? "'s mirror" : ""} + ${offset}`;
}

function describeSync({ op, does, type, handle, point }: CallSync): string {
  const who = op < 0 ? "the call" : `operation ${op}`;
  return `${who} ${does}s ${type} syncobj ${handle}${type === "timeline" ? ` point ${point}` : ""}`;
}
