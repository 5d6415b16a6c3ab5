/**
 * JSON Lines, one line at a time, from wherever the bytes come.
 *
 * A text is never held whole: memory is bounded by one line, and both a line and the text have a limit, so that a gzip
 * bomb ends as an error message. Whatever is wrong with the bytes becomes an {@link InputError}.
 *
 * @module
 */

import { overBudget, TRACE_BUDGETS } from "./budget.ts";
import { InputError } from "./input-error.ts";
import { parseJson } from "./json-text.ts";
import { type FileEnd, type NewDigest, SealCheck } from "./seal.ts";

const LINE_FEED = 0x0a;
const NO_BYTES = new Uint8Array(0);

/** Longest line that is accepted, in bytes. The longest line of the recorded traces has three megabytes. */
const MAX_LINE_BYTES: number = 64 * 2 ** 20;

/** One line, parsed. */
export interface JsonLine {
  /** Line number from 1. */
  line: number;
  /** The object on it. */
  value: Record<string, unknown>;
}

/** Thrown by a source of bytes that cannot go on; readers add the name and the line. */
export class UnreadableError extends Error {
  /** Tells it from other errors. */
  override readonly name = "UnreadableError";
  /** The text as a whole cannot be read, wherever the reader is. */
  readonly whole: boolean;

  /**
   * @param message - what is wrong
   * @param whole - see {@link UnreadableError.whole}
   */
  constructor(message: string, whole: boolean) {
    super(message);
    this.whole = whole;
  }
}

/** Limits, smaller in tests. */
export interface JsonlLimits {
  /** Longest line in bytes. */
  lineBytes?: number;
  /** Largest uncompressed file in bytes. */
  fileBytes?: number;
}

/**
 * Read the objects of a text in order.
 *
 * @param path - name of the text, for errors
 * @param bytes - the uncompressed text in pieces of any size
 * @param limits - limits other than 64 MiB a line and 1 GiB in all; what each line holds is limited as by `parseJson`
 * @throws {@link InputError} for a text that is no UTF-8 or has a line that is not a JSON object; what reading the bytes
 * throws
 */
export async function* readJsonLines(
  path: string,
  bytes: AsyncIterable<Uint8Array>,
  limits: JsonlLimits = {},
): AsyncGenerator<JsonLine> {
  const json = new JsonReader(path);
  let line = 0;
  for await (const lines of splitLines(path, bytes, limits)) {
    for (let text = lines.next(); text !== null; text = lines.next())
      yield { line: ++line, value: json.read(line, text) };
  }
}

/** Gives the bytes of a text from its beginning, each time it is asked. */
export type ByteSource = () => AsyncIterable<Uint8Array>;

/**
 * The first line of a text. The source is left again: whoever wants the rest reads it with {@link readBody}, so that no
 * descriptor hangs on a file whose header turns out bad.
 *
 * @param path - name of the text, for errors
 * @param source - its bytes
 * @returns the object on the first line
 * @throws {@link InputError} for an unreadable text
 */
export async function readHeader(path: string, source: ByteSource): Promise<Record<string, unknown>> {
  for await (const { value } of readJsonLines(path, source())) return value;
  // readJsonLines throws for an empty text.
  throw new Error(`${path}: no first line`);
}

/** What is done about the end of a text; see `seal.ts`. */
export interface EndOptions {
  /** Begins the digest that the end line is held against; only the lines are counted without it. */
  digest?: NewDigest;
  /** Told how the text ended, once all of it is read. */
  ended?: (end: FileEnd) => void;
}

/**
 * The lines behind the header, without the end line.
 *
 * @param path - name of the text, for errors
 * @param source - its bytes
 * @param limits - as for {@link readJsonLines}
 * @param atEnd - what is done about its end
 * @throws {@link InputError} for an unreadable text, and for one that does not end as it says
 */
export async function* readBody(
  path: string,
  source: ByteSource,
  limits: JsonlLimits = {},
  atEnd: EndOptions = {},
): AsyncGenerator<JsonLine> {
  // `yield*` would wait for each line three times.
  const quick: QuickReader<never> = () => null;
  for await (const lines of readBatches(path, source, limits, atEnd, quick))
    for (const line of lines) yield line;
}

/** Reads a line from its bytes, where it is known by them; null leaves it to JSON. An end line must be left. */
export type QuickReader<T> = (line: number, bytes: Uint8Array) => T | null;

/** Lines that are there already. Who takes one after the other by {@link LineBatch.next} makes no object around each. */
export interface LineBatch<T> extends Iterable<JsonLine | T> {
  /**
   * @returns the next line, null behind the last one
   * @throws {@link InputError} as {@link readBody}
   */
  next(): JsonLine | T | null;
}

/**
 * The same in batches, each to be read before the next is asked for: who reads a line by itself waits for each.
 *
 * @param path - name of the text, for errors
 * @param source - its bytes
 * @param limits - as for {@link readJsonLines}
 * @param atEnd - what is done about its end
 * @param quick - is asked first for each line behind the header
 * @throws {@link InputError} as {@link readBody}, the batches too
 */
