/**
 * Checking the first line of a file with valibot.
 *
 * @module
 */

import * as v from "valibot";
import { InputError } from "./input-error.ts";
import { type JsonLine, readJsonLines } from "./jsonl.ts";

/** A field of 64 bits that a file writes as hex: `"0x4000"`, exact as a number. */
export const hexNumber: v.GenericSchema<string, number> = v.pipe(
  v.string(),
  v.regex(/^0x[0-9a-f]{1,16}$/, "Expected lower-case hex with 0x"),
  v.transform(Number),
);

const KINDS_OF_MEMORY = ["contiguous", "huge", "scattered"] as const;

/** How objects' memory is spread. Not in recordings: traces that `vmbind fuzz` writes may say it. */
export const fragmentation: v.ExactOptionalSchema<
  v.PicklistSchema<typeof KINDS_OF_MEMORY, undefined>,
  undefined
> = v.exactOptional(v.picklist(KINDS_OF_MEMORY));

/**
 * The names of the defects that a driver is to have, given as its options. Not in recordings: traces that `vmbind fuzz`
 * writes may say them.
 *
 * @param none - the driver's quirks, all off
 */
export function quirksSchema<Q extends object>(none: Q): v.GenericSchema<string[], Q> {
  return v.pipe(
    v.array(v.picklist(Object.keys(none))),
    v.transform((names): Q => ({ ...none, ...Object.fromEntries(names.map((name) => [name, true])) })),
  );
}

/**
 * Check a header.
 *
 * @param schema - what it must look like
 * @param file - path, for the error
 * @param value - the parsed first line
 * @returns the header as the schema gives it
 * @throws {@link InputError} naming the first field that breaks a rule
 */
export function parseHeader<T>(schema: v.GenericSchema<unknown, T>, file: string, value: unknown): T {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const field = v.getDotPath(issue);
  throw new InputError(file, 1, `header${field ? `.${field}` : ""}: ${issue.message}`);
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

/**
 * The lines behind the header.
 *
 * @param path - name of the text, for errors
 * @param source - its bytes
 * @throws {@link InputError} for an unreadable text
 */
export async function* readBody(path: string, source: ByteSource): AsyncGenerator<JsonLine> {
  for await (const line of readJsonLines(path, source())) if (line.line > 1) yield line;
}
