/**
 * A page-table format, as data. The formats of this project are radix trees of 64-bit descriptors, and differ
 * in geometry and in which bits say "present", "leaf" and "address". So a format is a table: for every level the
 * masks that a walker needs. Decoding is written once over these masks; the format's own file builds them from the
 * same named bits that its encode functions use, and names the manual or the kernel file that they come from.
 *
 * Two things are more than a mask. Where an address does not lie in place, the format says how to get it
 * ({@link EntryAddresses}). And where an entry has two halves, each with a table of its own ({@link LevelGeometry.highHalf}),
 * both tables serve the same addresses side by side: the compact one is asked first, and a zero in it means the other.
 *
 * Laws (checked for every format): decoding an encoded leaf gives its address and rights; encoding what was decoded
 * gives the same descriptor; a zero descriptor is not present at every level.
 */

import { addressOf } from "./address.ts";
import type { EntryField } from "./entry-field.ts";

/** Right to load. */
export const RIGHT_READ = 1;
/** Right to store. */
export const RIGHT_WRITE = 2;
/** Right to fetch instructions. */
export const RIGHT_EXEC = 4;

/** Addresses in entries that do not lie in place, or whose width depends on other bits. */
export interface EntryAddresses {
  /** Physical address of a page, from the halves of its leaf. */
  readonly leaf: (lo: number, hi: number) => number;
  /** Physical address of a table, from the halves of a directory entry. */
  readonly table: (lo: number, hi: number) => number;
}

/** What an entry is: nothing, a pointer to a table, a leaf, or a leaf without memory. */
export type EntryKind = "empty" | "table" | "page" | "null";

/** What one level of a format looks like. All masks are signed 32-bit halves. */
export interface LevelGeometry {
  /** The format's own number of the level. */
  readonly level: number;
  /** log2 of the bytes that one entry covers: the lowest address bit that indexes this level. */
  readonly shift: number;
  /** Entries of a table that are used: 512, 2048, or fewer in a root or a compact table. */
  readonly entries: number;
  /** Bytes that one entry covers. */
  readonly entryBytes: number;
  /** Whether an entry of this level may be a leaf. */
  readonly mayBeLeaf: boolean;
  /** Whether an entry of this level may point to a table. */
  readonly mayBeDirectory: boolean;
  /** An entry is present when `(lo & presentMask) === presentBits`. */
  readonly presentMask: number;
  /** See {@link LevelGeometry.presentMask}. */
  readonly presentBits: number;
  /** An entry is present and points to a table when `(lo & directoryMask) === directoryBits`; never where the mask is 0. */
  readonly directoryMask: number;
  /** See {@link LevelGeometry.directoryMask}; 1 where the mask is 0. */
  readonly directoryBits: number;
  /** Address bits of a leaf, low half. */
  readonly leafAddressLo: number;
  /** Address bits of a leaf, high half. */
  readonly leafAddressHi: number;
  /** Address bits of a directory entry, low half. */
  readonly tableAddressLo: number;
  /** Address bits of a directory entry, high half. */
  readonly tableAddressHi: number;
  /** A leaf is a null page when `(lo & nullMask) === nullBits`, present bit or not; 0 when the format has none. */
  readonly nullMask: number;
  /** See {@link LevelGeometry.nullMask}; 1 where the mask is 0. */
  readonly nullBits: number;
  /** A directory entry points to a compact table when `(lo & compactMask) !== 0`; 0 when the format has none. */
  readonly compactMask: number;
  /** The level of the tables that directory entries point to; null at the last level. */
  readonly below: LevelGeometry | null;
  /** The level of the compact tables that directory entries point to, or null. */
  readonly belowCompact: LevelGeometry | null;
  /** Whether this is the level of compact tables. */
  readonly isCompact: boolean;
  /**
   * Entries have 16 bytes, and this is how their second half is to be read: it points to a table of {@link LevelGeometry.below},
   * while the first half points to a compact one, or is a leaf. Null where entries have 8 bytes.
   */
  readonly highHalf: LevelGeometry | null;
  /** How to get addresses out of entries where masks do not do; null where they do. */
  readonly addresses: EntryAddresses | null;
  /** What an entry is, where the low half does not tell; null where the masks above do. */
  readonly kinds: ((lo: number, hi: number) => EntryKind) | null;
  /** Rights of the GPU ({@link RIGHT_READ} and so on) in a leaf with these halves. */
  readonly rights: (lo: number, hi: number) => number;
}

/** What a descriptor says. Reused as an out argument. */
export interface DecodedEntry {
  /** `empty`: not present; `table`: a directory entry; `page`: a leaf; `null`: a leaf without memory. */
  kind: EntryKind;
  /** Physical address of the page or the table; 0 for `empty` and `null`. */
  address: number;
  /** {@link RIGHT_READ} and so on of a leaf, as the GPU has them; 0 otherwise. */
  rights: number;
  /** Whether a directory entry points to a compact table. */
  compact: boolean;
}

