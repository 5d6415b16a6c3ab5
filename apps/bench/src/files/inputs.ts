/**
 * Commands that take several files: a bad one, and one that a model breaks down over, is reported and the others still run. Each file is
 * a part of the work that another machine can do; a long one may be cut into pieces.
 *
 * @module
 */

import { InputError } from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { EXIT, ModelError, NotBrief, UsageError } from "../errors.ts";
import { complainOf, type Io } from "../io.ts";
import { type Merged, mergedPart, type OneShard, type PartOutcome, partOutcome } from "../shard/division.ts";
import { inputDigest, ownParts, writeShard } from "../shard/shard-file.ts";
import { isShort } from "./file-bytes.ts";
import { filesOf, JSON_LINES } from "./folders.ts";
import { STANDARD_INPUT } from "./standard-input.ts";

/** What a command does with a file. The values are plain data: they may come from another machine. */
export interface FileWork<T> {
  /** Where the file lies that is meant; what was given unless told. */
  place?(file: string): string;
  /** How its work can be divided. */
  cut(file: string): Promise<FileCut>;
  /** Does the work: a value for each of these pieces, or one for all of the file. */
  run(file: string, pieces: readonly number[] | null): Promise<T[]>;
  /** Makes one value of those of all pieces, in their order. */
  join(pieces: readonly T[]): T;
  /** Shows a file's value; false for a difference. */
  show(file: string, value: T): boolean | Promise<boolean>;
}

/** How the work of a file can be divided. */
export interface FileCut {
  /** Into so many pieces, at least one. */
  readonly pieces: number;
  /** Estimated work of a piece, in any unit that is the same for all files of the command. */
  readonly work: number;
}

/**
 * Process inputs one after the other.
 *
 * @param input - its operands are files, and folders for all JSON lines in them
 * @param command - name of the command, for messages
 * @param io - where messages go
 * @param work - what is done with each file
 * @returns the exit status: 3 when a model broke down, else 2 when an input was bad, else 1 when there was a difference, else 0; of a
 *   shard whose file is on standard output always 0
 * @throws {@link NotBrief} at a long file, where the input says so
 */
export async function forEachInput<T>(
  { operands, division, stretch }: Pick<CommandInput, "operands" | "division" | "stretch">,
  command: string,
  io: Io,
  work: FileWork<T>,
): Promise<number> {
  if (division.kind === "shard") return runShard(operands, division, io, work);
  let status: number = EXIT.ok;
  const attempt = async <V>(step: () => V | Promise<V>): Promise<V | null> => {
    try {
      return await step();
    } catch (error) {
      if (!(error instanceof InputError || error instanceof ModelError)) throw error;
      status = Math.max(status, complainOf(io, command, error).status);
      return null;
    }
  };
  const process = async (file: string, value: () => Promise<T>): Promise<void> => {
    const shown = await attempt(async () => work.show(file, await value()));
    if (shown === false) status = Math.max(status, EXIT.difference);
  };
  if (division.kind === "merged") {
    for (const { path } of division.inputs) await process(path, async () => mergedFile(division, path, work));
    return status;
  }
  const listed = operands.flatMap(listedIn);
  for (let i = stretch?.done ?? 0; i < listed.length; i++) {
    const { file, error } = listed[i] as Listed;
    if (stretch?.shortOnly && !isShort(work.place?.(file) ?? file)) throw new NotBrief(i, status);
    await process(file, async () => {
      if (error !== null) throw error;
      return work.join(await work.run(file, null));
    });
  }
  return status;
}

interface Listed {
  readonly file: string;
  /** Why there are no files in its place, null for a file. */
  readonly error: unknown;
}

/** The files that an operand stands for. */
function listedIn(operand: string): Listed[] {
  try {
    return filesOf(operand, JSON_LINES).map((file) => ({ file, error: null }));
  } catch (error) {
    return [{ file: operand, error }];
  }
}

/** Pieces that stand for themselves: how many there are shows in that the next one is not there. */
function mergedFile<T>(merged: Merged, file: string, work: FileWork<T>): T {
  const ids: string[] = [];
  while (merged.outcomes.has(pieceId(file, ids.length))) ids.push(pieceId(file, ids.length));
  // The first line that is wrong is where one machine stops; what is wrong with all of the file it finds at the end.
  const failed = ids.sort((a, b) => lineOf(merged.outcomes.get(a)) - lineOf(merged.outcomes.get(b)))[0];
  if (failed === undefined || lineOf(merged.outcomes.get(failed)) < Number.POSITIVE_INFINITY) {
    mergedPart(merged, failed ?? pieceId(file, 0));
  }
  const values = Array.from(ids, (_, piece) => mergedPart(merged, pieceId(file, piece)) as T);
  return work.join(values);
}

/** Line that is wrong; infinity for a piece with a value. */
function lineOf(outcome: PartOutcome | undefined): number {
  if (outcome === undefined || "value" in outcome) return Number.POSITIVE_INFINITY;
  return ("broke" in outcome ? outcome.broke.line : outcome.failure.line) || Number.MAX_SAFE_INTEGER;
}

function pieceId(file: string, piece: number): string {
  return `${file} ${piece}`;
}

interface Piece {
  readonly id: string;
  readonly work: number;
  readonly file: string;
  readonly piece: number;
}

async function runShard<T>(
  operands: readonly string[],
  one: OneShard,
  io: Io,
  work: FileWork<T>,
): Promise<number> {
  if (operands.includes(STANDARD_INPUT)) {
    throw new UsageError("--shard: standard input is there only once, and each shard needs it");
  }
  const files = operands.flatMap((operand) => filesOf(operand, JSON_LINES));
  const parts: Piece[] = [];
  const inputs = [];
  for (const file of files) {
    inputs.push({ ...(await inputDigest(work.place?.(file) ?? file)), path: file });
    if (parts.some((part) => part.file === file)) continue;
    const cut = await work.cut(file);
    for (let piece = 0; piece < cut.pieces; piece++)
      parts.push({ id: pieceId(file, piece), work: cut.work, file, piece });
  }
  const mine = ownParts(one, parts);
  const own = mine.map((i) => parts[i] as Piece);
  await writeShard(one, { parts, inputs }, mine, outcomesOf(own, work), io);
  return EXIT.ok;
}

/** One after the other, the pieces of a file together. */
function* outcomesOf<T>(own: readonly Piece[], work: FileWork<T>): Generator<Promise<PartOutcome>> {
  const begun = new Map<string, { pieces: number[]; running: Promise<PartOutcome> }>();
  for (const { file, piece } of own) {
    let all = begun.get(file);
    if (all === undefined) {
      const pieces = own.filter((other) => other.file === file).map((other) => other.piece);
      all = { pieces, running: partOutcome(() => work.run(file, pieces)) };
      begun.set(file, all);
    }
    const at = all.pieces.indexOf(piece);
    yield all.running.then((outcome) =>
      "value" in outcome ? { value: (outcome.value as T[])[at] } : outcome,
    );
  }
}
