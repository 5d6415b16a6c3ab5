/**
 * What creating a resource will take, before it is done: measured at some sizes with a strategy that says nothing of it, and
 * continued from there.
 *
 * How a range is cut depends on what divides it: a window of REPEAT is 2 MiB for a multiple of that and a page for an odd number of
 * pages. So sizes go into classes by the largest power of two that divides them, up to 2 MiB, and each class is measured by itself.
 *
 * @module
 */

import { RefusedError } from "./refused.ts";
import { startRun } from "./run.ts";
import type { EstimateClass, SparseStrategy, Work, WorkEstimate } from "./strategy.ts";

const BLOCK_2M = 2 ** 21;
/** Below this is the first size that is measured. */
const FIRST = 2 ** 22;
/** Each further size is so many times the one before. */
const STEP = 4;
/** A size that takes more operations or leaves is the last one of its class. */
const ENOUGH = 2 ** 11;
const BYTES_MAX = 2 ** 40;
/** More operations than this for one resource are not run. */
const OPERATIONS_MAX = 2 ** 20;

/**
 * Measure what creating resources takes.
 *
 * @param strategy - how sparse is said
 * @throws RefusedError when the driver refuses to create the first resource of a class
 */
export async function measureWork(strategy: SparseStrategy): Promise<WorkEstimate> {
  const unit = Math.min(strategy.blockBytes, BLOCK_2M);
  const classes: EstimateClass[] = [];
  for (let odd = unit; odd <= BLOCK_2M; odd *= 2) classes.push(await measureClass(strategy, odd));
  const estimate = { unit, classes, bytesMax: BYTES_MAX };
  let bytesMax = BYTES_MAX;
  while (bytesMax > BLOCK_2M && !(await fits(strategy, estimate, bytesMax))) bytesMax /= 2;
  return { ...estimate, bytesMax };
}

async function measureClass(strategy: SparseStrategy, odd: number): Promise<EstimateClass> {
  const found = { bytes: [] as number[], operations: [] as number[], leafEntries: [] as number[] };
  for (let size = FIRST; size <= BYTES_MAX; size *= STEP) {
    // As far from the next block as a size of the class can be.
    const bytes = size - odd;
    let work: Work;
    try {
      work = await create(strategy, bytes);
    } catch (error) {
      // There is no more room; or the driver never takes what the strategy says.
      if (!(error instanceof RefusedError) || found.bytes.length === 0) throw error;
      break;
    }
    found.bytes.push(bytes);
    found.operations.push(work.operations);
    found.leafEntries.push(work.leafEntries);
    if (Math.max(work.operations, work.leafEntries) > ENOUGH) break;
  }
  return found;
}

async function create(strategy: SparseStrategy, size: number): Promise<Work> {
  const run = await startRun(strategy);
  run.perform({ step: "create", resource: "resource", size });
  const { bindOps = 0, pteWrites = 0 } = run.cost.create ?? {};
  return { operations: bindOps, leafEntries: pteWrites };
}

/** Whether there are addresses for a resource, and not too many operations in it. */
async function fits(strategy: SparseStrategy, estimate: WorkEstimate, bytes: number): Promise<boolean> {
  if (estimatedWork(estimate, bytes).operations > OPERATIONS_MAX) return false;
  const { heap, placement } = await strategy.open(strategy.devices[0]).then((session) => ({
    heap: session.heap,
    placement: session.placement(bytes, "resource"),
  }));
  try {
    heap.alloc(bytes + placement.guardBytes, placement.alignment);
    return true;
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return false;
  }
}

/**
 * @param estimate - what was measured
 * @param bytes - of a resource
 * @returns what creating it will take: an upper bound, as far as the work goes on growing as it did
 */
export function estimatedWork({ unit, classes }: WorkEstimate, bytes: number): Work {
  const whole = Math.ceil(bytes / unit) * unit;
  let at = 0;
  while (at < classes.length - 1 && whole % (unit * 2 ** (at + 1)) === 0) at++;
  const { bytes: sizes, operations, leafEntries } = classes[at] as EstimateClass;
  return {
    operations: continued(sizes, operations, whole),
    leafEntries: continued(sizes, leafEntries, whole),
  };
}

/** The value at the next larger size; beyond the last one it goes on as between the last two, and a hundredth above that. */
function continued(sizes: readonly number[], values: readonly number[], x: number): number {
  const at = sizes.findIndex((size) => size >= x);
  if (at >= 0) return values[at] as number;
  const [lastX, last] = [sizes.at(-1) as number, values.at(-1) as number];
  const [beforeX, before] = [sizes.at(-2) ?? 0, values.at(-2) ?? 0];
  if (last <= before) return last;
  const power = Math.log(last / before) / Math.log(lastX / beforeX);
  const faster = before > 0 && power > 1.05;
  const line = last + ((last - before) / (lastX - beforeX)) * (x - lastX);
  return Math.ceil(1.01 * (faster ? last * (x / lastX) ** power : line)) + 1;
}
