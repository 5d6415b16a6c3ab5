/**
 * Reads recorded ioctl traces (`drm-ioctl-trace` version 1).
 *
 * Every rule of the format that a reader relies on is checked here, so that the rest of the program can trust a record.
 *
 * @module
 */

import { allowed, type Budgets, holdBudget, STANDARD_BUDGETS, TRACE_BUDGETS } from "./budget.ts";
import { HeaderReader } from "./header-reader.ts";
import { bytesOf } from "./hex-bytes.ts";
import { InputError } from "./input-error.ts";
import {
  type ByteSource,
  type EndOptions,
  type JsonLine,
  type LineBatch,
  readBatches,
  readHeader,
} from "./jsonl.ts";
import type {
  RecordLife,
  Trace,
  TraceArray,
  TraceExec,
  TraceHeader,
  TraceIoctl,
  TraceLanding,
  TraceMark,
  TraceRecord,
  TraceStore,
} from "./record.ts";
import { RecordLines } from "./record-line.ts";
import type { FileEnd } from "./seal.ts";
import { valueInWords } from "./words.ts";

/** The mark that a recording ends with. */
const END_MARK = "end";

/**
 * Read a trace.
 *
 * @param path - where it comes from, for errors; the name of the trace is made from it
 * @param source - its bytes
 * @param budgets - amounts other than those of {@link TRACE_BUDGETS}
 * @param atEnd - what is done about its end line, or about there being none
 * @returns its header and its records; reading those throws {@link InputError} where the text breaks a rule, or asks for more
 * than a budget
 * @throws {@link InputError} for an unreadable text or a malformed header
 */
export async function readTrace(
  path: string,
  source: ByteSource,
  budgets: Budgets = STANDARD_BUDGETS,
  atEnd: EndOptions = {},
): Promise<Trace> {
  const header = checkHeader(path, await readHeader(path, source));
  const name = path.replace(/^.*[\\/]/, "").replace(/\.jsonl(\.gz)?$/, "");
  return { name, path, header, records: new RecordsOfText(path, source, budgets, atEnd) };
}

function checkHeader(path: string, value: Readonly<Record<string, unknown>>): TraceHeader {
  const header = new HeaderReader(path, value);
  return {
    ...value,
    format: header.oneOf("format", ["drm-ioctl-trace"]),
    version: header.oneOf("version", [1]),
    driver: header.text("driver"),
    uapi: header.text("uapi"),
    umd: header.text("umd"),
    device: header.text("device"),
    workload: header.text("workload"),
  };
}

/**
 * Take records one after the other.
 *
 * @typeParam More - what there is between them
 * @param records - of a trace; they are consumed
 * @param take - is given each
 * @param life - how long it may look at the bytes of a call, `kept` unless told: for `passing` no longer than it runs, and then they cost
 * next to nothing
 */
export async function eachRecord<More = never>(
  records: AsyncIterable<TraceRecord | More>,
  take: (record: TraceRecord | More) => void,
  life: RecordLife = "kept",
): Promise<void> {
  // Who waits for each by itself has a function that V8 compiles again and again, where it goes on in the middle.
  if (records instanceof RecordsOfText) await records.each(take, life);
  else for await (const record of records) take(record);
}

/** Of all traces: such a record is done with when the next line is read, of whichever trace. */
const PASSING: RecordLines = new RecordLines("passing");

/** The records of a text, read as they are asked for. */
class RecordsOfText implements AsyncIterable<TraceRecord> {
  readonly #path: string;
  readonly #source: ByteSource;
  readonly #budgets: Budgets;
  readonly #atEnd: EndOptions;
  readonly #ioctlsMax: number;
  readonly #marksMax: number;
  readonly #filesMax: number;
  #seq = 0;
  #marks = 0;
  #marked = false;

