/**
 * Feeding a recorded trace to the model of its driver.
 *
 * The model gets exactly the bytes that the user-mode driver sent and knows nothing of the recording. Four things are
 * compared: what each ioctl returns, the bytes it hands back, the mappings of each VM with the plain interval model
 * (where the client's workload ends, before a VM goes, and at the end), and where recorded GPU stores land.
 *
 * @module
 */

import { type CostSheet, hex, span, UserMemory } from "@vmbind/drm";
import { StoreCheck } from "./check/stores.ts";
import { costBetween, PhaseCosts, snapshot } from "./cost.ts";
import { FUZZ_UMD, type Trace, type TraceIoctl, type TraceMark, type TraceRecord } from "./format.ts";
import { hexOf } from "./hex-bytes.ts";
import type { Action, Driver, Finding, Machine, ModelFile, ModelVm } from "./lens.ts";
import { TraceCounter, type TraceCounts } from "./model/counts.ts";
import type { Interval } from "./model/intervals.ts";
import type { Phase } from "./phase.ts";
import { result } from "./words.ts";

/** One way in which the model differs from the recording. */
interface Difference {
  /** seq of the ioctl, or of the last one before the mark. */
  seq: number;
  /** Line in the trace. */
  line: number;
  /** What differs: `ret`, `arg_out`, `mappings`, `store`, `leak`; or with `check` the rule that is broken. */
  what: string;
  /** What was recorded. */
  expected: string;
  /** What the model does. */
  got: string;
  /** Why the model refused the ioctl, when it did. */
  reason: string | null;
}

/** A mapping in the report. */
export interface MappingRow {
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
  /** What is mapped behind the last record. */
  mappedAtEnd: MappingRow[];
}

/** Looks on while a trace is replayed. */
export interface ReplayObserver {
  /**
   * Before a record is executed.
   *
   * @param record - the record
   * @param machine - the model as it is
   */
  before?(record: TraceRecord, machine: Machine, action: Action | null): void;
  /**
   * After it.
   *
   * @param record - the record
   * @param machine - the model as it is now
   * @param action - what the ioctl means, null for a mark
   * @param ret - what the model returned, 0 for a mark
   */
  after?(record: TraceRecord, machine: Machine, action: Action | null, ret: number): void;
}

/** How a trace is replayed. */
export interface ReplayOptions {
  /**
   * Keep the plain interval model beside the driver's and compare. True unless given, but for traces of `vmbind fuzz`:
   * the plain model does not follow what is malformed.
   */
  compareMappings?: boolean;
  /** Issues the ioctls in place of the replay, and looks for more. */
  watch?: MakeWatch;
}

/** Issues the ioctls of a replay and watches over them. */
export interface ReplayWatch {
  /** Open files so far. */
  readonly files: readonly ModelFile[];
  /**
   * @param index - number of an open file; one that is not open is opened
   */
  file(index: number): ModelFile;
  /** Do what ioctls that recordings leave out must have done before a call. */
  before(call: TraceIoctl): void;
  /** Issue a call. */
  issue(call: TraceIoctl): WatchedIoctl;
}

/** How a watched ioctl went. */
export interface WatchedIoctl {
  /** 0 or a negative errno. */
  ret: number;
  /** The argument struct afterwards. */
  argOut: Uint8Array;
  /** The first rule that was found broken, or null. */
  finding: { kind: string; text: string } | null;
}

/**
 * Makes a watch over a device.
 *
 * @param make - makes equal devices
 * @param machine - the device under test
 */
export type MakeWatch = (make: () => Machine, machine: Machine) => ReplayWatch;

const KEPT_DIFFERENCES = 20;

/**
 * Replay a trace.
 *
 * @param trace - an opened trace; its records are consumed
 * @param driver - its driver
 * @param observer - looks on
 * @param options - see {@link ReplayOptions}
 * @returns counts, costs and differences
 * @throws {@link InputError} for a trace that breaks its format
 */
