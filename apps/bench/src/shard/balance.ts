/**
 * Who runs what: parts are dealt to shards so that each has about the same work. Every machine deals alike, so none has to ask another.
 *
 * The longest parts go first, each to the shard that has the least so far: no shard then has more than 4/3 of what the best division
 * would give it (Graham 1969).
 *
 * @module
 */

/**
 * Deal parts.
 *
 * @param work - estimated work of each part, in any unit
 * @param of - how many shards there are
 * @returns the shard of each part, from 1
 */
export function dealt(work: readonly number[], of: number): number[] {
  const shards = new Array<number>(work.length).fill(0);
  const loads = new Array<number>(of).fill(0);
  const longestFirst = work
    .map((_, part) => part)
    .sort((a, b) => (work[b] as number) - (work[a] as number) || a - b);
  for (const part of longestFirst) {
    let least = 0;
    for (let shard = 1; shard < of; shard++)
      if ((loads[shard] as number) < (loads[least] as number)) least = shard;
    loads[least] = (loads[least] as number) + (work[part] as number);
    shards[part] = least + 1;
  }
  return shards;
}
