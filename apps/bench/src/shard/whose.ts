/**
 * Which shard of a command this machine is to run: as `--shard I/N` says, or as the engine says that started it.
 *
 * An engine is asked only by `--shard auto`. On a login node, in a job of a CI that is not parallel, or in an array that was made for
 * something else, a command without the option does all of its work, and `auto` that finds nothing is an error: nothing is cut by
 * surprise. Engines count differently (Slurm from wherever an array begins, in any step; Kubernetes from 0 and without a total; GitLab
 * from 1), and a shard is always `I/N` with I from 1. Two engines may be there at once, a GitLab job on a Slurm node; they have to agree.
 *
 * Facts: sbatch(1) of Slurm 22.05 (`SLURM_ARRAY_TASK_ID`, `_COUNT`, `_MIN`, `_MAX`, `_STEP`); Kubernetes 1.24 and later, Indexed
 * Jobs (`JOB_COMPLETION_INDEX`); GitLab CI, `parallel` (`CI_NODE_INDEX`, `CI_NODE_TOTAL`; the total is 1 where a job is not
 * parallel). GitHub Actions sets none, so a job hands its matrix on under GitLab's names.
 *
 * @module
 */

import { UsageError } from "../errors.ts";

/** Most shards of a command. */
const SHARDS_MAX = 10_000;

/** Which part of a command's work. */
export interface Shard {
  /** From 1. */
  readonly index: number;
  /** How many there are. */
  readonly of: number;
}

/** A shard, and who says so. */
export interface GivenShard {
  /** Which. */
  readonly shard: Shard;
  /** The option, or what the engine said, in words. */
  readonly from: string;
}

/** Variables of the environment by name. */
type Environment = Readonly<Record<string, string | undefined>>;

/** Says how many shards there are, where the engine does not, and is held against it where it does. */
const TOTAL = "VMBIND_SHARDS";
const NAME_IT = "name the shard: --shard I/N";

/** What each engine says; null where it says nothing. */
const ENGINES: readonly ((env: Environment) => GivenShard | null)[] = [slurm, kubernetes, matrix];

/**
 * @param option - value of `--shard`
 * @param env - the environment, for `auto`
 * @returns the shard
 * @throws {@link UsageError} for anything but `auto` or `I/N` with I from 1 to N, and for variables that contradict each other
 */
export function givenShard(option: string, env: Environment): GivenShard {
  if (option === "auto") return fromEngine(env);
  const found = /^([0-9]{1,5})\/([0-9]{1,5})$/.exec(option);
  const shard = { index: Number(found?.[1]), of: Number(found?.[2]) };
  if (found && isShard(shard)) return { shard, from: "--shard" };
  throw new UsageError(
    `--shard: expected auto, or I/N with I from 1 to N and N at most ${SHARDS_MAX}, got ${JSON.stringify(option)}`,
  );
}

function fromEngine(env: Environment): GivenShard {
  const found = ENGINES.flatMap((engine) => engine(env) ?? []);
  const [first, ...others] = found;
  if (first === undefined) {
    throw refused(
      `none of SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX and CI_NODE_INDEX is set: no engine says which shard this is; ${NAME_IT}`,
    );
  }
  const other = others.find(({ shard }) => inWords(shard) !== inWords(first.shard));
  if (other !== undefined) {
    throw refused(
      `${first.from} is shard ${inWords(first.shard)}, but ${other.from} is ${inWords(other.shard)}; ${NAME_IT}`,
    );
  }
  return first;
}

/** Shards are the tasks of an array in their order, wherever it begins and whatever its step. */
function slurm(env: Environment): GivenShard | null {
  const id = whole(env, "SLURM_ARRAY_TASK_ID");
  if (id === null) return null;
  const count = needed(env, "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_ID");
  const min = needed(env, "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_ID");
  const max = whole(env, "SLURM_ARRAY_TASK_MAX") ?? id;
  if (count === 1 && id > 1) {
    // Somebody submits the task anew that died: the array then has no other, and nothing says how many there were.
    throw refused(
      `an array of task ${id} alone is a part of another, and nothing says of how many; ${NAME_IT}`,
    );
  }
  const step = whole(env, "SLURM_ARRAY_TASK_STEP") || (count > 1 ? (max - min) / (count - 1) : 1);
  const index = (id - min) / step;
  const even = max === id || max - min === (count - 1) * step;
  if (!even || !Number.isInteger(index) || index < 0 || index >= count) {
    throw refused(
      `task ${id} of an array of ${count} from ${min} to ${max}: its tasks do not follow each other in equal steps; ${NAME_IT}`,
    );
  }
  return shardOf(env, index + 1, count, `task ${id} of the Slurm array ${min}-${max}`);
}

/** Kubernetes tells a pod its index, and not how many there are. */
function kubernetes(env: Environment): GivenShard | null {
  const index = whole(env, "JOB_COMPLETION_INDEX");
  if (index === null) return null;
  const total = whole(env, TOTAL);
  if (total === null) {
    throw refused(
      `JOB_COMPLETION_INDEX is set, and Kubernetes does not say how many there are: set ${TOTAL} to the Job's completions`,
    );
  }
  return shardOf(env, index + 1, total, `JOB_COMPLETION_INDEX ${index}`);
}

/** GitLab, and whoever takes its names. A job that is not parallel has a total of 1 and no index. */
function matrix(env: Environment): GivenShard | null {
  const index = whole(env, "CI_NODE_INDEX");
  if (index === null) return null;
  return shardOf(env, index, needed(env, "CI_NODE_TOTAL", "CI_NODE_INDEX"), `CI_NODE_INDEX ${index}`);
}

function shardOf(env: Environment, index: number, of: number, from: string): GivenShard {
  const total = whole(env, TOTAL);
  if (total !== null && total !== of) {
    throw refused(`${from} is one of ${of}, but ${TOTAL} is ${total}; ${NAME_IT}`);
  }
  const shard = { index, of };
  if (!isShard(shard)) {
    throw refused(`${from} would be shard ${inWords(shard)}: expected 1 to N of N, N at most ${SHARDS_MAX}`);
  }
  return { shard, from };
}

function needed(env: Environment, name: string, beside: string): number {
  const value = whole(env, name);
  if (value !== null) return value;
  throw refused(`${beside} is set, but ${name} is not; ${NAME_IT}`);
}

/** Empty counts as not set: a matrix hands on what it does not have. */
function whole(env: Environment, name: string): number | null {
  const text = env[name];
  if (text === undefined || text === "") return null;
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw refused(`${name}: expected a whole number, got ${JSON.stringify(text)}`);
}

function isShard({ index, of }: Shard): boolean {
  return index >= 1 && index <= of && of <= SHARDS_MAX;
}

/**
 * @param shard - which
 * @returns `3/16`
 */
export function inWords({ index, of }: Shard): string {
  return `${index}/${of}`;
}

function refused(rule: string): UsageError {
  return new UsageError(`--shard auto: ${rule}`);
}
