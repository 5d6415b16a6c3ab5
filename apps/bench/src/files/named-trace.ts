/**
 * The recordings that cases of vector files name: in a folder that was given, where vectors and traces stand side by side, or among
 * those that ship.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Budgets, InputError, type TraceRecord } from "@vmbind/trace";
import { bundledTraces, openTrace } from "./trace-files.ts";

/** Where vectors of a driver have their traces: beside the folder of all vectors. */
const BESIDE = join("..", "..", "traces");

/**
 * Read a recording.
 *
 * @param name - as a case has it, without a suffix
 * @param vectors - path of the vector file
 * @param folder - where recordings are; undefined for `../../traces` of the vector file, then those that ship
 * @param line - of the case, for the message
 * @param budgets - amounts of work that it may ask for, other than the standard ones
 * @returns everything behind its header
 * @throws InputError where there is no such recording, or it cannot be read
 */
export async function namedTrace(
  name: string,
  vectors: string,
  folder: string | undefined,
  line: number,
  budgets?: Budgets,
): Promise<readonly TraceRecord[]> {
  const where = folder ?? join(dirname(vectors), BESIDE);
  const paths = [".jsonl.gz", ".jsonl"].map((suffix) => join(where, name + suffix));
  const found = paths.find((path) => existsSync(path));
  const ships = folder === undefined && bundledTraces().includes(name);
  if (found === undefined && !ships) {
    const others = folder === undefined ? ", and none of this name ships; --traces says where it is" : "";
    throw new InputError(vectors, line, `trace: no recording ${name} in ${where}${others}`);
  }
  const records: TraceRecord[] = [];
  for await (const record of (await openTrace(found ?? name, budgets)).records) records.push(record);
  return records;
}
