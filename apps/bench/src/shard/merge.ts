/**
 * Putting shards together: which files there are, whether they belong to one another, and which are missing.
 *
 * Files come from machines that nobody watched. One that is there twice with the same results is no harm; one that is cut, damaged or
 * missing is named with the command that makes it again, alone; shards of another command, program or input are refused by name.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";
import { counted } from "@vmbind/drm";
import { InputError } from "@vmbind/trace";
import { typed } from "./command-line.ts";
import type { Merged, PartOutcome } from "./division.ts";
import type { ShardFile, ShardHeader } from "./shard-file.ts";
import { inWords } from "./whose.ts";

/** Some shards have to be run, or run again. */
export interface Incomplete {
  /** What there is of each, and how to make it, a line each. */
  readonly missing: readonly string[];
}

/** All shards of a command. */
export interface Complete {
  /** What they belong to. */
  readonly header: ShardHeader;
  /** What they have done. */
  readonly merged: Merged;
  /** Files that nothing is needed of, and why, a line each. */
  readonly spare: readonly string[];
}

/**
 * Put shards together.
 *
 * @param files - in any order; at least one
 * @returns all that they have done, or which are missing
 * @throws {@link InputError} for a file that does not belong to the others, and for two of the same shard that differ
 */
export function mergeShards(files: readonly ShardFile[]): Complete | Incomplete {
  const first = files[0] as ShardFile;
  for (const file of files) holdBelongs(file, first);
  const whole = new Map<number, ShardFile>();
  const spare: string[] = [];
  for (const file of files) {
    const { index } = file.header.shard;
    const before = whole.get(index);
    if (file.outcomes === null) continue;
    if (before === undefined) whole.set(index, file);
    else if (isDeepStrictEqual(before.outcomes, file.outcomes))
      spare.push(`${file.path} is shard ${inWords(file.header.shard)} again, as ${before.path} is`);
    else throw new InputError(file.path, 0, differing(before, file));
  }
  const lost = files.filter(({ outcomes }) => outcomes === null);
  const { of } = first.header.shard;
  const missing: string[] = [];
  for (let index = 1; index <= of; index++) {
    if (whole.has(index)) continue;
    const cut = lost.find(({ header }) => header.shard.index === index);
    missing.push(missingLine(first.header, index, cut));
  }
  if (missing.length > 0) return { missing };
  spare.push(...lost.map(({ path, fault }) => `${path} is not needed: ${fault}`));
  const outcomes = new Map<string, PartOutcome>();
  for (const file of whole.values())
    for (const [id, outcome] of file.outcomes ?? []) outcomes.set(id, outcome);
  return {
    header: first.header,
    merged: { kind: "merged", path: first.path, inputs: first.header.inputs, outcomes },
    spare,
  };
}

/** `shard 3/16 is missing; to run it alone: vmbind sweep --json --shard 3/16 > shard-3.jsonl` */
function missingLine({ command, words, shard: { of } }: ShardHeader, index: number, cut?: ShardFile): string {
  const shard = inWords({ index, of });
  const what = cut === undefined ? "is missing" : `is not whole in ${cut.path}: ${cut.fault}`;
  const again = typed(["vmbind", command, "--shard", shard, ...words]);
  return `shard ${shard} ${what}; to run it alone: ${again} > ${typed([cut?.path ?? `shard-${index}.jsonl`])}`;
}

/** Same command, same program, same inputs, and as many shards. */
function holdBelongs({ path, header }: ShardFile, { path: to, header: first }: ShardFile): void {
  const refuse = (rule: string): never => {
    throw new InputError(path, 1, rule);
  };
  if (header.command !== first.command) {
    refuse(`header.command: ${header.command}, but ${to} is a shard of ${first.command}`);
  }
  if (!isDeepStrictEqual(header.words, first.words)) {
    refuse(`header.words: ${shown(header)}, but ${to} is of ${shown(first)}`);
  }
  if (header.shard.of !== first.shard.of) {
    refuse(`header.shard.of: ${header.shard.of}, but ${to} is one of ${first.shard.of}`);
  }
  if (header.program !== first.program) {
    refuse(`header.program: vmbind ${header.program}, but ${to} is of ${first.program}`);
  }
  if (header.code !== first.code) {
    refuse(`header.code: another build of vmbind ${header.program} than that of ${to}`);
  }
  const paths = new Set([...header.inputs, ...first.inputs].map((input) => input.path));
  for (const input of paths) {
    const [here, there] = [header, first].map(
      ({ inputs }) => inputs.find((one) => one.path === input)?.sha256,
    );
    if (here !== there) refuse(`header.inputs: ${input} was another file than for ${to}`);
  }
  if (header.plan !== first.plan) refuse(`header.plan: other parts than those of ${to}`);
}

function shown({ command, words }: ShardHeader): string {
  return typed(["vmbind", command, ...words]);
}

/** What is the first part that two shards do not agree about. */
function differing(before: ShardFile, file: ShardFile): string {
  const ids = [...new Set([...(before.outcomes?.keys() ?? []), ...(file.outcomes?.keys() ?? [])])];
  const others = ids.filter((id) => !isDeepStrictEqual(before.outcomes?.get(id), file.outcomes?.get(id)));
  const shard = inWords(file.header.shard);
  return `shard ${shard} is in ${before.path}, too, and they differ in ${counted(others.length, "part")}: ${others[0]}`;
}