/** A page-table format of one configuration (address width, root level). */
export interface PageTableFormat {
  /** Short name, for messages and listings: `lpae-4k`, `uat`, `ppgtt`. */
  readonly name: string;
  /** Bytes of one table page. */
  readonly tableBytes: number;
  /** Width of the virtual addresses that the tables translate, in bits. */
  readonly vaBits: number;
  /** First virtual address past the end: 2 to the power of `vaBits`. */
  readonly vaEnd: number;
  /** The levels, root first, compact tables left out: each is the next one's parent. */
  readonly levels: readonly LevelGeometry[];
  /** Whether a level has entries of two halves, see {@link LevelGeometry.highHalf}. */
  readonly paired: boolean;
  /**
   * What the bits of an entry are called, for people; a walk does not ask. See `describeEntry`.
   *
   * @param geometry - the level of the entry
   * @param kind - what the entry is
   * @param lo - low half
   * @param hi - high half
   */
  readonly fields: (
    geometry: LevelGeometry,
    kind: EntryKind,
    lo: number,
    hi: number,
  ) => readonly EntryField[];
}

/** The geometry of the root table. */
export function rootGeometry(format: PageTableFormat): LevelGeometry {
  return format.levels[0] as LevelGeometry;
}

/** Decodes the descriptor with halves `lo` and `hi` as an entry of the given level. */
export function decodeEntry(
  geometry: LevelGeometry,
  lo: number,
  hi: number,
  out: DecodedEntry = { kind: "empty", address: 0, rights: 0, compact: false },
): DecodedEntry {
  const kind = kindOf(geometry, lo, hi);
  out.kind = kind;
  out.address = 0;
  out.rights = 0;
  out.compact = false;
  if (kind === "table") {
    out.address = tableAddress(geometry, lo, hi);
    out.compact = (lo & geometry.compactMask) !== 0;
  } else if (kind !== "empty") {
    out.rights = geometry.rights(lo, hi);
    if (kind === "page") out.address = leafAddress(geometry, lo, hi);
  }
  return out;
}

/** What the descriptor with halves `lo` and `hi` is as an entry of the given level. */
export function kindOf(geometry: LevelGeometry, lo: number, hi: number): EntryKind {
  if (geometry.kinds !== null) return geometry.kinds(lo, hi);
  if ((lo & geometry.directoryMask) === geometry.directoryBits) return "table";
  if ((lo & geometry.nullMask) === geometry.nullBits) return "null";
  return (lo & geometry.presentMask) === geometry.presentBits ? "page" : "empty";
}

/** Physical address that a directory entry of this level points to. */
export function tableAddress(geometry: LevelGeometry, lo: number, hi: number): number {
  if (geometry.addresses !== null) return geometry.addresses.table(lo, hi);
  return addressOf(lo & geometry.tableAddressLo, hi & geometry.tableAddressHi);
}

/** Physical address of the page of a leaf of this level. */
export function leafAddress(geometry: LevelGeometry, lo: number, hi: number): number {
  if (geometry.addresses !== null) return geometry.addresses.leaf(lo, hi);
  return addressOf(lo & geometry.leafAddressLo, hi & geometry.leafAddressHi);
}

/**
 * Where an entry stands in its table, counted in 8 bytes: its number, or twice that where entries have two halves. The second
 * half is the next.
 */
export function entryAt(geometry: LevelGeometry, index: number): number {
  return geometry.highHalf === null ? index : index * 2;
}

/** Index of virtual address `va` (bytes) in a table of the given level. */
export function entryIndex(geometry: LevelGeometry, va: number): number {
  const { shift } = geometry;
  const hi = (va / 4294967296) | 0;
  const bits = shift < 32 ? ((va | 0) >>> shift) | (hi << (32 - shift)) : hi >>> (shift - 32);
  return bits & (geometry.entries - 1);
}

/** Low half of the mask of address bits from `bottom` up to a bit above 31. */
export function maskLo(bottom: number): number {
  return bottom > 31 ? 0 : -1 << bottom;
}

/** High half of the mask of address bits `top` (32..62) down to `bottom`. */
export function maskHi(top: number, bottom: number): number {
  return (-1 << Math.max(bottom - 32, 0)) & ((1 << (top - 31)) - 1);
}

/**
 * A format in which levels differ, for a what-if: what a GPU would have to understand that it does not.
 *
 * @param format - a format without compact tables and without entries of two halves
 * @param change - what differs in a level; members that tie the levels together stay
 * @returns the format with those levels, named as before
 * @throws RangeError for a format whose levels are no simple chain
 */
export function withLevels(
  format: PageTableFormat,
  change: (level: LevelGeometry) => Partial<Omit<LevelGeometry, "below" | "belowCompact" | "highHalf">>,
): PageTableFormat {
  const levels: LevelGeometry[] = [];
  for (const level of format.levels.toReversed()) {
    if (level.belowCompact !== null || level.highHalf !== null)
      throw new RangeError(`${format.name}: level ${level.level} points to two kinds of tables`);
    levels.unshift({ ...level, ...change(level), below: levels[0] ?? null });
  }
  return { ...format, levels };
}
