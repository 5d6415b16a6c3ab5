/**
 * What a shard leaves: a file of JSON Lines that says who made it and of what, then what came of each part, and ends with a seal as
 * traces do, so that one of a task that died is told from a whole one.
 *
 * ```json
 * {"format":"vmbind-shard","version":1,"program":"0.1.0","code":"1f0c...","command":"sweep","words":["--json"],"shard":{"index":1,"of":3},
 *  "inputs":[],"plan":"83aa...","parts":41,"sealed":true}
 * {"part":"point 5e1b...","value":{...}}
 * {"end":"complete","lines":41,"sha256":"9f86..."}
 * ```
 *
 * Nothing in it tells when or where it was made: a shard that is run again gives the same bytes.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { InputError, readBody, readHeader, Seal } from "@vmbind/trace";
import * as v from "valibot";
import { codeDigest } from "../cache/code-digest.ts";
import { newDigest } from "../files/ends.ts";
import { fileBytes } from "../files/file-bytes.ts";
import { issueInWords } from "../files/schema-issue.ts";
import { programVersion } from "../files/version.ts";
import type { Io } from "../io.ts";
import { dealt } from "./balance.ts";
import type { InputDigest, OneShard, Part, PartOutcome } from "./division.ts";
import { inWords, type Shard } from "./whose.ts";

const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "expected 64 hex digits"));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const headerSchema = v.strictObject({
  format: v.literal("vmbind-shard", 'expected "vmbind-shard"'),
  version: v.literal(1, "expected 1"),
  program: v.string(),
  code: digest,
  command: v.string(),
  words: v.array(v.string()),
  shard: v.pipe(
    v.strictObject({ index: v.pipe(count, v.minValue(1)), of: count }),
    v.check(({ index, of }) => index <= of, "index: expected at most `of`"),
  ),
  inputs: v.array(v.strictObject({ path: v.string(), sha256: v.nullable(digest) })),
  plan: digest,
  parts: count,
  sealed: v.literal(true, "expected true"),
});
const partSchema = v.union(
  [
    v.strictObject({ part: v.string(), value: v.unknown() }),
    v.strictObject({
      part: v.string(),
      failure: v.strictObject({
        name: v.picklist(["InputError", "RefusedError", "WorkloadError"]),
        message: v.string(),
        file: v.string(),
        line: count,
      }),
    }),
    v.strictObject({ part: v.string(), broke: v.strictObject({ message: v.string(), line: count }) }),
  ],
  "expected part, and value, failure or broke",
);

/** First line of a shard's file. */
export interface ShardHeader {
  /** Names the format. */
  format: "vmbind-shard";
  /** Version of the format. */
  version: 1;
  /** Version of the program. */
  program: string;
  /** Digest of the program's code, see `codeDigest`. */
  code: string;
  /** Name of the command. */
  command: string;
  /** The words behind it, as `wordsOf` makes them. */
  words: string[];
  /** Which shard. */
  shard: Shard;
  /** Files that all of the work depends on. */
  inputs: InputDigest[];
  /** Digest of the ids of all parts of the command. */
  plan: string;
  /** How many parts are in this file. */
  parts: number;
  /** Promises an end line. */
  sealed: true;
}

/** A shard's file, read. */
export interface ShardFile {
  /** Where it lies. */
  readonly path: string;
  /** First line. */
  readonly header: ShardHeader;
  /** What came of its parts, by id; null for a file that is cut, broken or longer than it says. */
  readonly outcomes: ReadonlyMap<string, PartOutcome> | null;
  /** What is wrong with it; empty for a whole one. */
  readonly fault: string;
}

/** What a shard is made of. */
export interface ShardPlan {
  /** All parts of the command, in the same order on every machine. */
  readonly parts: readonly Part[];
  /** What they depend on. */
  readonly inputs: readonly InputDigest[];
}

let code: string | undefined;

/** @returns digest of this program, see `codeDigest` */
export function ownCode(): string {
  code ??= codeDigest();
  return code;
}

/**
 * @param one - which shard
 * @param parts - all parts of the command
 * @returns numbers of those that are this shard's
 */
