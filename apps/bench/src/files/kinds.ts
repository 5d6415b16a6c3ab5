/**
 * Which kind of file somebody has given: the wrong one for this command is the right one for another.
 *
 * @module
 */

import { InputError } from "@vmbind/trace";
import { fileBytes } from "./file-bytes.ts";

/** What files can be. */
export type FileKind = "trace" | "vectors" | "workload" | "sweep" | "shard" | "micro" | "measured";

/** By `format`; every other format is one of vectors. */
const KINDS: ReadonlyMap<string, FileKind> = new Map<string, FileKind>([
  ["drm-ioctl-trace", "trace"],
  ["vmbind-workload", "workload"],
  ["vmbind-sweep", "sweep"],
  ["vmbind-shard", "shard"],
  ["vmbind-micro", "micro"],
  ["sparse-device-measurement", "measured"],
]);

const SAYS: Readonly<Record<FileKind, string>> = {
  trace: "this is a trace: `vmbind replay`, `vmbind explain`, `vmbind explore`",
  vectors: "these are conformance vectors: `vmbind verify`",
  workload: "this is a workload: `vmbind lower`, `vmbind compare --workload`",
  micro: "these are figures of microbenchmarks: `vmbind micro --compare`",
  measured: "this is what a device measured: `vmbind compare --measured`",
  sweep: "this is a sweep: `vmbind sweep` makes it, and nothing reads it",
  shard: "this is a shard: `vmbind merge`",
};

/** Enough of a file to know it by, in bytes. */
const BEGINNING = 4096;

/**
 * Read a file as one kind; where that fails because it is another kind, say which.
 *
 * @param kind - what is wanted
 * @param path - of the file
 * @param read - reads it
 * @returns what `read` returns
 * @throws {@link InputError} of `read`, or naming the kind that the file is, and the command for it
 */
export async function asKind<T>(kind: FileKind, path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const found = await kindOf(path);
    if (found === null || found === kind) throw error;
    throw new InputError(path, 0, SAYS[found]);
  }
}

/**
 * @param path - of a file
 * @returns what it says it is; null for what says nothing, or cannot be read
 */
export async function kindOf(path: string): Promise<FileKind | null> {
  const text = await beginningOf(path);
  const format = /"format"\s*:\s*"([^"\\]{1,64})"/.exec(text)?.[1];
  if (format === undefined) return null;
  return KINDS.get(format) ?? (/^\s*\{[^\n]*"source"/.test(text) ? "vectors" : null);
}

async function beginningOf(path: string): Promise<string> {
  let text = "";
  try {
    for await (const chunk of fileBytes(path)) {
      text += Buffer.from(chunk.subarray(0, BEGINNING)).toString("latin1");
      if (text.length >= BEGINNING) break;
    }
  } catch {
    // Whatever can be read of it says enough.
  }
  return text;
}
