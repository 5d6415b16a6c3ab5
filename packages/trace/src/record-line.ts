/**
 * The lines of ioctls and of marks, read from their bytes as recorders write them: JSON without blanks, members in one of
 * three orders, and no escapes. Nearly all of a trace stands in such lines, and most of it is hex digits, which would become a
 * text first.
 *
 * What is written in any other way, or breaks a rule, is left to JSON (`read.ts`), which reads it the long way or says what
 * is wrong: this reader has no errors of its own. A property test holds the two together.
 *
 * @module
 */

import { decodeHex, hexDigit } from "./hex-bytes.ts";
import type {
  RecordLife,
  TraceArray,
  TraceExec,
  TraceIoctl,
  TraceLanding,
  TraceMark,
  TraceRecord,
  TraceStore,
} from "./record.ts";

const NO_BYTES = new Uint8Array(0);

const BLANK = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const BACKSLASH = 0x5c;
const DELETE = 0x7f;

/** Digits that a double holds in any case. */
const DECIMAL_DIGITS = 15;
const HEX_DIGITS = 16;

/** So many arrays or stores, and JSON decides whether it is too much for a line. */
const LIST_MAX = 2 ** 16;

/** Arguments and small arrays of many lines share a buffer: one each would cost more than what it holds. */
const SHARED_BYTES = 2 ** 16;
const SHARED_MAX = 2 ** 12;

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

const MARK = ascii('{"mark":"');
const VM = ascii(',"vm":');
const BATCH = ascii(',"batch":{"va":"0x');
const STORES = ascii('},"stores":[');
const STORE = ascii('{"va":"0x');
const VALUE = ascii('","value":"0x');
const TO = ascii('","to":"');
const GEM_SEQ = ascii(',"gem_seq":');
const OFFSET = ascii(',"offset":"0x');
const LIST_END = ascii("]}");
const SEQ = ascii('{"seq":');
const FILE = ascii(',"file":');
const IOCTL = ascii(',"ioctl":"');
const REQUEST = ascii(',"request":"0x');
const ARG_IN = ascii('","arg_in":"');
const PTRS = ascii('","ptrs":[');
const FIELD = ascii('{"field":"');
const ADDR = ascii(',"addr":"0x');
const COUNT = ascii('","count":');
const STRIDE = ascii(',"stride":');
const DATA = ascii(',"data":"');
const TEXT_END = ascii('"}');
const QUOTE_END = ascii('"');
const OBJECT_END = ascii("}");
const RET = ascii('],"ret":');
const ARG_OUT = ascii(',"arg_out":"');

/** A text and its bytes. */
interface Name {
  readonly bytes: Uint8Array;
  readonly text: string;
}

const NAMES = 256;
/** Longer ones are for JSON to read. */
const NAME_MAX = 256;

/** Reads the lines of traces. */
export class RecordLines {
  readonly #passing: boolean;
  #bytes: Uint8Array = NO_BYTES;
  /** The next byte that is not read yet. */
  #at = 0;
  /** Something was not as expected; what is read from there on means nothing. */
  #other = false;
  /** Room for arguments and arrays, used up to {@link RecordLines.#used}. */
  #shared: Uint8Array = NO_BYTES;
  #used = 0;
  /** Names that were read before, by their hash: few, written over and over. */
  readonly #names: (Name | undefined)[] = new Array<Name | undefined>(NAMES).fill(undefined);

  /** @param life - of the records that it gives; `kept` unless told */
  constructor(life: RecordLife = "kept") {
    this.#passing = life === "passing";
  }

