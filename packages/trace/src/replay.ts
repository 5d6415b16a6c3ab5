/**
 * Feeding a recorded trace to the model of its driver.
 *
 * The model gets exactly the bytes that the user-mode driver sent and knows nothing of the recording. What is compared is
 * in `check/`, a checker each: what each ioctl returns, the bytes it hands back, the mappings of each VM with the plain
 * interval model, where recorded GPU stores land, and that closing the files gives everything back.
 *
 * @module
 */

import { type CostSheet, hex } from "@vmbind/drm";
import { ArgumentChecker } from "./check/arguments.ts";
import { CheckedRun } from "./check/checked-run.ts";
import type { Checker, Report } from "./check/checker.ts";
import { LeakChecker } from "./check/leaks.ts";
import { MappingChecker } from "./check/mappings.ts";
import { ResultChecker } from "./check/results.ts";
import { StoreChecker } from "./check/stores.ts";
import { CostBook } from "./cost-book.ts";
import { deviceFor, type OpenDevice, TraceDecoder } from "./device.ts";
import { type Difference, DifferenceList } from "./differences.ts";
import { InputError } from "./input-error.ts";
import type { Action, BindOp, Finding, Lens } from "./lens.ts";
import { TraceCounter, type TraceCounts } from "./model/counts.ts";
import type { Phase } from "./phase.ts";
import { eachRecord } from "./read.ts";
import { FUZZ_UMD, type Trace, type TraceRecord, type TraceRun } from "./record.ts";
import { callOf } from "./run.ts";

/** Of so many records one is told as progress: to ask for the time at each would be a part of the work. */
const RECORDS_TOLD = 16;

/** A mapping in the report. */
export interface MappingRow {
  /** Number of the open file; absent for the first. */
  file?: number;
  /** VM id. */
  vm: number;
  /** First VA in hex. */
  addr: string;
  /** Bytes. */
  range: number;
  /** How it is backed. */
  kind: string;
  /** GEM handle, 0 when it has none any more. */
  bo: number;
  /** Byte offset into the object. */
  offset: number;
}

/** What a replay came to. */
export interface ReplayResult {
  /** Name of the trace. */
  trace: string;
  /** Driver. */
  driver: string;
  /** User-mode driver or test suite. */
  umd: string;
  /** Device that it believed to drive. */
  device: string;
  /** Workload. */
  workload: string;
  /** Which quirks the model had, in words: unless the header says otherwise those of the profile `linux-7.3`. */
  quirks: string;
  /** Counts from the bytes. */
  counts: TraceCounts;
  /** Cost of each phase in which an ioctl was issued. */
  costByPhase: Partial<Record<Phase, CostSheet>>;
  /** Cost between the marks `workload` and `workload-end`. */
  workloadCost: CostSheet;
  /** Cost of everything. */
  cost: CostSheet;
  /** Bytes of a page-table page. */
  tablePageBytes: number;
  /** How many differences there are. */
  differenceCount: number;
  /** The first of them. */
  differences: Difference[];
  /** Stores that were compared. */
  storesChecked: number;
  /** Peculiarities of the user-mode driver. */
  findings: Finding[];
  /** What is mapped behind the last record; empty where {@link ReplayOptions.atEnd} takes it. */
  mappedAtEnd: MappingRow[];
}

/** Looks on while a trace is replayed. Once the replay is over the device is closed and its tables are gone: it is not to be kept. */
export interface ReplayObserver<Op extends BindOp = BindOp> {
  /**
   * Before a record is executed.
   *
   * @param record - the record
   * @param device - the model as it is
   * @param action - what the ioctl means, null for a mark
   */
  before?(record: TraceRecord, device: OpenDevice, action: Action<Op> | null): void;
  /**
   * After it.
   *
   * @param record - the record
   * @param device - the model as it is now
   * @param action - what the ioctl means, null for a mark
   * @param ret - what the model returned, 0 for a mark
   */
  after?(record: TraceRecord, device: OpenDevice, action: Action<Op> | null, ret: number): void;
}

/** What more can be checked with. */
export interface ReplaySubject {
  /** The device under test. */
  readonly device: OpenDevice;
  /** Takes what is found. */
  readonly report: Report;
  /** Makes a device equal to that under test as it was at first. */
  make(): OpenDevice;
}

/** How a trace is replayed. */
export interface ReplayOptions {
  /**
   * Keep the plain interval model beside the driver's and compare. True unless given, but for traces of `vmbind fuzz`:
   * the plain model does not follow what is malformed.
   */
  compareMappings?: boolean;
  /**
   * Count operations and their bytes by kind, and find what a user-mode driver forgets. True unless given; false for traces of millions
   * of operations that are made for the figures of the model: nobody then has to decode what the model decodes.
   */
  countKinds?: boolean;
  /** Most mappings that the first VM will have, where that is known: room is made for them at once. */
  mappings?: number;
  /**
   * More checkers; they are asked first.
   *
   * @param subject - what they look at
   */
  checkers?: (subject: ReplaySubject) => readonly Checker[];
  /**
   * Told now and then how far the replay is.
   *
   * @param line - of the record that is done
   */
  progress?: (line: number) => void;
  /**
   * Takes what is mapped behind the last record, in place of {@link ReplayResult.mappedAtEnd}: there may be millions.
   *
   * @param rows - to be read now, while everything is open
   */
  atEnd?: (rows: Iterable<MappingRow>) => void;
}

