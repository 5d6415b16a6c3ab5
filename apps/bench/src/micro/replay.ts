/**
 * The bundled traces against the driver models, with nothing else on the clock: every recorded ioctl of every trace, in
 * one process. Files are read and decoded at start-up. A device lives through the repetitions of a run as a driver does,
 * so that the first touch of its memory is left out, as the peers' figures leave it out; each repetition is a process
 * that opens it anew and closes it.
 *
 * What `vmbind replay` compares is compared here as far as it does not depend on watching each step: what every ioctl
 * returns (on the clock), the bytes that it hands back, and that closing the file gives everything back (behind it).
 *
 * @module
 */

import { UserMemory } from "@vmbind/drm";
import { lensOf } from "@vmbind/lab";
import {
  type Action,
  deviceFor,
  type Lens,
  leaksOf,
  type OpenDevice,
  type Trace,
  TraceDecoder,
  type TraceIoctl,
} from "@vmbind/trace";
import { bundledTraces, openTrace } from "../files/trace-files.ts";
import type { Scenario, Step } from "./harness.ts";

/** One recorded ioctl, ready to be issued. */
interface Call {
  readonly recorded: TraceIoctl;
  /** Its argument struct: a piece of {@link Tape.args}. */
  readonly arg: Uint8Array;
  /** The caller's memory. */
  readonly user: UserMemory;
  /** What it means. */
  readonly action: Action;
}

/** A trace in memory. */
interface Tape {
  readonly trace: Trace;
  readonly lens: Lens;
  readonly calls: readonly Call[];
  /** The argument structs of all calls one behind the other: as recorded, and as handed to the model. */
  readonly argsIn: Buffer;
  readonly args: Buffer;
  /** Operations of all VM_BIND. */
  readonly bindOps: number;
}

/** Repetitions of a run. */
const REPEATS = 8;

/** A tape on a device. */
interface Session {
  readonly tape: Tape;
  readonly device: OpenDevice;
  /** Calls that returned something else than recorded. */
  mismatches: number;
}

/**
 * @returns the workloads: all traces, and those of each driver
 * @throws {@link InputError} for a damaged trace
 */
export async function replayScenarios(): Promise<readonly Scenario<Session[]>[]> {
  const tapes = await Promise.all(bundledTraces().map(load));
  const drivers = [...new Set(tapes.map(({ trace }) => trace.header.driver))].sort();
  return [
    scenario("replay-all", "every ioctl of all bundled traces; the target is 2e6 op/s, 500 ns", tapes),
    ...drivers.map((name) =>
      scenario(
        `replay-${name}`,
        `those of ${name}`,
        tapes.filter(({ trace }) => trace.header.driver === name),
      ),
    ),
  ];
}

function scenario(id: string, what: string, tapes: readonly Tape[]): Scenario<Session[]> {
  const step: Step<Session[]> = {
    id,
    what,
    unit: "op",
    units: tapes.reduce((sum, { bindOps }) => sum + bindOps, 0),
    before: (sessions) => sessions.forEach(rewind),
    run(sessions) {
      for (const session of sessions) play(session);
    },
    check: (sessions) => sessions.map(problemOf).find((problem) => problem !== null) ?? null,
    peer: null,
  };
  return { repeat: REPEATS, prepare: () => tapes.map(insert), steps: [step] };
}

async function load(name: string): Promise<Tape> {
  const trace = await openTrace(name);
  const lens = await lensOf(trace);
  const decoder = new TraceDecoder(lens, trace.header);
  const recorded: TraceIoctl[] = [];
  for await (const record of trace.records) if (record.kind === "ioctl") recorded.push(record);

  const argsIn = Buffer.concat(recorded.map(({ argIn }) => argIn));
  const args = Buffer.from(argsIn);
  let at = 0;
  let bindOps = 0;
  const calls = recorded.map((call): Call => {
    const action = decoder.decode(call);
    if (action.kind === "bind") bindOps += action.ops.length;
    const user = new UserMemory();
    for (const { addr, data } of call.arrays) user.place(addr, data);
    const arg = new Uint8Array(args.buffer, args.byteOffset + at, call.argIn.length);
    at += arg.length;
    return { recorded: call, arg, user, action };
  });
  return { trace, lens, calls, argsIn, args, bindOps };
}

function insert(tape: Tape): Session {
  return { tape, device: deviceFor(tape.lens, tape.trace), mismatches: 0 };
}

function rewind(session: Session): void {
  const { tape, device } = session;
  tape.argsIn.copy(tape.args);
  device.file(0);
  session.mismatches = 0;
}

function play(session: Session): void {
  const { device } = session;
  for (const { recorded, arg, user, action } of session.tape.calls) {
    device.beforeCall(recorded);
    const ret = device.file(recorded.file).ioctl(recorded.request, arg, user);
    if (ret !== recorded.ret) session.mismatches++;
    if (recorded.ret === 0) device.succeeded(recorded.file, action);
  }
}

function problemOf({ tape, device, mismatches }: Session): string | null {
  const { name } = tape.trace;
  if (mismatches > 0) return `${name}: ${mismatches} calls return something else than recorded`;
  const differs = tape.calls.find(({ recorded, arg }) => Buffer.compare(arg, recorded.argOut) !== 0);
  if (differs) return `${name}: seq ${differs.recorded.seq} hands back other bytes than recorded`;
  device.close();
  const [leak] = leaksOf(device);
  return leak ? `${name}: ${leak.counter} is ${leak.left} after the file is closed` : null;
}
