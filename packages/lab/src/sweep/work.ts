/**
 * How much work a sparse resource will be, before it is done: to leave out points that would take minutes, and to say so.
 *
 * @module
 */

const PAGE = 2 ** 12;
const BLOCK = 2 ** 21;

/** Work to come. */
export interface Work {
  /** VM_BIND operations that create the resource. */
  operations: number;
  /** Leaf entries that they write. */
  leafEntries: number;
}

/**
 * What creating a resource will take. Upper bounds.
 *
 * @param strategy - name of a strategy
 * @param bytes - of the resource
 * @throws RangeError for a strategy that is not in the table
 */
export function workOf(strategy: string, bytes: number): Work {
  const pages = Math.ceil(bytes / PAGE);
  const blocks = Math.floor(bytes / BLOCK);
  // Whole blocks, and pages in front of the first and behind the last one.
  const cut = blocks + Math.min(pages, (2 * BLOCK) / PAGE);
  switch (strategy) {
    case "panthor-per-page":
      return { operations: pages, leafEntries: pages };
    case "panthor-blackhole":
      return { operations: blocks + 2, leafEntries: cut };
    case "panthor-repeat":
      return { operations: 1, leafEntries: (pages * PAGE) % BLOCK === 0 ? blocks : pages };
    case "panthor-sparse":
      return { operations: 1, leafEntries: cut };
    case "asahi-single-page":
      // Pages of 16 KiB, once to write and once to read.
      return { operations: 2, leafEntries: 2 * Math.ceil(bytes / (4 * PAGE)) };
    case "xe-null":
      // Leaves of 1 GiB, two fringes, and new tables, which a VM with a scratch page fills.
      return { operations: 1, leafEntries: Math.floor(bytes / 2 ** 30) + 8 * 512 };
    default:
      throw new RangeError(`no estimate for ${strategy}`);
  }
}
