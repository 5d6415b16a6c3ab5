/**
 * A workload under a strategy as a trace: what its user-mode driver sends, from opening the device on, in the format of recordings.
 *
 * The header has the facts of the session's device, so that a replay makes an equal one; marks say what the application was doing, in
 * the words of the recordings. So `replay`, `explain` and `explore` take such a trace, and lifting it gives the workload back.
 *
 * @module
 */

import { type DrmFile, type IoctlCall, watchCalls } from "@vmbind/drm";
import {
  eventMark,
  type Trace,
  type TraceHeader,
  type TraceIoctl,
  type TraceMark,
  type TraceRecord,
} from "@vmbind/trace";
import type { BindStep, EvictStep, Step, SubmitStep, Workload } from "../workload/workload.ts";
import { arraysOfCall } from "./calls.ts";
import { RefusedError } from "./refused.ts";
import { StrategyRun } from "./run.ts";
import type { SparseSession, SparseStrategy } from "./strategy.ts";

/** A lowered workload. */
export interface LoweredTrace extends Trace {
  /** Why it ends before the workload does: an ioctl was refused, its last; null where none was. */
  readonly refused: string | null;
}

/**
 * Lower a workload to a trace.
 *
 * @param workload - what the application does
 * @param strategy - how sparse is said
 * @param device - one of the strategy's devices
 * @param steps - of the workload, for the strategy's block
 * @returns the trace, whose records can be read once and again
 */
export async function lowerToTrace(
  workload: Pick<Workload, "name" | "seed">,
  strategy: SparseStrategy,
  device: string,
  steps: Iterable<Step>,
): Promise<LoweredTrace> {
  const writer = new TraceWriter();
  const end = watchCalls((file, call, sent, ret) => writer.call(file, call, sent, ret));
  try {
    const session = await strategy.open(device);
    writer.adopt(session);
    const run = new StrategyRun(strategy, session);
    const refused = perform(run, workload, steps, writer);
    const records = writer.records;
    return {
      name: `${strategy.name}-${workload.name}`,
      path: `${workload.name} under ${strategy.name}`,
      header: headerOf(workload, strategy, device, session),
      records: { [Symbol.asyncIterator]: () => each(records) },
      refused,
    };
  } finally {
    end();
  }
}

async function* each(records: readonly TraceRecord[]): AsyncGenerator<TraceRecord> {
  yield* records;
}

function perform(
  run: StrategyRun,
  { name, seed }: Pick<Workload, "name" | "seed">,
  steps: Iterable<Step>,
  writer: TraceWriter,
): string | null {
  writer.mark("device-ready");
  writer.mark(`workload ${name} seed=${seed}`);
  let calls = 0;
  for (const step of steps) {
    if (step.step === "bind") writer.mark(bindMark(step, calls++));
    else if (step.step === "evict" || step.step === "submit") markEvents(run, step, writer);
    else writer.mark(MARKS[step.step](step as never));
    try {
      run.perform(step);
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      return error.message;
    } finally {
      for (const session of run.sessions) writer.adopt(session);
    }
  }
  writer.mark("workload-end");
  writer.mark("end");
  return null;
}

/** What the clients of the recordings say before each of their steps. */
const MARKS: {
  readonly [S in Exclude<Step, BindStep | EvictStep | SubmitStep> as S["step"]]: (step: S) => string;
} = {
  create: ({ resource, size }) => `create ${resource} size=${size}`,
  allocate: ({ memory, size }) => `alloc-pool ${memory} size=${size}`,
  "wait-idle": () => "wait-idle",
  destroy: ({ resource }) => `destroy ${resource}`,
  free: ({ memory }) => `free-pool ${memory}`,
  read: ({ resource, offset }) => `gpu-read ${resource} offset=${offset}`,
  write: ({ resource, offset, value }) => `gpu-write ${resource} offset=${offset} value=${value}`,
};

/** Memory goes and comes back without an ioctl: a replay does it at these marks. */
function markEvents(run: StrategyRun, step: EvictStep | SubmitStep, writer: TraceWriter): void {
  const files = run.sessions.flatMap(({ shrinker }, file) => (shrinker === null ? [] : [file]));
  if (step.step === "submit") {
    for (const file of files) writer.mark(eventMark({ kind: "restore", file }));
    return;
  }
  const object = run.memory.get(step.memory);
  if (object === undefined) return;
  const file = run.sessions.indexOf(run.sessionOf(object.vm));
  if (files.includes(file)) writer.mark(eventMark({ kind: "evict", file, handle: object.handle }));
}

function bindMark({ resource, binds }: BindStep, call: number): string {
  const bound = binds.filter(({ memory }) => memory !== null).length;
  return `bind-sparse call=${call} ${resource} binds=${bound} unbinds=${binds.length - bound}`;
}

function headerOf(
  { name, seed }: Pick<Workload, "name" | "seed">,
  { driver, umd, name: strategy }: SparseStrategy,
  device: string,
  { facts }: SparseSession,
): TraceHeader {
  return {
    format: "drm-ioctl-trace",
    version: 1,
    driver,
    uapi: "linux 7.3",
    umd: `vmbind lower, as ${umd} would`,
    device,
    workload: name,
    seed,
    strategy,
    ...facts,
  };
}

/** Writes down the calls on the files of sessions; what it sees before it knows a file waits. */
class TraceWriter {
  readonly records: TraceRecord[] = [];
  readonly #sessions = new Map<DrmFile, { index: number; ioctls: SparseSession["ioctls"] }>();
  #waiting: { file: DrmFile; call: IoctlCall; sent: Uint8Array; ret: number }[] = [];
  #seq = 0;

  /** @param session - whose file is one of the trace's from now on */
  adopt({ file, ioctls }: SparseSession): void {
    if (this.#sessions.has(file)) return;
    this.#sessions.set(file, { index: this.#sessions.size, ioctls });
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { file: on, call, sent, ret } of waiting) this.call(on, call, sent, ret);
  }

  /** See `CallWatcher`. */
  call(file: DrmFile, call: IoctlCall, sent: Uint8Array, ret: number): void {
    const session = this.#sessions.get(file);
    if (session === undefined) {
      this.#waiting.push({ file, call: { ...call, arg: call.arg.slice() }, sent, ret });
      return;
    }
    const arrays = arraysOfCall(session.ioctls, { ...call, arg: sent });
    const record: TraceIoctl = {
      kind: "ioctl",
      line: this.records.length + 2,
      seq: this.#seq++,
      ioctl: call.name,
      file: session.index,
      request: call.request,
      argIn: sent,
      argOut: call.arg.slice(),
      arrays: arrays.map(({ field, addr, count, stride, data }) => ({
        field,
        addr,
        count,
        stride,
        data: data.slice(),
      })),
      ret,
    };
    this.records.push(record);
  }

  /** @param text - of a mark */
  mark(text: string): void {
    const mark: TraceMark = { kind: "mark", line: this.records.length + 2, mark: text, exec: null };
    this.records.push(mark);
  }
}
