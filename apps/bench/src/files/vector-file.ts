/**
 * Conformance vector files: a header line that names the format, then one case per line.
 *
 * @module
 */

import type { VectorHeader } from "@vmbind/gpuvm-core/conformance";
import {
  allowed,
  type Budgets,
  type ByteSource,
  type EndOptions,
  type FileEnd,
  InputError,
  type JsonLine,
  type QuickReader,
  readBatches,
  readHeader,
  TRACE_BUDGETS,
} from "@vmbind/trace";
import * as v from "valibot";
import { newDigest } from "./ends.ts";
import { fileSource } from "./file-bytes.ts";
import { issueInWords } from "./schema-issue.ts";

const headerSchema = v.strictObject({
  format: v.pipe(v.string(), v.nonEmpty()),
  version: v.literal(1),
  source: v.exactOptional(v.string()),
  notes: v.exactOptional(v.string()),
  // Another way to say what made them: kernel and what; set and file are for those who keep them.
  kernel: v.exactOptional(v.string()),
  what: v.exactOptional(v.string()),
  set: v.exactOptional(v.string()),
  file: v.exactOptional(v.string()),
  sealed: v.exactOptional(v.boolean()),
  cases: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1))),
});

type Header = v.InferOutput<typeof headerSchema> & VectorHeader;

/** An opened vector file. */
export interface VectorFile {
  /** First line. */
  header: VectorHeader;
  /** The cases with their line numbers, read as they are asked for, in batches: each to be read before the next. */
  cases: AsyncIterable<Iterable<JsonLine>>;
}

/**
 * Open a vector file.
 *
 * @param path - .jsonl or .jsonl.gz
 * @param budgets - amounts other than the standard ones
 * @param atEnd - what is done about its end line
 * @returns its header and its cases
 * @throws {@link InputError} for an unreadable file or a malformed header
 */
export async function openVectors(
  path: string,
  budgets?: Budgets,
  atEnd: EndOptions = { digest: newDigest },
): Promise<VectorFile> {
  const source = fileSource(path);
  const header = checkHeader(path, await readHeader(path, source));
  return { header, cases: casesOf(path, source, header, budgets, atEnd) };
}

/** A file without a case says nothing about anything, and one that says how many there are is held to it. */
async function* casesOf(
  path: string,
  source: ByteSource,
  header: Header,
  budgets: Budgets | undefined,
  atEnd: EndOptions,
): AsyncGenerator<Iterable<JsonLine>> {
  let cases = 0;
  let end: FileEnd | undefined;
  const ended = (how: FileEnd): void => {
    end = how;
  };
  const limits = { fileBytes: allowed(TRACE_BUDGETS.bytes, budgets) };
  function* counted(lines: Iterable<JsonLine>): Generator<JsonLine> {
    for (const line of lines) {
      cases++;
      yield line;
    }
  }
  const quick: QuickReader<never> = () => null;
  for await (const lines of readBatches(path, source, limits, { ...atEnd, ended }, quick)) {
    yield counted(lines);
  }
  if (cases === 0)
    throw new InputError(path, 0, "no case in it: the file is empty, or cut behind its header");
  if (header.cases !== undefined && header.cases !== cases)
    throw new InputError(path, 1, `header.cases: says ${header.cases}, and there are ${cases}`);
  if (end !== undefined) atEnd.ended?.(end);
}

function checkHeader(path: string, value: unknown): Header {
  const result = v.safeParse(headerSchema, withoutRemarks(value));
  if (result.success) {
    const { source, kernel, what } = result.output;
    if (source !== undefined) return { ...result.output, source };
    if (kernel !== undefined)
      return { ...result.output, source: what === undefined ? kernel : `${kernel}, ${what}` };
    throw new InputError(path, 1, "header.source: is missing, and so is header.kernel");
  }
  throw new InputError(path, 1, issueInWords("header", result.issues[0]));
}

/** A text under any other name is a remark for people. */
function withoutRemarks(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const known = Object.entries(value).filter(
    ([name, member]) => typeof member !== "string" || Object.hasOwn(headerSchema.entries, name),
  );
  return Object.fromEntries(known);
}
