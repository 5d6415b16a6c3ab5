/**
 * The driver's own picture of its page tables: a tree of software tables that mirrors the hardware's, with the reference counts
 * that decide when a table goes (nvkm's `vmm.c`, Linux 7.3-rc7).
 *
 * One node stands for a directory, or for the two tables of a 2 MiB block together: that of 64 KiB pages and that of 4 KiB
 * pages. `refs` counts who needs the directory or the large table, `smallRefs` who needs the small one. A table is referenced
 * once for each entry that a mapping or a region holds in it, a directory once for each table below as well.
 *
 * What a directory's entry stands for without a table is a mark beside it: nothing, or sparse. A node that was made in place
 * of a sparse entry remembers it (`sparse`): its tables begin with sparse entries, and the entry becomes sparse again when it
 * goes.
 *
 * Beside the two tables of a block there is a tracker for each unit of 64 KiB: whether the large entry is sparse when nobody else
 * needs it, and which of the two tables is asked there. A block has 32 units, so what is true of each is a word with a bit for each.
 *
 * @module
 */

/** log2 of the bytes of a block, in whose number addresses are looked up. */
export const BLOCK_LG2 = 21;
/** Bytes of a block: what one entry of the lowest directory covers. */
export const BLOCK_BYTES: number = 2 ** BLOCK_LG2;
/** Entries of 64 KiB in a block. */
export const LARGE_ENTRIES = 32;
/** Entries of 4 KiB in a block. */
export const SMALL_ENTRIES = 512;

/** By level, how far the number of a block is shifted to index a directory: PD0 is level 1. */
const INDEX_SHIFT: readonly number[] = [0, 0, 8, 17, 26, 31];
/** By level, entries less one. */
const INDEX_MASK: readonly number[] = [0, 255, 511, 511, 511, 1];

/** What the tables of a block have below them, and directories beside them. */
const NO_CHILDREN: (TableNode | null)[] = [];
const NO_MARKS: Uint8Array = new Uint8Array(0);
const NO_COUNTS: Uint16Array = new Uint16Array(0);

/**
 * @param level - of a directory
 * @param block - number of a block: VA / 2 MiB
 * @returns index of the entry that leads to it
 */
export function indexOf(level: number, block: number): number {
  return (block >>> (INDEX_SHIFT[level] as number)) & (INDEX_MASK[level] as number);
}

/**
 * @param level - of a directory
 * @returns how many entries it has
 */
export function entriesOf(level: number): number {
  return (INDEX_MASK[level] as number) + 1;
}

/** Levels by the shift of their entries. */
const LEVELS: Uint8Array = Uint8Array.from({ length: 57 }, (_, shift) =>
  shift === BLOCK_LG2 ? 1 : Math.max(0, Math.floor((shift - 11) / 9)),
);

/**
 * @param shift - log2 of the bytes that an entry of a directory covers: 21, 29, 38, 47 or 56
 * @returns the directory's level
 */
export function levelOf(shift: number): number {
  return LEVELS[shift] as number;
}

/** Powers of two by their exponent: looking one up takes a tenth of the time of raising it. */
const POWERS: Float64Array = Float64Array.from({ length: 57 }, (_, i) => 2 ** i);

/**
 * @param shift - log2 of a page size, 0..56
 * @returns its bytes
 */
export function bytesOf(shift: number): number {
  return POWERS[shift] as number;
}

/** A directory, or the two tables of a block. */
export class TableNode {
  /** 0 for the tables of a block, 1 for PD0, and so on. */
  readonly level: number;
  /** Slot of the directory or of the large table, -1 without. */
  slot = -1;
  /** Slot of the small table, -1 without. */
  smallSlot = -1;
  /** Where the large table is in the card's memory, see `TableCache`. */
  place = 0;
  /** References of the directory or the large table. */
  refs = 0;
  /** References of the small table. */
  smallRefs = 0;
  /** Made in place of a sparse entry. */
  sparse = false;
  /** Units whose large entry is sparse when no small page needs the small table, as bits. */
  sparseUnits = 0;
  /** Units for which the small table is asked, as bits. */
  smallUnits = 0;
  /** Units whose large entry is in use, as bits. */
  largeUnits = 0;
  /** The directory above; null for the root. */
  parent: TableNode | null = null;
  /** Index of its entry there. */
  index = 0;
  /** Number of the first block that it covers. */
  block = 0;
  /** Nodes below, by entry; none for the tables of a block. */
  readonly children: (TableNode | null)[];
  /** Which entries without a node are sparse, by entry. */
  readonly marks: Uint8Array;
  /** How many references the small entries of each unit have; what it says without a small table means nothing. */
  readonly small: Uint16Array;
  /** How many references each large entry has, modulo 2^13. */
  readonly large: Uint16Array;

  /** @param level - see {@link TableNode.level} */
  constructor(level: number) {
    this.level = level;
    const isBlock = level === 0;
    this.children = isBlock ? NO_CHILDREN : new Array<TableNode | null>(entriesOf(level)).fill(null);
    this.marks = isBlock ? NO_MARKS : new Uint8Array(entriesOf(level));
    this.small = isBlock ? new Uint16Array(LARGE_ENTRIES) : NO_COUNTS;
    this.large = isBlock ? new Uint16Array(LARGE_ENTRIES) : NO_COUNTS;
  }

  /** First VA that it covers. */
  get va(): number {
    return this.block * BLOCK_BYTES;
  }
}

/** Hands out nodes, and takes them back to hand them out again. */
export class NodePool {
  readonly #spare: TableNode[][] = [[], [], [], [], [], []];

  /**
   * @param parent - directory above
   * @param index - entry there, which must have none
   * @returns a node without tables, attached
   */
  take(parent: TableNode, index: number): TableNode {
    const level = parent.level - 1;
    const node = this.#spare[level]?.pop() ?? new TableNode(level);
    node.parent = parent;
    node.index = index;
    node.block = parent.block + index * bytesOf(INDEX_SHIFT[parent.level] as number);
    node.sparse = parent.marks[index] === 1;
    parent.marks[index] = 0;
    parent.children[index] = node;
    return node;
  }

  /** Detach a node that has no tables; its entry is marked as it was before. */
  give(node: TableNode): void {
    const { parent, index } = node;
    if (parent !== null) {
      parent.children[index] = null;
      parent.marks[index] = node.sparse ? 1 : 0;
    }
    node.parent = null;
    node.refs = 0;
    node.smallRefs = 0;
    // What lies beside the tables of a block is written when those are made.
    if (node.level > 0) node.marks.fill(0);
    this.#spare[node.level]?.push(node);
  }
}