export function ownParts({ given: { shard } }: OneShard, parts: readonly Part[]): number[] {
  const shards = dealt(
    parts.map(({ work }) => work),
    shard.of,
  );
  return parts.flatMap((_, i) => (shards[i] === shard.index ? [i] : []));
}

/**
 * Write what comes of a shard to standard output, the header before any of it is there; and say on standard error which shard it is.
 *
 * @param one - which
 * @param plan - the whole of which it is a part
 * @param mine - numbers of its parts, from {@link ownParts}
 * @param outcomes - of those parts, in their order
 * @param io - where to write
 */
export async function writeShard(
  one: OneShard,
  { parts, inputs }: ShardPlan,
  mine: readonly number[],
  outcomes: Iterable<Promise<PartOutcome>>,
  io: Io,
): Promise<void> {
  const { shard, from } = one.given;
  const share = sumOf(mine.map((i) => parts[i] as Part)) / (sumOf(parts) || 1);
  io.err(
    `vmbind ${one.command}: shard ${inWords(shard)} (${from}): ${mine.length} of ${parts.length} parts, ` +
      `${(100 * share).toFixed(1)} % of the estimated work; standard output is a file for vmbind merge\n`,
  );
  const header: ShardHeader = {
    format: "vmbind-shard",
    version: 1,
    program: await programVersion(),
    code: ownCode(),
    command: one.command,
    words: [...one.words],
    shard: { ...shard },
    inputs: [...inputs],
    plan: planOf(parts),
    parts: mine.length,
    sealed: true,
  };
  const seal = new Seal(newDigest());
  const line = (value: object): void => io.out(seal.add(`${ascii(value)}\n`));
  line(header);
  io.flush();
  let next = 0;
  for (const running of outcomes) {
    const { id } = parts[mine[next++] as number] as Part;
    line({ part: id, ...kept(id, await running) });
  }
  io.out(seal.end());
}

function sumOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { work }) => sum + work, 0);
}

/** All ids: with another option or another input some of them are others. */
function planOf(parts: readonly Part[]): string {
  return createHash("sha256")
    .update(JSON.stringify(parts.map(({ id }) => id)))
    .digest("hex");
}

/** Whatever prints it leaves printable ASCII as it is, so that the seal holds. */
function ascii(value: object): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** JSON has to give back what went in. */
function kept(id: string, outcome: PartOutcome): PartOutcome {
  if (isDeepStrictEqual(JSON.parse(JSON.stringify(outcome)), outcome)) return outcome;
  throw new Error(`${id}: what came of it is more than JSON can hold`);
}

/**
 * Read a shard's file. What is cut or damaged behind its first line is no error: it is a shard that has to be run again.
 *
 * @param path - of the file, plain or gzip
 * @throws {@link InputError} for a file that is no shard
 */
export async function readShard(path: string): Promise<ShardFile> {
  const parsed = v.safeParse(headerSchema, await readHeader(path, () => fileBytes(path)));
  if (!parsed.success) throw new InputError(path, 1, issueInWords("header", parsed.issues[0]));
  const header = parsed.output;
  try {
    return { path, header, outcomes: await readOutcomes(path, header), fault: "" };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { path, header, outcomes: null, fault: error.rule };
  }
}

async function readOutcomes(path: string, { parts }: ShardHeader): Promise<Map<string, PartOutcome>> {
  const outcomes = new Map<string, PartOutcome>();
  for await (const { line, value } of readBody(path, () => fileBytes(path), {}, { digest: newDigest })) {
    const parsed = v.safeParse(partSchema, value);
    if (!parsed.success) {
      // Of the two kinds of lines it is neither, so no member is to blame.
      const issue = parsed.issues[0] as v.BaseIssue<unknown>;
      throw new InputError(path, line, issueInWords("line", issue));
    }
    const { part, ...outcome } = parsed.output;
    outcomes.set(part, outcome);
  }
  if (outcomes.size === parts) return outcomes;
  throw new InputError(path, 1, `header.parts: says ${parts}, and there are ${outcomes.size}`);
}

/**
 * @param path - of a file
 * @returns its digest, as shards say what they have read
 */
export async function inputDigest(path: string): Promise<InputDigest> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
    return { path, sha256: hash.digest("hex") };
  } catch {
    // Whoever reads it says why it cannot be read.
    return { path, sha256: null };
  }
}
