/**
 * A trace as gzip, the same bytes on every version of Node.js: zlib's own differ from release to release.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import { type Trace, writeTrace } from "@vmbind/trace";
import { gzipSync } from "fflate";
import { fileBytes } from "./file-bytes.ts";
import { STANDARD_INPUT } from "./standard-input.ts";

/**
 * @param trace - the path of a file, or a trace that no file holds; its records are consumed
 * @returns the file as it is where it is gzip already; else its text, or the trace's, compressed
 */
export async function compressedTrace(trace: string | Trace): Promise<Uint8Array> {
  if (typeof trace === "string") {
    const stored = trace === STANDARD_INPUT ? null : await readFile(trace);
    if (stored?.[0] === 0x1f && stored[1] === 0x8b) return stored;
    if (stored !== null) return compressed(stored);
    const chunks: Uint8Array[] = [];
    for await (const chunk of fileBytes(trace)) chunks.push(chunk);
    return compressed(Buffer.concat(chunks));
  }
  const lines: string[] = [];
  for await (const line of writeTrace(trace.header, trace.records)) lines.push(line);
  return compressed(new TextEncoder().encode(lines.join("")));
}

function compressed(bytes: Uint8Array): Uint8Array {
  return gzipSync(bytes, { level: 9, mtime: 0 });
}