export async function* readBatches<T>(
  path: string,
  source: ByteSource,
  limits: JsonlLimits,
  atEnd: EndOptions,
  quick: QuickReader<T>,
): AsyncGenerator<LineBatch<T>> {
  const seal = new SealCheck(path, atEnd.digest?.() ?? null);
  const body = new Body(path, seal, quick);
  for await (const lines of splitLines(path, source(), limits)) yield body.of(lines);
  const end = seal.close();
  atEnd.ended?.(end);
}

/** What stands between the header and the end line. */
class Body<T> implements LineBatch<T> {
  readonly #seal: SealCheck;
  readonly #json: JsonReader;
  readonly #quick: QuickReader<T>;
  #lines: LineCutter | null = null;
  #line = 0;

  constructor(path: string, seal: SealCheck, quick: QuickReader<T>) {
    this.#seal = seal;
    this.#json = new JsonReader(path);
    this.#quick = quick;
  }

  /** The lines of the next piece. */
  of(lines: LineCutter): this {
    this.#lines = lines;
    return this;
  }

  next(): JsonLine | T | null {
    const lines = this.#lines as LineCutter;
    for (let bytes = lines.next(); bytes !== null; bytes = lines.next()) {
      const line = ++this.#line;
      const known = line === 1 ? null : this.#quick(line, bytes);
      const value = known === null ? this.#json.read(line, bytes) : null;
      if (!this.#seal.take(line, bytes, value)) continue;
      if (known !== null) return known;
      if (value !== null) return { line, value };
    }
    return null;
  }

  *[Symbol.iterator](): Generator<JsonLine | T> {
    for (let line = this.next(); line !== null; line = this.next()) yield line;
  }
}

class JsonReader {
  readonly #path: string;
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true });

  constructor(path: string) {
    this.#path = path;
  }

  /** The object on a line. */
  read(line: number, bytes: Uint8Array): Record<string, unknown> {
    const value = parseJson(this.#path, line, bytes, this.#utf8);
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new InputError(this.#path, line, "not a JSON object");
    }
    return value as Record<string, unknown>;
  }
}

/** Cuts a text that comes in pieces: a line that one of them begins comes with those of the piece that ends it. */
class LineCutter {
  readonly #path: string;
  readonly #limit: number;
  #chunk: Uint8Array = NO_BYTES;
  #from = 0;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** Number of the line that is read. */
  line = 1;

  constructor(path: string, limit: number) {
    this.#path = path;
    this.#limit = limit;
  }

  /** The next piece, once all lines of the last one are read. */
  give(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#from = 0;
  }

  /** The next line, null where the piece has no end of it. */
  next(): Uint8Array | null {
    const from = this.#from;
    const end = this.#chunk.indexOf(LINE_FEED, from);
    if (end < 0) {
      this.#hold(this.#chunk.subarray(from));
      this.give(NO_BYTES);
      return null;
    }
    this.#from = end + 1;
    this.line++;
    const { buffer, byteOffset } = this.#chunk;
    // Not by `subarray`: pieces of Node's buffers would be buffers, which are made slowly and have a shape of their own.
    const last = new Uint8Array(buffer, byteOffset + from, end - from);
    return this.#held.length === 0 ? last : this.#join(last);
  }

  /** What stands behind the last line feed; it is the next line then. */
  rest(): boolean {
    if (this.#heldBytes === 0) return false;
    this.give(this.#join(new Uint8Array([LINE_FEED])));
    return true;
  }

  #hold(rest: Uint8Array): void {
    if (rest.length === 0) return;
    this.#held.push(rest);
    this.#heldBytes += rest.length;
    if (this.#heldBytes > this.#limit)
      throw new InputError(this.#path, this.line, `longer than ${this.#limit} bytes`);
  }

  #join(last: Uint8Array): Uint8Array {
    const line = joined([...this.#held, last]);
    this.#held = [];
    this.#heldBytes = 0;
    return line;
  }
}

async function* splitLines(
  path: string,
  bytes: AsyncIterable<Uint8Array>,
  limits: JsonlLimits,
): AsyncGenerator<LineCutter> {
  const fileLimit = limits.fileBytes ?? TRACE_BUDGETS.bytes.standard;
  const lines = new LineCutter(path, limits.lineBytes ?? MAX_LINE_BYTES);
  let total = 0;
  try {
    for await (const chunk of bytes) {
      total += chunk.length;
      if (total > fileLimit)
        throw new InputError(path, lines.line, overBudget(TRACE_BUDGETS.bytes, fileLimit));
      lines.give(chunk);
      yield lines;
    }
  } catch (error) {
    throw error instanceof UnreadableError
      ? new InputError(path, error.whole ? 0 : lines.line, error.message)
      : error;
  }
  if (total === 0) throw new InputError(path, 1, "header: the file is empty");
  if (lines.rest()) yield lines;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
