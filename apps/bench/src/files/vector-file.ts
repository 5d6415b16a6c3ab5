/**
 * Conformance vector files: a header line that names the format, then one case per line.
 *
 * @module
 */

import type { VectorHeader } from "@vmbind/gpuvm-core/conformance";
import { InputError, type JsonLine, readBody, readHeader } from "@vmbind/trace";
import * as v from "valibot";
import { fileBytes } from "./file-bytes.ts";

const headerSchema = v.looseObject({
  format: v.pipe(v.string(), v.nonEmpty()),
  version: v.pipe(v.number(), v.integer()),
  source: v.string(),
  notes: v.exactOptional(v.string()),
});

/** An opened vector file. */
export interface VectorFile {
  /** First line. */
  header: VectorHeader;
  /** The cases with their line numbers, read as they are asked for. */
  cases: AsyncIterable<JsonLine>;
}

/**
 * Open a vector file.
 *
 * @param path - .jsonl or .jsonl.gz
 * @returns its header and its cases
 * @throws {@link InputError} for an unreadable file or a malformed header
 */
export async function openVectors(path: string): Promise<VectorFile> {
  const header = checkHeader(path, await readHeader(path, () => fileBytes(path)));
  return { header, cases: readBody(path, () => fileBytes(path)) };
}

function checkHeader(path: string, value: unknown): VectorHeader {
  const result = v.safeParse(headerSchema, value);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const field = v.getDotPath(issue);
  throw new InputError(path, 1, `header${field ? `.${field}` : ""}: ${issue.message}`);
}
