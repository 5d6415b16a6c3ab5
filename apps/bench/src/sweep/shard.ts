/**
 * Splitting a sweep over machines: each measures its share of the points, and the files that they leave merge into the
 * sweep as one machine would have made it.
 *
 * @module
 */

import { mergeShards, type Shard, type ShardSource, type SparseStrategy, type Sweep } from "@vmbind/lab";
import { UsageError } from "../errors.ts";
import { filesOf, JSON_FILES } from "../files/folders.ts";
import { readJsonFile } from "../files/json-file.ts";
import { asKind } from "../files/kinds.ts";

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
 * @param paths - what `vmbind sweep --shard` printed, one file a shard, in any order; folders for all JSON files in them
 * @param known - strategies that the shards may be of
 * @returns what the whole sweep would have printed
 * @throws InputError for a file that cannot be read, is no shard, or does not belong to the others
 */
export async function mergeFiles(paths: readonly string[], known: readonly SparseStrategy[]): Promise<Sweep> {
  const files = paths.flatMap((path) => filesOf(path, JSON_FILES));
  return mergeShards(await Promise.all(files.map(readShard)), known);
}

function readShard(path: string): Promise<ShardSource> {
  return asKind("sweep", path, async () => ({ path, value: await readJsonFile(path) }));
}