/**
 * Replay a trace.
 *
 * @param trace - an opened trace; its records are consumed
 * @param lens - of its driver
 * @param observer - looks on
 * @param options - see {@link ReplayOptions}
 * @returns counts, costs and differences
 * @throws {@link InputError} for a trace that breaks its format, or has no ioctl
 */
export async function replay<Op extends BindOp>(
  trace: Trace,
  lens: Lens<Op>,
  observer: ReplayObserver<Op> = {},
  options: ReplayOptions = {},
): Promise<ReplayResult> {
  const device = deviceFor(lens, trace);
  const decoder = new TraceDecoder(lens, trace.header);
  const counter = new TraceCounter(
    lens,
    options.compareMappings ?? trace.header.umd !== FUZZ_UMD,
    options.countKinds ?? true,
  );
  const differences = new DifferenceList();
  const { report } = differences;
  const stores = new StoreChecker(device, report);
  const more = options.checkers?.({ device, report, make: () => deviceFor(lens, trace) }) ?? [];
  const run = new CheckedRun(device, [
    ...more,
    new ResultChecker(report),
    new ArgumentChecker(report),
    // Before the counter, which forgets what goes.
    new MappingChecker(device, counter.files, report),
    counter,
    stores,
    new LeakChecker(device, report),
  ]);
  const costs = new CostBook(lens.costSchema, device.counters);

  const { progress } = options;
  let { mappings = 0 } = options;
  let taken = 0;
  const take = (record: TraceRecord): void => {
    const action = record.kind === "ioctl" ? decoder.decode(record) : null;
    differences.at(record);
    observer.before?.(record, device, action);
    costs.at(record);
    if (record.kind === "mark") run.mark(record);
    const ret = record.kind === "ioctl" && action ? run.replay(record, action).ret : 0;
    if (mappings > 0 && action?.kind === "vm-create") {
      for (const [, vm] of device.file(0).vms()) vm.gpuvm?.expect?.(mappings);
      mappings = 0;
    }
    observer.after?.(record, device, action, ret);
    if (++taken % RECORDS_TOLD === 0) progress?.(record.line);
  };
  const takeRun = (run: TraceRun): void => {
    for (let i = 0; i < run.calls; ) {
      const call = callOf(run, i);
      const issued = device.issueRun(run, i);
      if (issued === 0) take(call);
      else counter.ioctl(call, decoder.decode(call), issued);
      i += Math.max(issued, 1);
    }
  };
  const isSeen = (observer.before ?? observer.after ?? options.checkers) !== undefined;
  const records = isSeen ? trace.records : recordsFor(trace, options);
  await eachRecord(
    records,
    (record) => {
      if (record.kind === "run") takeRun(record);
      else take(record);
    },
    // Who looks at each may keep it.
    isSeen ? "kept" : "passing",
  );

  // Nothing was asked of the model, so nothing can be said of it.
  if (device.counters.ioctls === 0) {
    throw new InputError(trace.path, 0, "no ioctl in it: the trace is empty, or cut behind its header");
  }
  run.end();
  const cost = costs.finish();
  const mappedAtEnd = options.atEnd ? [] : [...mappingRows(device)];
  options.atEnd?.(mappingRows(device));
  run.close();
  device.retire();
  const { driver, umd, device: deviceName, workload } = trace.header;
  return {
    trace: trace.name,
    driver,
    umd,
    device: deviceName,
    workload,
    quirks: device.quirks,
    counts: counter.result(),
    ...cost,
    tablePageBytes: device.memory.tables.pageBytes,
    differenceCount: differences.count,
    differences: differences.first,
    storesChecked: stores.checked,
    findings: [...(lens.findings?.(counter.workloadUnmaps, counter.leftAtWorkloadEnd) ?? [])],
    mappedAtEnd,
  };
}

/** Runs where nobody looks at each operation. */
function recordsFor(
  { records, runs = records }: Trace,
  { compareMappings, countKinds }: ReplayOptions,
): AsyncIterable<TraceRecord | TraceRun> {
  return compareMappings === false && countKinds === false ? runs : records;
}

function* mappingRows(device: OpenDevice): Generator<MappingRow> {
  for (const [index, file] of device.entries()) {
    for (const [id, vm] of file.vms()) {
      for (const { addr, range, kind, bo, offset } of vm.mappings()) {
        yield { ...(index === 0 ? {} : { file: index }), vm: id, addr: hex(addr), range, kind, bo, offset };
      }
    }
  }
}
