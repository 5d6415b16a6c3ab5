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
  holdStrategyWork,
  type LoweredOp,
  type Place,
  RefusedError,
  type SparseStrategy,
  StrategyRun,
  underKernel,
  type Workload,
  WorkloadError,
} from "@vmbind/lab";
import { type Budgets, InputError, type Lens } from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { byteCount, chosenKernel, chosenStrategy, wholeNumber } from "../compare/options.ts";
import { EXIT, UsageError } from "../errors.ts";
import { findWorkload, isWorkloadFile } from "../files/workload-file.ts";
import { complain, type Io, listing } from "../io.ts";

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands, budgets }: CommandInput, io: Io): Promise<number> {
  if (options["strategy"] === undefined) throw new UsageError("--strategy is missing");
  const strategy = underKernel(await chosenStrategy(String(options["strategy"])), chosenKernel(options));
  const device = deviceOf(strategy, options["device"]);
  const workload = await findWorkload(operands[0] as string, {
    seed: wholeNumber(options, "seed", 0, Number.MAX_SAFE_INTEGER),
    size: byteCount(options, "size", 1, 2 ** 40),
    budgets,
  });
  const lens = await (DRIVERS.get(strategy.driver) as () => Promise<Lens>)();
  const print = options["json"] ? jsonPrinter(io) : textPrinter(io, lens);
  try {
    await lower(
      workload,
      strategy,
      device,
      lens,
      print,
      isWorkloadFile(operands[0] as string) ? budgets : null,
    );
  } catch (error) {
    if (error instanceof WorkloadError) throw new InputError(operands[0] as string, 0, error.message);
    if (!(error instanceof RefusedError)) throw error;
    complain(io, "lower", error.message);
    return EXIT.difference;
  }
  return EXIT.ok;
}

interface Printer {
  call(decoded: Decoded): void;
  access(result: AccessResult): void;
}

async function lower(
  workload: Workload,
  strategy: SparseStrategy,
  device: string,
  lens: Lens,
  print: Printer,
  budgets: Budgets | null,
): Promise<void> {
  const steps = workload.steps(strategy.blockBytes);
  // What the program brings along is as much work as its user has chosen.
  if (budgets) holdStrategyWork(steps, strategy, budgets);
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

function deviceOf(strategy: SparseStrategy, value: CommandInput["options"][string]): string {
  const device = value === undefined ? strategy.devices[0] : String(value);
  if (strategy.devices.includes(device)) return device;
  throw new UsageError(`--device: ${strategy.name} runs on ${strategy.devices.join(", ")}, not on ${device}`);
}