  /**
   * @param line - its number, from 1
   * @param bytes - the line without its line feed
   * @param seq - the number that it must have if it is a call
   * @returns the record, null for a line that JSON has to read
   */
  read(line: number, bytes: Uint8Array, seq: number): TraceRecord | null {
    this.#bytes = bytes;
    this.#at = 0;
    this.#other = false;
    if (this.#passing) this.#used = 0;
    const record = this.#skips(MARK) ? this.#mark(line) : this.#ioctl(line, seq);
    // The text is not held: a line may be the last one of its trace.
    this.#bytes = NO_BYTES;
    return this.#other || this.#at !== bytes.length ? null : record;
  }

  #mark(line: number): TraceMark {
    const mark = this.#text();
    const exec = mark === "exec" && this.#skips(VM) ? this.#exec() : null;
    if (exec === null) this.#skip(OBJECT_END);
    return { kind: "mark", line, mark, exec };
  }

  /** What a job did. */
  #exec(): TraceExec {
    const vm = this.#decimal();
    this.#skip(BATCH);
    const batch = this.#landing(this.#hex());
    this.#skip(STORES);
    const stores: TraceStore[] = [];
    if (this.#skips(LIST_END)) return { vm, batch, stores };
    for (;;) {
      this.#skip(STORE);
      stores.push(this.#store());
      if (this.#other || stores.length === LIST_MAX || this.#bytes[this.#at] !== COMMA) break;
      this.#at++;
    }
    this.#skip(LIST_END);
    return { vm, batch, stores };
  }

  #store(): TraceStore {
    const va = this.#hex();
    this.#skip(VALUE);
    const value = this.#hex();
    const { to, gemSeq, offset } = this.#landing(va);
    this.#skip(OBJECT_END);
    return { va, to, gemSeq, offset, value };
  }

  /** Where an access to an address ends. */
  #landing(va: number): TraceLanding {
    this.#skip(TO);
    const to = this.#place();
    if (to !== "bo") return { va, to, gemSeq: -1, offset: 0 };
    this.#skip(GEM_SEQ);
    const gemSeq = this.#decimal();
    this.#skip(OFFSET);
    const offset = this.#hex();
    this.#skip(QUOTE_END);
    return { va, to, gemSeq, offset };
  }