  constructor(path: string, source: ByteSource, budgets: Budgets, atEnd: EndOptions) {
    this.#path = path;
    this.#source = source;
    this.#budgets = budgets;
    this.#atEnd = atEnd;
    this.#ioctlsMax = allowed(TRACE_BUDGETS.ioctls, budgets);
    this.#marksMax = allowed(TRACE_BUDGETS.marks, budgets);
    this.#filesMax = allowed(TRACE_BUDGETS.files, budgets);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TraceRecord> {
    for await (const lines of this.#batches(new RecordLines())) {
      for (const line of lines) yield this.#record(line);
    }
  }

  async each(take: (record: TraceRecord) => void, life: RecordLife): Promise<void> {
    const lines = life === "passing" ? PASSING : new RecordLines();
    for await (const batch of this.#batches(lines)) this.#takeAll(batch, take);
  }

  #takeAll(lines: LineBatch<TraceRecord>, take: (record: TraceRecord) => void): void {
    for (let line = lines.next(); line !== null; line = lines.next()) take(this.#record(line));
  }

  #batches(known: RecordLines): AsyncIterable<LineBatch<TraceRecord>> {
    const limits = { fileBytes: allowed(TRACE_BUDGETS.bytes, this.#budgets) };
    // The recorders of Mesa's drivers set a mark at the end: such a trace is not cut, though it states no digest.
    const ended = (end: FileEnd): void => {
      // Of a trace without an ioctl worse is said than that.
      if (this.#seq > 0) this.#atEnd.ended?.(end === "open" && this.#marked ? "complete" : end);
    };
    const quick = (line: number, bytes: Uint8Array): TraceRecord | null => known.read(line, bytes, this.#seq);
    return readBatches(this.#path, this.#source, limits, { ...this.#atEnd, ended }, quick);
  }

  #record(item: JsonLine | TraceRecord): TraceRecord {
    const record =
      "kind" in item ? item : readRecord(new Fields(this.#path, item.line, item.value), this.#seq);
    const isMark = record.kind === "mark";
    this.#marked = isMark && record.mark === END_MARK;
    if (isMark) this.#marks++;
    else this.#seq++;
    const files = isMark ? 0 : record.file + 1;
    // Nearly always there is enough, and then no place has to be named.
    const enough = this.#marks <= this.#marksMax && this.#seq <= this.#ioctlsMax && files <= this.#filesMax;
    if (!enough) this.#hold(record.line, isMark, files);
    return record;
  }

  #hold(line: number, isMark: boolean, files: number): void {
    const place = { path: this.#path, line };
    if (isMark) holdBudget(TRACE_BUDGETS.marks, this.#marks, this.#budgets, place);
    else {
      holdBudget(TRACE_BUDGETS.ioctls, this.#seq, this.#budgets, place);
      holdBudget(TRACE_BUDGETS.files, files, this.#budgets, { ...place, member: "file" });
    }
  }
}

function readRecord(fields: Fields, seq: number): TraceRecord {
  return fields.has("mark") ? readMark(fields) : readIoctl(fields, seq);
}

function readIoctl(fields: Fields, seq: number): TraceIoctl {
  const request = fields.hex("request");
  if (request > 0xffffffff) fields.fail("request", "more than 32 bits");
  const size = (request >>> 16) & 0x3fff;
  const record: TraceIoctl = {
    kind: "ioctl",
    line: fields.line,
    seq: fields.count("seq"),
    ioctl: fields.text("ioctl"),
    file: fields.has("file") ? fields.count("file") : 0,
    request,
    argIn: fields.bytes("arg_in", size),
    argOut: fields.bytes("arg_out", size),
    arrays: fields.list("ptrs").map(readArray),
    ret: fields.integer("ret"),
  };
  if (record.seq !== seq) fields.fail("seq", `expected ${seq}, got ${record.seq}`);
  if (record.ret > 0) fields.fail("ret", `expected 0 or a negative errno, got ${record.ret}`);
  return record;
}

function readArray(fields: Fields): TraceArray {
  const count = fields.count("count");
  const stride = fields.count("stride");
  return {
    field: fields.text("field"),
    addr: fields.hex("addr"),
    count,
    stride,
    data: fields.bytes("data", count * stride),
  };
}

function readMark(fields: Fields): TraceMark {
  const mark = fields.text("mark");
  const exec = mark === "exec" && fields.has("batch") ? readExec(fields) : null;
  return { kind: "mark", line: fields.line, mark, exec };
}

function readExec(fields: Fields): TraceExec {
  return {
    vm: fields.count("vm"),
    batch: readLanding(fields.child("batch")),
    stores: fields.list("stores").map(readStore),
  };
}

/** A literal, not a spread: copies would have a hidden class each. */
function readStore(fields: Fields): TraceStore {
  const { va, to, gemSeq, offset } = readLanding(fields);
  return { va, to, gemSeq, offset, value: fields.hex("value") };
}

function readLanding(fields: Fields): TraceLanding {
  const va = fields.hex("va");
  const to = fields.text("to");
  if (to === "bo") return { va, to, gemSeq: fields.count("gem_seq"), offset: fields.hex("offset") };
  if (to !== "null" && to !== "scratch" && to !== "fault") {
    return fields.fail("to", `expected bo, null, scratch or fault, got ${JSON.stringify(to)}`);
  }
  return { va, to, gemSeq: -1, offset: 0 };
}

/** The members of one JSON object, read with their rules; errors name file, line and member. */
class Fields {
  readonly path: string;
  readonly line: number;
  readonly #value: Record<string, unknown>;
  /** Where the value stands: its place is put into words only where it breaks a rule. */
  readonly #parent: Fields | null;
  readonly #name: string;
  readonly #index: number;

  constructor(
    path: string,
    line: number,
    value: Record<string, unknown>,
    parent: Fields | null = null,
    name = "",
    index = -1,
  ) {
    this.path = path;
    this.line = line;
    this.#value = value;
    this.#parent = parent;
    this.#name = name;
    this.#index = index;
  }

  fail(name: string, rule: string): never {
    throw new InputError(this.path, this.line, `${this.#prefix()}${name}: ${rule}`);
  }

  #prefix(): string {
    if (this.#parent === null) return "";
    return `${this.#parent.#prefix()}${placed(this.#name, this.#index)}.`;
  }

  has(name: string): boolean {
    return this.#at(name) !== undefined;
  }

  text(name: string): string {
    const value = this.#at(name);
    return typeof value === "string" ? value : this.#wrong(name, "a string");
  }

  integer(name: string): number {
    const value = this.#at(name);
    return Number.isSafeInteger(value) ? (value as number) : this.#wrong(name, "an integer");
  }

  count(name: string): number {
    const value = this.integer(name);
    return value >= 0 ? value : this.#wrong(name, "a count");
  }

  hex(name: string): number {
    const value = this.#at(name);
    if (typeof value !== "string" || !/^0x[0-9a-f]{1,16}$/.test(value))
      return this.#wrong(name, "lower-case hex with 0x, 16 digits at most");
    return Number(value);
  }

  bytes(name: string, length: number): Uint8Array {
    const value = this.text(name);
    if (value.length !== 2 * length) {
      this.fail(name, `expected ${length} bytes in hex, got ${value.length} digits`);
    }
    return bytesOf(value) ?? this.fail(name, "expected lower-case hex digits");
  }

  list(name: string): Fields[] {
    const value = this.#at(name);
    if (!Array.isArray(value)) return this.#wrong(name, "a list");
    return value.map((item, i) => this.#object(item, name, i));
  }

  child(name: string): Fields {
    return this.#object(this.#at(name), name);
  }

  #object(value: unknown, name: string, index = -1): Fields {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return this.#wrong(placed(name, index), "an object", value);
    }
    return new Fields(this.path, this.line, value as Record<string, unknown>, this, name, index);
  }

  /** Only what the file says: `constructor` is no member of an object that has none. */
  #at(name: string): unknown {
    return Object.hasOwn(this.#value, name) ? this.#value[name] : undefined;
  }

  #wrong(name: string, expected: string, value: unknown = this.#at(name)): never {
    this.fail(name, `expected ${expected}, got ${valueInWords(value)}`);
  }
}

function placed(name: string, index: number): string {
  return index < 0 ? name : `${name}[${index}]`;
}
