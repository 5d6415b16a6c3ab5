/** The entries that a walk reads, as a page tells them: which bits of the address pick each, and what its own bits say. */

import { type AddressSpace, type DescribedField, describeEntry, descriptor, walkPath } from "@vmbind/mmu";

/** An entry that the walk reads. */
export interface ToldEntry {
  /** The format's own number of the level. */
  readonly level: number;
  /** Bits of the address that pick the entry, e.g. `47:39`. */
  readonly indexBits: string;
  /** Number of the entry. */
  readonly index: number;
  /** Entries of the table. */
  readonly entries: number;
  /** Bytes that it covers. */
  readonly entryBytes: number;
  /** Physical address of the entry. */
  readonly address: number;
  /** Of an entry with two halves. */
  readonly half: "first" | "second" | null;
  /** Whether the table is compact. */
  readonly isCompact: boolean;
  /** The 64 bits in hex. */
  readonly entry: string;
  /** `empty`, `table`, `page`, `null`. */
  readonly kind: string;
  readonly fields: readonly DescribedField[];
}

/**
 * @param space - whose tables
 * @param va - bytes
 * @returns the entries in the order in which the walk reads them
 */
export function toldEntries({ memory, format, root }: AddressSpace, va: number): ToldEntry[] {
  return walkPath(memory, format, root, va).map(({ geometry, index, half, address, lo, hi, kind }) => {
    const { level, shift, entries, entryBytes, isCompact } = geometry;
    return {
      level,
      indexBits: `${shift + Math.log2(entries) - 1}:${shift}`,
      index,
      entries,
      entryBytes,
      address,
      half,
      isCompact,
      entry: `0x${descriptor(lo, hi).toString(16).padStart(16, "0")}`,
      kind,
      fields: describeEntry(format, geometry, lo, hi),
    };
  });
}
