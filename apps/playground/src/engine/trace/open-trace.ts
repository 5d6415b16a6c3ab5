/**
 * Opening a trace: it is read, decoded and run on the model of its driver once, and what came of it goes to the page as columns. An
 * operation is a few numbers in typed arrays there, and no object.
 */

import {
  type Action,
  ArgumentChecker,
  type Difference,
  type OpenDevice,
  PHASES,
  phaseAfter,
  ResultChecker,
  StoreChecker,
  type TraceRecord,
} from "@vmbind/trace";
import type { Turn } from "../turn.ts";
import { type Failure, FailureList } from "./failures.ts";
import { keepTrace } from "./library.ts";
import { Cursor, LoadedTrace } from "./loaded-trace.ts";
import { MEANINGS, meaningOfOp } from "./meaning.ts";

/** What is to be opened. */
export interface OpenTraceRequest {
  /** What the page calls it from now on. */
  readonly name: string;
  /** JSON Lines, plain or gzip. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A VM that a trace has at some time. */
interface TraceVm {
  /** Open file. */
  readonly file: number;
  /** VM id. */
  readonly vm: number;
  /** Width of its addresses. */
  readonly vaBits: number;
  /** Bytes of the smallest page of its tables. */
  readonly pageBytes: number;
  /** Operations that name it. */
  ops: number;
}

/** A trace as the page has it. Columns of calls have an element for each ioctl, by seq; columns of operations one for each. */
export interface OpenedTrace {
  readonly name: string;
  readonly driver: string;
  readonly umd: string;
  readonly device: string;
  readonly workload: string;
  /** Which quirks the model has, in words. */
  readonly quirks: string;
  readonly vms: readonly TraceVm[];
  /** Refusals in order, causes and what follows. */
  readonly failures: readonly Failure[];
  readonly failureCount: number;
  /** Where the model differs from the recording: the first ones. */
  readonly differences: readonly Difference[];
  readonly differenceCount: number;
  /** Names of ioctls; calls have their number. */
  readonly ioctls: readonly string[];
  /** Headings of operations; operations have their number. */
  readonly headings: readonly string[];
  /** Phases; calls have their number. */
  readonly phases: readonly string[];
  /** What each call says, in words. */
  readonly texts: readonly string[];
  readonly callIoctl: Uint16Array<ArrayBuffer>;
  readonly callFile: Uint16Array<ArrayBuffer>;
  /** VM of a bind and of what makes and destroys one, 0 elsewhere. */
  readonly callVm: Uint32Array<ArrayBuffer>;
  /** Handle of an object that is made or closed, 0 elsewhere. */
  readonly callHandle: Uint32Array<ArrayBuffer>;
  /** 1 for a bind, 0 for other calls. */
  readonly callIsBind: Uint8Array<ArrayBuffer>;
  readonly callPhase: Uint8Array<ArrayBuffer>;
  /** What the model returned. */
  readonly callRet: Int32Array<ArrayBuffer>;
  /** Line of the file. */
  readonly callLine: Uint32Array<ArrayBuffer>;
  /** Mappings of all VMs behind the call. */
  readonly callMappings: Uint32Array<ArrayBuffer>;
  /** Page-table pages behind the call. */
  readonly callTables: Uint32Array<ArrayBuffer>;
  /** Index of the call's first operation; one more element at the end. */
  readonly callFirstOp: Uint32Array<ArrayBuffer>;
  readonly opAddr: Float64Array<ArrayBuffer>;
  readonly opRange: Float64Array<ArrayBuffer>;
  readonly opHandle: Uint32Array<ArrayBuffer>;
  readonly opHeading: Uint16Array<ArrayBuffer>;
  /** Index in MEANINGS. */
  readonly opMeaning: Uint8Array<ArrayBuffer>;
}

const DIFFERENCES_KEPT = 20;

/**
 * @param request - what is to be opened
 * @param turn - of the request
 * @throws InputError for what is no trace, or one of a driver without a model
 */
export async function openTrace({ name, bytes }: OpenTraceRequest, turn: Turn): Promise<OpenedTrace> {
  const trace = await LoadedTrace.read(name, bytes, turn);
  const calls = trace.recordOf.length;
  if (calls === 0)
    throw new RangeError(`${name}: no ioctl in it: the trace is empty, or cut behind its header`);
  const columns = new Columns(trace);
  const failures = new FailureList();
  const differences: Difference[] = [];
  let differenceCount = 0;
  let at: TraceRecord = trace.records[0] as TraceRecord;
  const report = (what: string, expected: string, got: string, reason: string | null = null): void => {
    differenceCount++;
    const { line } = at;
    if (differences.length < DIFFERENCES_KEPT) {
      differences.push({
        seq: at.kind === "ioctl" ? at.seq : Math.max(0, columns.seq),
        line,
        what,
        expected,
        got,
        reason,
      });
    }
  };
  const checkers = (device: OpenDevice) => [
    new ResultChecker(report),
    new ArgumentChecker(report),
    new StoreChecker(device, report),
  ];
  const cursor = new Cursor(trace, checkers);
  const { device } = cursor;
  await trace.advance(cursor, trace.records.length, turn, (index, ret) => {
    const record = trace.records[index] as TraceRecord;
    const action = trace.actions[index];
    at = trace.records[index + 1] ?? record;
    if (record.kind === "mark" || !action) {
      if (record.kind === "mark") columns.mark(record.mark);
      return;
    }
    columns.call(record, action, ret, device);
    trace.rets[record.seq] = ret;
    if (ret === 0) {
      failures.succeeded(record.file, action);
      return;
    }
    const reason = device.file(record.file).lastError?.reason ?? "no reason kept";
    const { seq, file, ioctl } = record;
    failures.refused({ seq, file, ioctl, action, ret, recorded: record.ret, reason });
  });
  trace.keep(cursor);
  keepTrace(trace);
  const { driver, umd, device: deviceName, workload } = trace.header;
  return {
    name,
    driver,
    umd,
    device: deviceName,
    workload,
    quirks: device.quirks,
    failures: failures.failures,
    failureCount: failures.count,
    differences,
    differenceCount,
    ...columns.result(),
  };
}

type Result = Omit<
  OpenedTrace,
  | "name"
  | "driver"
  | "umd"
  | "device"
  | "workload"
  | "quirks"
  | "failures"
  | "failureCount"
  | "differences"
  | "differenceCount"
>;

/** Fills the columns while the trace runs. */
class Columns {
  /** Of the last ioctl. */
  seq = -1;
  readonly #of: Result;
  readonly #ioctls = new Map<string, number>();
  readonly #headings = new Map<string, number>();
  readonly #vms = new Map<string, TraceVm>();
  readonly #texts: string[] = [];
  #phase: (typeof PHASES)[number] = "run";
  #ops = 0;