  #place(): TraceLanding["to"] {
    const to = this.#text();
    if (to === "bo" || to === "null" || to === "scratch" || to === "fault") return to;
    this.#other = true;
    return "fault";
  }

  #ioctl(line: number, seq: number): TraceIoctl | null {
    if (!this.#skips(SEQ) || this.#decimal() !== seq) return null;
    let file = this.#skips(FILE) ? this.#decimal() : 0;
    this.#skip(IOCTL);
    const ioctl = this.#text();
    if (this.#skips(FILE)) file = this.#decimal();
    this.#skip(REQUEST);
    const request = this.#hex();
    if (this.#other || request > 0xffffffff) return null;
    const size = (request >>> 16) & 0x3fff;
    this.#skip(ARG_IN);
    const argInAt = this.#at;
    const argIn = this.#data(size);
    this.#skip(PTRS);
    const arrays = this.#arrays();
    this.#skip(RET);
    const ret = this.#ret();
    this.#skip(ARG_OUT);
    const argOut = this.#repeats(argInAt, 2 * size) ? argIn : this.#data(size);
    this.#skip(TEXT_END);
    return { kind: "ioctl", line, seq, ioctl, file, request, argIn, argOut, arrays, ret };
  }

  #arrays(): TraceArray[] {
    const arrays: TraceArray[] = [];
    while (this.#skips(FIELD)) {
      const field = this.#text();
      this.#skip(ADDR);
      const addr = this.#hex();
      this.#skip(COUNT);
      const count = this.#decimal();
      this.#skip(STRIDE);
      const stride = this.#decimal();
      this.#skip(DATA);
      const data = this.#data(count * stride);
      this.#skip(TEXT_END);
      if (this.#other || arrays.length === LIST_MAX) break;
      arrays.push({ field, addr, count, stride, data });
      if (this.#bytes[this.#at] !== COMMA) return arrays;
      this.#at++;
    }
    // An empty list, or a comma with nothing behind it.
    if (arrays.length > 0) this.#other = true;
    return arrays;
  }

  /** Whether this stands next; if so it is read. */
  #skips(expected: Uint8Array): boolean {
    if (!startsAt(this.#bytes, this.#at, expected)) return false;
    this.#at += expected.length;
    return true;
  }

  #skip(expected: Uint8Array): void {
    if (!this.#skips(expected)) this.#other = true;
  }

  /** Whether the digits that begin at `from` stand here once more; if so they are read. */
  #repeats(from: number, length: number): boolean {
    const bytes = this.#bytes;
    const at = this.#at;
    for (let i = 0; i < length; i++) if (bytes[at + i] !== bytes[from + i]) return false;
    this.#at = at + length;
    return true;
  }

  /** A whole number from 0, without the zeros in front of it that JSON does not allow. */
  #decimal(): number {
    const bytes = this.#bytes;
    const from = this.#at;
    let at = from;
    let value = 0;
    for (; at < bytes.length; at++) {
      const digit = (bytes[at] as number) - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    const digits = at - from;
    if (digits === 0 || digits > DECIMAL_DIGITS || (digits > 1 && bytes[from] === ZERO)) this.#other = true;
    this.#at = at;
    return value;
  }

  /** 0 or a negative errno. */
  #ret(): number {
    const negative = this.#bytes[this.#at] === MINUS;
    if (negative) this.#at++;
    const value = this.#decimal();
    // A call that returns a positive number breaks a rule, and -0 is for JSON to know.
    if (negative !== value > 0) this.#other = true;
    return negative ? -value : 0;
  }

  /** The digits behind 0x: rounded once where a double cannot hold them. */
  #hex(): number {
    const bytes = this.#bytes;
    const from = this.#at;
    let at = from;
    let high = 0;
    let low = 0;
    for (; at < bytes.length; at++) {
      const digit = hexDigit(bytes[at] as number);
      if (digit > 15) break;
      high = high * 16 + (low >>> 28);
      low = ((low << 4) | digit) >>> 0;
    }
    const digits = at - from;
    if (digits === 0 || digits > HEX_DIGITS) this.#other = true;
    this.#at = at;
    return high * 2 ** 32 + low;
  }

  /** `length` bytes, two digits each. */
  #data(length: number): Uint8Array {
    const bytes = this.#bytes;
    const at = this.#at;
    if (this.#other || !(at + 2 * length <= bytes.length)) {
      this.#other = true;
      return NO_BYTES;
    }
    const data = this.#room(length);
    if (!decodeHex(bytes, at, data)) this.#other = true;
    this.#at = at + 2 * length;
    return data;
  }

  #room(length: number): Uint8Array {
    if (length > SHARED_MAX && !this.#passing) return new Uint8Array(length);
    if (this.#used + length > this.#shared.length) {
      // What this record has so far stays where it is.
      this.#shared = new Uint8Array(SHARED_BYTES + length);
      this.#used = 0;
    }
    // Made faster than by `subarray`, which asks the array what to make.
    const room = new Uint8Array(this.#shared.buffer, this.#used, length);
    // Numbers of 64 bits stay where their size asks for.
    this.#used = (this.#used + length + 7) & ~7;
    return room;
  }

  /** A text up to its quote, which is read, too. */
  #text(): string {
    const bytes = this.#bytes;
    const from = this.#at;
    let end = from;
    let hash = 0;
    for (; end < bytes.length && end - from < NAME_MAX; end++) {
      const byte = bytes[end] as number;
      if (byte === QUOTE || byte === BACKSLASH || byte < BLANK || byte >= DELETE) break;
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    if (bytes[end] !== QUOTE) {
      this.#other = true;
      return "";
    }
    const known = this.#names[hash & (NAMES - 1)];
    this.#at = end + 1;
    if (known !== undefined && known.bytes.length === end - from && startsAt(bytes, from, known.bytes)) {
      return known.text;
    }
    const name = bytes.slice(from, end);
    const text = Reflect.apply(String.fromCharCode, undefined, name);
    this.#names[hash & (NAMES - 1)] = { bytes: name, text };
    return text;
  }
}

function startsAt(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
  return true;
}
