/**
 * What sparse binding took on real devices, as the client that measures prints it: a header that names the device, then one row for
 * each measurement.
 *
 * @module
 */

import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { InputError, readBody, readHeader, valueInWords } from "@vmbind/trace";
import * as v from "valibot";
import type { MeasuredDevice, MeasuredRow } from "../report/input.ts";
import { newDigest } from "./ends.ts";
import { fileBytes } from "./file-bytes.ts";
import { asKind } from "./kinds.ts";
import { issueInWords } from "./schema-issue.ts";

/** Those that ship. */
const MEASURED = fileURLToPath(new URL("../../measured/", import.meta.url));

/** Largest file, bytes: a file has some hundred short rows. */
const FILE_BYTES_MAX = 2 ** 22;

const text = v.pipe(
  v.string("expected a text"),
  v.nonEmpty("expected a text"),
  v.maxLength(2000, "expected at most 2000 characters"),
);
const amount = v.pipe(v.number("expected a number"), v.minValue(0, "expected 0 or more"));
const size = v.pipe(amount, v.integer("expected whole bytes"), v.minValue(1, "expected 1 or more"));

const headerSchema = v.strictObject({
  format: v.literal("sparse-device-measurement"),
  version: v.literal(1, "expected version 1"),
  device: text,
  driver: text,
  date: v.pipe(v.string(), v.isoDate("expected a date, YYYY-MM-DD")),
  tile_bytes: size,
  big_buffer_bytes: v.exactOptional(size),
  facts: v.exactOptional(
    v.record(v.string(), v.union([v.number(), v.string()], "expected a number or a text")),
  ),
  image_granularity_rgba8: v.exactOptional(v.tuple([size, size, size])),
  notes: v.exactOptional(text),
});

/** Amounts of a row in microseconds and others: numbers, or lists of numbers of one length. */
const rowSchema = v.objectWithRest(
  { row: text, kind: v.exactOptional(text) },
  v.union([amount, v.array(amount)], "expected a number or a list of numbers"),
);

/** @returns what was measured on the devices that ship */
export async function bundledMeasurements(): Promise<MeasuredDevice[]> {
  const names = readdirSync(MEASURED).filter((name) => name.endsWith(".jsonl"));
  return Promise.all(
    names
      .sort()
      .reverse()
      .map((name) => readMeasured(MEASURED + name)),
  );
}

/**
 * Read a file of measurements.
 *
 * @param path - .jsonl or .jsonl.gz
 * @returns the device and its rows
 * @throws {@link InputError} for an unreadable file, and for a header or row that breaks the format
 */
export function readMeasured(path: string): Promise<MeasuredDevice> {
  return asKind("measured", path, async () => {
    const header = check(path, 1, "header", headerSchema, await readHeader(path, () => fileBytes(path)));
    const rows: MeasuredRow[] = [];
    const limits = { fileBytes: FILE_BYTES_MAX };
    for await (const { line, value } of readBody(path, () => fileBytes(path), limits, {
      digest: newDigest,
    })) {
      rows.push(rowOf(path, line, value));
    }
    if (rows.length === 0) throw new InputError(path, 0, "no row in it: the file is cut behind its header");
    const { device, driver, date, tile_bytes: tileBytes, notes } = header;
    return { device, driver, date, tileBytes, facts: header.facts ?? {}, ...(notes ? { notes } : {}), rows };
  });
}

function rowOf(path: string, line: number, value: unknown): MeasuredRow {
  const { row, kind, ...amounts } = check(path, line, "row", rowSchema, value);
  const lists = Object.values(amounts).filter((of) => Array.isArray(of));
  if (new Set(lists.map(({ length }) => length)).size > 1) {
    throw new InputError(path, line, `${valueInWords(row)}: its lists are not of one length`);
  }
  return { row, ...(kind === undefined ? {} : { kind }), amounts };
}

function check<T extends v.GenericSchema>(
  path: string,
  line: number,
  what: string,
  schema: T,
  value: unknown,
): v.InferOutput<T> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  throw new InputError(path, line, issueInWords(what, result.issues[0]));
}
