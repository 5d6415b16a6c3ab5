/**
 * How a command's work is divided: all of it here, one shard of it, or none, because shards have done it and are merged.
 *
 * A command cuts its work into parts that share nothing, each with a name and an estimate. A shard deals them (`balance.ts`), runs its
 * own and writes what came of each (`shard-file.ts`). To merge is to run the same command with the same words, where each part
 * is looked up in place of being run. So what is printed is what one machine prints: the same code makes it of the same results.
 *
 * @module
 */

import { type JobOutcome, outcomeOf, unwrap } from "@vmbind/lab";
import { InputError } from "@vmbind/trace";
import { ModelError } from "../errors.ts";
import type { GivenShard } from "./whose.ts";

/** One part of a command's work. */
export interface Part {
  /** Names it; the same on every machine, and another's is another. */
  readonly id: string;
  /** Estimated work, in any unit that is the same for all parts of the command. */
  readonly work: number;
}

/** A model broke down over the part. */
interface Breakdown {
  readonly broke: {
    /** What is said of it. */
    readonly message: string;
    /** Line of the file, 0 where it is not known. */
    readonly line: number;
  };
}

/** What came of a part: its value, what the user is to blame for, or where a model broke down. */
export type PartOutcome = JobOutcome<unknown> | Breakdown;

/** A file that the work depends on. */
export interface InputDigest {
  /** As the user gave it, or as it lies in the folder that the user gave. */
  readonly path: string;
  /** SHA-256 of its bytes; null for one that cannot be read. */
  readonly sha256: string | null;
}

/** This run is one shard. */
export interface OneShard {
  /** Discriminates. */
  readonly kind: "shard";
  /** Which, and who says so. */
  readonly given: GivenShard;
  /** Name of the command. */
  readonly command: string;
  /** The words behind it, as `wordsOf` makes them. */
  readonly words: readonly string[];
}

/** Shards have done all the work. */
export interface Merged {
  /** Discriminates. */
  readonly kind: "merged";
  /** Path of the first shard, for errors. */
  readonly path: string;
  /** Files that they have read, in the order of the work. */
  readonly inputs: readonly InputDigest[];
  /** What came of each part, by its id. */
  readonly outcomes: ReadonlyMap<string, PartOutcome>;
}

/** How a command's work is divided. */
export type Division = { readonly kind: "whole" } | OneShard | Merged;

/**
 * Run a part.
 *
 * @param work - does it
 * @returns what came of it
 * @throws what nobody expects: a part that the program itself breaks down over is no part
 */
export async function partOutcome(work: () => Promise<unknown>): Promise<PartOutcome> {
  let defect: unknown = null;
  const outcome = await outcomeOf(async () => {
    try {
      return await work();
    } catch (error) {
      defect = error;
      throw error;
    }
  });
  if (!("failure" in outcome) || outcome.failure.name !== "Error") return outcome;
  if (defect instanceof ModelError) return { broke: { message: defect.message, line: defect.line } };
  throw defect;
}

/**
 * Look a part up.
 *
 * @param merged - what shards have done
 * @param id - of the part
 * @returns its value
 * @throws what the part came to, and {@link InputError} for one that the shards were not asked for
 */
export function mergedPart({ path, outcomes }: Merged, id: string): unknown {
  const outcome = outcomes.get(id);
  if (outcome === undefined) {
    throw new InputError(
      path,
      0,
      `no shard has ${id}: they were made with other options, or files have changed since`,
    );
  }
  if ("broke" in outcome) throw new ModelError(outcome.broke.message, outcome.broke.line);
  return unwrap(outcome);
}