export async function replay(
  trace: Trace,
  driver: Driver,
  observer: ReplayObserver = {},
  options: ReplayOptions = {},
): Promise<ReplayResult> {
  const compareMappings = options.compareMappings ?? trace.header.umd !== FUZZ_UMD;
  const run = new Replay(trace, driver, observer, compareMappings, options.watch);
  for await (const record of trace.records) run.step(record);
  return run.finish();
}

class Replay {
  readonly #trace: Trace;
  readonly #driver: Driver;
  readonly #observer: ReplayObserver;
  readonly #machine: Machine;
  readonly #decoder: ReturnType<Driver["decoder"]>;
  readonly #counter: TraceCounter;
  readonly #stores: StoreCheck;
  readonly #files: ModelFile[];
  readonly #watch: ReplayWatch | null;
  readonly #user = new UserMemory();

  readonly #phaseCosts: PhaseCosts<Phase>;
  readonly #atStart: CostSheet;
  #workloadStart: CostSheet;
  #workloadCost: CostSheet = {};
  #leftAtWorkloadEnd: Interval[] = [];
  readonly #differences: Difference[] = [];
  #differenceCount = 0;
  #seq = -1;
  #line = 1;

  constructor(
    trace: Trace,
    driver: Driver,
    observer: ReplayObserver,
    compareMappings: boolean,
    watch: MakeWatch | undefined,
  ) {
    this.#trace = trace;
    this.#driver = driver;
    this.#observer = observer;
    this.#machine = driver.machine(trace);
    this.#files = [this.#machine.file];
    this.#watch = watch?.(() => driver.machine(trace), this.#machine) ?? null;
    this.#decoder = driver.decoder(trace.header);
    this.#counter = new TraceCounter(driver, compareMappings);
    this.#stores = new StoreCheck(this.#machine);
    this.#atStart = snapshot(this.#machine.counters);
    this.#phaseCosts = new PhaseCosts(driver.costSchema, this.#machine.counters);
    this.#workloadStart = this.#atStart;
  }

  step(record: TraceRecord): void {
    this.#line = record.line;
    if (record.kind === "ioctl") this.#ioctl(record);
    else this.#mark(record);
  }

  #mark(record: TraceMark): void {
    this.#observer.before?.(record, this.#machine, null);
    this.#phaseCosts.close(this.#counter.phase);
    this.#counter.mark(record);
    if (record.mark.startsWith("workload ")) this.#workloadStart = snapshot(this.#machine.counters);
    if (record.mark === "workload-end") {
      this.#workloadCost = this.#costSince(this.#workloadStart);
      this.#leftAtWorkloadEnd = this.#counter.allIntervals();
      this.#compareMappings();
    }
    if (record.exec) {
      for (const d of this.#stores.run(record.exec)) this.#differ("store", d.expected, d.got);
    }
    this.#observer.after?.(record, this.#machine, null, 0);
  }

  #costSince(start: CostSheet): CostSheet {
    return costBetween(this.#driver.costSchema, start, this.#machine.counters);
  }

  finish(): ReplayResult {
    this.#phaseCosts.close(this.#counter.phase);
    this.#compareMappings();
    const cost = this.#costSince(this.#atStart);
    const mappedAtEnd = [...this.#machine.file.vms()].flatMap(([id, vm]) => mappingRows(id, vm));
    this.#closeFile();
    const { name, header } = this.#trace;
    return {
      trace: name,
      driver: header.driver,
      umd: header.umd,
      device: header.device,
      workload: header.workload,
      counts: this.#counter.result(),
      costByPhase: this.#phaseCosts.sheets(),
      workloadCost: this.#workloadCost,
      cost,
      tablePageBytes: this.#machine.memory.tables.pageBytes,
      differenceCount: this.#differenceCount,
      differences: this.#differences,
      storesChecked: this.#stores.checked,
      findings: this.#driver.findings?.(this.#counter.workloadUnmaps, this.#leftAtWorkloadEnd) ?? [],
      mappedAtEnd,
    };
  }

  #ioctl(call: TraceIoctl): void {
    this.#seq = call.seq;
    // What other files do is none of the plain model's business.
    const action: Action = call.file ? { kind: "other", text: "" } : this.#decoder.decode(call);
    this.#observer.before?.(call, this.#machine, action);
    if (action.kind === "vm-destroy") this.#compareMappings();

    const { file, arg, ret, reason } = this.#issue(call);
    if (ret !== call.ret) this.#differ("ret", result(call.ret), result(ret), reason);
    const at = arg.findIndex((byte, i) => byte !== call.argOut[i]);
    if (at >= 0) {
      this.#differ("arg_out", bytesFrom(call.argOut, at), bytesFrom(arg, at), reason);
    }

    this.#counter.ioctl(call, action);
    if (action.kind === "vm-create" && ret === 0) this.#machine.vmCreated?.(action.vm, file);
    if (action.kind === "bo-create" && ret === 0) {
      this.#stores.created(call.seq, file.bo(action.handle));
    }
    this.#observer.after?.(call, this.#machine, action, ret);
  }

