/**
 * Splitting a sweep over machines: each measures its share of the points, and the files that they leave merge into the
 * sweep as one machine would have made it.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import { mergeShards, type Shard, type Sweep } from "@vmbind/lab";
import { InputError } from "@vmbind/trace";
import { UsageError } from "../errors.ts";

/** Most shards of a sweep. */
const SHARDS_MAX = 1000;

/**
 * @param option - value of `--shard`
 * @throws {@link UsageError} for anything but `I/N` with I from 1 to N
 */
export function parseShard(option: string): Shard {
  const found = /^([0-9]{1,4})\/([0-9]{1,4})$/.exec(option);
  const shard = { index: Number(found?.[1]), of: Number(found?.[2]) };
  if (found && shard.index >= 1 && shard.index <= shard.of && shard.of <= SHARDS_MAX) return shard;
  throw new UsageError(
    `--shard: expected I/N with I from 1 to N and N at most ${SHARDS_MAX}, got ${JSON.stringify(option)}`,
  );
}

/**
 * Put shards together.
 *
 * @param paths - what `vmbind sweep --shard` printed, one file a shard, in any order
 * @returns what the whole sweep would have printed
 * @throws {@link InputError} for a file that cannot be read, is no shard, or does not belong to the others
 */
export async function mergeFiles(paths: readonly string[]): Promise<Sweep> {
  return mergeShards(await Promise.all(paths.map(async (path) => ({ path, value: await readJson(path) }))));
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) throw new InputError(path, 0, `not JSON: ${error.message}`);
    const { code, message } = error as NodeJS.ErrnoException;
    throw new InputError(path, 0, code === "ENOENT" ? "no such file" : message);
  }
}