  constructor({ actions, recordOf }: LoadedTrace) {
    const calls = recordOf.length;
    const ops = actions.reduce((n, action) => n + (action?.kind === "bind" ? action.ops.length : 0), 0);
    this.#of = {
      vms: [],
      ioctls: [],
      headings: [],
      phases: PHASES,
      texts: this.#texts,
      callIoctl: new Uint16Array(calls),
      callFile: new Uint16Array(calls),
      callVm: new Uint32Array(calls),
      callHandle: new Uint32Array(calls),
      callIsBind: new Uint8Array(calls),
      callPhase: new Uint8Array(calls),
      callRet: new Int32Array(calls),
      callLine: new Uint32Array(calls),
      callMappings: new Uint32Array(calls),
      callTables: new Uint32Array(calls),
      callFirstOp: new Uint32Array(calls + 1),
      opAddr: new Float64Array(ops),
      opRange: new Float64Array(ops),
      opHandle: new Uint32Array(ops),
      opHeading: new Uint16Array(ops),
      opMeaning: new Uint8Array(ops),
    };
  }

  mark(text: string): void {
    this.#phase = phaseAfter(text, this.#phase);
  }

  call(record: TraceRecord & { kind: "ioctl" }, action: Action, ret: number, device: OpenDevice): void {
    const of = this.#of;
    const { seq, file } = record;
    const counters: Readonly<Record<string, number>> = device.counters;
    this.seq = seq;
    this.#texts.push(action.text);
    of.callIoctl[seq] = numberOf(this.#ioctls, record.ioctl);
    of.callFile[seq] = file;
    of.callVm[seq] = "vm" in action ? action.vm : 0;
    of.callHandle[seq] = "handle" in action ? action.handle : 0;
    of.callIsBind[seq] = action.kind === "bind" ? 1 : 0;
    of.callPhase[seq] = PHASES.indexOf(this.#phase);
    of.callRet[seq] = ret;
    of.callLine[seq] = record.line;
    of.callMappings[seq] = counters["gpuvasLive"] ?? 0;
    of.callTables[seq] = counters["tablesLive"] ?? 0;
    if (action.kind === "bind") {
      this.#vm(file, action.vm, action.ops.length, device);
      for (const op of action.ops) {
        const at = this.#ops++;
        of.opAddr[at] = op.addr;
        of.opRange[at] = op.range;
        of.opHandle[at] = op.handle;
        of.opHeading[at] = numberOf(this.#headings, op.heading);
        of.opMeaning[at] = MEANINGS.indexOf(meaningOfOp(op));
      }
    }
    of.callFirstOp[seq + 1] = this.#ops;
  }

  result(): Result {
    return {
      ...this.#of,
      vms: [...this.#vms.values()],
      ioctls: [...this.#ioctls.keys()],
      headings: [...this.#headings.keys()],
    };
  }

  #vm(file: number, vm: number, ops: number, device: OpenDevice): void {
    const key = `${file} ${vm}`;
    const known = this.#vms.get(key);
    if (known !== undefined) {
      known.ops += ops;
      return;
    }
    const format = device.vm(file, vm)?.addressSpace.format;
    if (format === undefined) return;
    const pageBytes = format.levels.at(-1)?.entryBytes ?? 4096;
    this.#vms.set(key, { file, vm, vaBits: format.vaBits, pageBytes, ops });
  }
}

function numberOf(known: Map<string, number>, name: string): number {
  const found = known.get(name);
  if (found !== undefined) return found;
  known.set(name, known.size);
  return known.size - 1;
}