  #issue(call: TraceIoctl): { file: ModelFile; arg: Uint8Array; ret: number; reason: string | null } {
    if (this.#watch !== null) {
      const file = this.#watch.file(call.file ?? 0);
      this.#watch.before(call);
      const { ret, argOut: arg, finding } = this.#watch.issue(call);
      if (finding !== null) this.#differ(finding.kind, "none", finding.text);
      return { file, arg, ret, reason: file.lastError?.reason ?? null };
    }
    const file = this.#file(call.file ?? 0);
    this.#machine.before?.(call, this.#machine.file);
    this.#user.clear();
    for (const array of call.arrays) this.#user.place(array.addr, array.data);
    const arg = call.argIn.slice();
    const ret = file.ioctl(call.request, arg, this.#user);
    return { file, arg, ret, reason: file.lastError?.reason ?? null };
  }

  #file(index: number): ModelFile {
    while (this.#files.length <= index) this.#files.push(this.#machine.openFile());
    return this.#files[index] as ModelFile;
  }

  /** Each VM of the model against the plain interval model. */
  #compareMappings(): void {
    const model = new Map(this.#machine.file.vms());
    for (const [id, plain] of this.#counter.vms) {
      const vm = model.get(id);
      const got = vm ? [...vm.mappings()] : [];
      const expected = plain.intervals;
      const count = Math.max(got.length, expected.length);
      for (let i = 0; i < count; i++) {
        const e = expected[i];
        const g = got[i];
        // Repeated mappings keep their offset in each driver's own way.
        const same =
          e &&
          g &&
          e.addr === g.addr &&
          e.end === g.addr + g.range &&
          (g.kind !== "bo" || g.offset === e.offset);
        if (same) continue;
        this.#differ(
          "mappings",
          `VM ${id}: ${expected.length} mappings, number ${i} ${e ? `${e.kind} ${span(e.addr, e.end - e.addr)} + ${hex(e.offset)}` : "none"}`,
          `${got.length} mappings, number ${i} ${g ? `${g.kind} ${span(g.addr, g.range)} + ${hex(g.offset)}` : "none"}`,
        );
        break;
      }
    }
  }

  /** Closing the file must give everything back. */
  #closeFile(): void {
    for (const file of this.#watch?.files ?? this.#files) file.close();
    const left = snapshot(this.#machine.counters);
    for (const name of ["gpuvasLive", "vmBosLive", "backingBytes"]) {
      if (left[name]) this.#differ("leak", `${name} 0 after the file is closed`, String(left[name]));
    }
  }

  #differ(what: Difference["what"], expected: string, got: string, reason: string | null = null): void {
    this.#differenceCount++;
    if (this.#differences.length >= KEPT_DIFFERENCES) return;
    this.#differences.push({ seq: this.#seq, line: this.#line, what, expected, got, reason });
  }
}

function mappingRows(vm: number, model: ModelVm): MappingRow[] {
  return [...model.mappings()].map(({ addr, range, kind, bo, offset }) => ({
    vm,
    addr: hex(addr),
    range,
    kind,
    bo,
    offset,
  }));
}

function bytesFrom(bytes: Uint8Array, at: number): string {
  const shown = hexOf(bytes.subarray(at, at + 8));
  return `byte ${at}: ${shown}${bytes.length > at + 8 ? "..." : ""}`;
}
