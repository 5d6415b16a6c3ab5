/**
 * A trace in the engine: its records, what they mean, and models of its driver that stand at moments of it.
 *
 * A model only goes forward, and cannot be copied. So a moment before the one at which a model stands is reached by another model, from
 * the start or from an earlier moment; a few are kept, each where it was left.
 */

import type { GemObject } from "@vmbind/drm";
import { lensOf } from "@vmbind/lab";
import {
  type Action,
  CheckedRun,
  type Checker,
  deviceFor,
  gunzip,
  type Lens,
  type OpenDevice,
  readTrace,
  type Trace,
  TraceDecoder,
  type TraceIoctl,
  type TraceRecord,
} from "@vmbind/trace";
import type { Turn } from "../turn.ts";

/** Models that are kept: each has its own memory and tables. */
const CURSORS_MAX = 3;
/** Work between two pauses, in ioctls and operations. */
const WORK_PER_PAUSE = 5000;

/** A model that stands behind some records of a trace. */
export class Cursor {
  /** The model. */
  readonly device: OpenDevice;
  /** Which handle of which file an object was made with. */
  readonly #made = new Map<GemObject, { file: number; handle: number }>();
  /** The next record that it will run. */
  next = 0;
  readonly #run: CheckedRun;
  readonly #trace: LoadedTrace;

  /**
   * @param trace - that it runs
   * @param checkers - look on
   */
  constructor(trace: LoadedTrace, checkers: (device: OpenDevice) => readonly Checker[] = () => []) {
    this.#trace = trace;
    this.device = deviceFor(trace.lens, trace);
    this.#run = new CheckedRun(this.device, checkers(this.device));
  }

  /**
   * Run the next record.
   *
   * @returns what the model returned, 0 for a mark
   */
  step(): number {
    const { records, actions } = this.#trace;
    const record = records[this.next] as TraceRecord;
    const action = actions[this.next] as Action | null;
    this.next++;
    if (record.kind === "mark" || action === null) {
      if (record.kind === "mark") this.#run.mark(record);
      return 0;
    }
    const { ret } = this.#run.replay(record, action);
    if (action.kind === "bo-create" && ret === 0) {
      const gem = this.device.file(record.file).bo(action.handle);
      if (gem) this.#made.set(gem, { file: record.file, handle: action.handle });
    }
    return ret;
  }

  /**
   * @param gem - an object
   * @param file - in whose terms
   * @returns what it is called: `BO 6`
   */
  nameOf(gem: GemObject | null, file: number): string {
    if (gem === null) return "nothing";
    const made = this.#made.get(gem);
    if (made === undefined) return "the driver's own object";
    return made.file === file ? `BO ${made.handle}` : `BO ${made.handle} of file ${made.file}`;
  }
}

/** See the module. */
export class LoadedTrace {
  /** As the page calls it. */
  readonly name: string;
  /** For errors. */
  readonly path: string;
  /** Its first line. */
  readonly header: Trace["header"];
  /** Of its driver. */
  readonly lens: Lens;
  /** Ioctls and marks. */
  readonly records: readonly TraceRecord[];
  /** What each record means; null for a mark. */
  readonly actions: readonly (Action | null)[];
  /** Index of each ioctl's record, by seq. */
  readonly recordOf: readonly number[];
  /** What the model returned of each ioctl, by seq; known once the trace was run. */
  readonly rets: Int32Array;
  readonly #cursors: Cursor[] = [];

  private constructor(
    name: string,
    trace: Trace,
    lens: Lens,
    records: readonly TraceRecord[],
    actions: readonly (Action | null)[],
  ) {
    this.name = name;
    this.path = trace.path;
    this.header = trace.header;
    this.lens = lens;
    this.records = records;
    this.actions = actions;
    this.recordOf = records.flatMap((record, i) => (record.kind === "ioctl" ? [i] : []));
    this.rets = new Int32Array(this.recordOf.length);
  }

  /**
   * Read a trace.
   *
   * @param name - as the page calls it
   * @param bytes - JSON Lines, plain or gzip
   * @param turn - of the request
   * @throws InputError for what is no trace, or one of a driver without a model
   */
  static async read(name: string, bytes: Uint8Array<ArrayBuffer>, turn: Turn): Promise<LoadedTrace> {
    const trace = await readTrace(name, () => gunzip(bytes));
    const lens = await lensOf(trace);
    const decoder = new TraceDecoder(lens, trace.header);
    const records: TraceRecord[] = [];
    const actions: (Action | null)[] = [];
    let work = 0;
    for await (const record of trace.records) {
      const action = record.kind === "ioctl" ? decoder.decode(record) : null;
      records.push(record);
      actions.push(action);
      work += workOf(action);
      if (work < WORK_PER_PAUSE) continue;
      work = 0;
      turn.progress(`read ${records.length} lines`);
      await turn.pause();
    }
    return new LoadedTrace(name, trace, lens, records, actions);
  }

  /**
   * @param seq - of an ioctl
   * @returns its record and what it means
   * @throws RangeError where there is none
   */
  call(seq: number): { record: TraceIoctl; action: Action } {
    const at = this.recordOf[seq];
    const record = at === undefined ? undefined : this.records[at];
    const action = at === undefined ? undefined : this.actions[at];
    if (record?.kind !== "ioctl" || !action) throw new RangeError(`${this.name} has no ioctl #${seq}`);
    return { record, action };
  }

  /**
   * A model that stands right before or behind an ioctl.
   *
   * @param seq - of the ioctl; -1 for before everything
   * @param side - of the ioctl, at which the model is to stand
   * @param turn - of the request
   */
  async at(seq: number, side: "before" | "behind", turn: Turn): Promise<Cursor> {
    const record = this.recordOf[seq];
    const until = record === undefined ? 0 : side === "before" ? record : record + 1;
    let best: Cursor | undefined;
    for (const cursor of this.#cursors) {
      if (cursor.next <= until && cursor.next >= (best?.next ?? 0)) best = cursor;
    }
    if (best !== undefined) this.#cursors.splice(this.#cursors.indexOf(best), 1);
    best ??= new Cursor(this);
    // The one that was used last stands last, and the oldest goes.
    this.keep(best);
    await this.advance(best, until, turn);
    return best;
  }

  /** Keep a model for later requests; the one that was used longest ago goes. */
  keep(cursor: Cursor): void {
    this.#cursors.push(cursor);
    if (this.#cursors.length > CURSORS_MAX) this.#cursors.shift();
  }

  /**
   * Run records.
   *
   * @param cursor - a model of this trace
   * @param until - the record at which to stop
   * @param turn - of the request
   * @param after - sees each record's number and what the model returned
   */
  async advance(
    cursor: Cursor,
    until: number,
    turn: Turn,
    after?: (record: number, ret: number) => void,
  ): Promise<void> {
    let work = 0;
    while (cursor.next < until) {
      const record = cursor.next;
      const ret = cursor.step();
      after?.(record, ret);
      work += workOf(this.actions[record] ?? null);
      if (work < WORK_PER_PAUSE) continue;
      work = 0;
      turn.progress(`ran ${record + 1} of ${this.records.length} lines`);
      await turn.pause();
    }
  }
}

function workOf(action: Action | null): number {
  return action?.kind === "bind" ? 1 + action.ops.length : 1;
}
