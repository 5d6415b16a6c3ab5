/**
 * Listings of a page-table tree: what is really in memory, entry by entry, in the order of virtual addresses. For
 * tests, `explain` and comparisons with real kernels; the GPU itself only walks.
 */

import { hexAddress } from "./address.ts";
import { rootSlotOf } from "./address-space.ts";
import type { DecodedEntry, LevelGeometry, PageTableFormat } from "./format.ts";
import { decodeEntry, entryAt, entryIndex, kindOf, rootGeometry, tableAddress } from "./format.ts";
import type { PhysicalMemory } from "./physical-memory.ts";
import type { TableMemory } from "./table-memory.ts";

/** Which part of a tree to list. */
export interface ListOptions {
  /** First virtual address of interest (bytes). Default 0. */
  start?: number;
  /** First virtual address past it. Default: the end of the address space. */
  end?: number;
  /** Tables not to descend into, by slot: a shared scratch tree would otherwise be listed once for every entry that points to it. */
  prune?: (slot: number) => boolean;
}

/** A present leaf. */
export interface LeafEntry {
  /** First virtual address that it translates (bytes). */
  va: number;
  /** Its level, in the format's own numbers. */
  level: number;
  /** The descriptor. */
  entry: bigint;
  /** Bytes that it translates. */
  sizeBytes: number;
  /** Whether it has memory, or is a null page. */
  kind: "page" | "null";
  /** Whether it lies in a compact table. */
  compact: boolean;
}

/** A present directory entry. */
export interface DirectoryEntry {
  /** First virtual address below it (bytes). */
  va: number;
  /** The level of the table that holds the entry, in the format's own numbers. */
  level: number;
  /** The descriptor. */
  entry: bigint;
  /** Slot of the table that it points to. */
  slot: number;
  /** Whether that table is compact. */
  compact: boolean;
}

interface Cursor {
  slot: number;
  geometry: LevelGeometry;
  index: number;
  va: number;
}

/**
 * Every present leaf below the root table at physical address `root`, ascending.
 * @throws Error when a directory entry points to no page-table page, or to a freed one.
 */
export function* leaves(
  memory: PhysicalMemory,
  format: PageTableFormat,
  root: number,
  options: ListOptions = {},
): Generator<LeafEntry> {
  for (const { kind, slot, geometry, at, va } of scan(memory, format, root, options, true)) {
    if (kind === "table") continue;
    yield {
      va,
      level: geometry.level,
      entry: memory.tables.entry(slot, at),
      sizeBytes: geometry.entryBytes,
      kind,
      compact: geometry.isCompact,
    };
  }
}

/**
 * The same, without an object and a descriptor for each: there may be millions.
 *
 * @param see - told of each leaf: its first virtual address and its length in bytes, and its kind
 * @throws Error as {@link leaves}, and what `see` throws
 */
export function eachLeaf(
  memory: PhysicalMemory,
  format: PageTableFormat,
  root: number,
  options: ListOptions,
  see: (va: number, sizeBytes: number, kind: LeafEntry["kind"]) => void,
): void {
  for (const { kind, geometry, va } of scan(memory, format, root, options, true)) {
    if (kind !== "table") see(va, geometry.entryBytes, kind);
  }
}

/**
 * Every present directory entry below the root table at physical address `root`, ascending, each before those below it.
 * @throws Error when one points to no page-table page, or to a freed one.
 */
export function* directories(
  memory: PhysicalMemory,
  format: PageTableFormat,
  root: number,
  options: ListOptions = {},
): Generator<DirectoryEntry> {
  for (const { slot, geometry, at, va, child, compact } of scan(memory, format, root, options, false)) {
    yield { va, level: geometry.level, entry: memory.tables.entry(slot, at), slot: child, compact };
  }
}

/** Told of the entries of a tree. */
export interface EntryVisitor {
  /** A present directory entry with these halves, in a table of this level, before those below it. `va` is the first address below it. */
  directory(va: number, level: number, lo: number, hi: number): void;
  /** A present leaf. */
  leaf(va: number, level: number, lo: number, hi: number): void;
}

/**
 * Every present entry below the root table at physical address `root`, ascending: what {@link leaves} and {@link directories} list,
 * without an object for each.
 * @throws Error when a directory entry points to no page-table page, or to a freed one.
 */
export function visitEntries(
  memory: PhysicalMemory,
  format: PageTableFormat,
  root: number,
  visitor: EntryVisitor,
): void {
  const { tables } = memory;
  if (format.paired) {
    for (const { kind, slot, geometry, at, va } of scan(memory, format, root, {}, true)) {
      const tell = kind === "table" ? "directory" : "leaf";
      visitor[tell](va, geometry.level, tables.entryLo(slot, at), tables.entryHi(slot, at));
    }
    return;
  }
  const visit = (slot: number, geometry: LevelGeometry, tableVa: number): void => {
    const { entries, entryBytes, level } = geometry;
    for (let i = 0, va = tableVa; i < entries; i++, va += entryBytes) {
      const lo = tables.entryLo(slot, i);
      const hi = tables.entryHi(slot, i);
      if ((lo | hi) === 0) continue;
      const kind = kindOf(geometry, lo, hi);
      if (kind === "empty") continue;
      if (kind !== "table") {
        visitor.leaf(va, level, lo, hi);
        continue;
      }
      visitor.directory(va, level, lo, hi);
      const child = childOf(tables, format, geometry, va, tableAddress(geometry, lo, hi));
      const compact = (lo & geometry.compactMask) !== 0;
      visit(child, (compact ? geometry.belowCompact : geometry.below) as LevelGeometry, va);
    }
  };
  visit(rootSlotOf(memory, format, root), rootGeometry(format), 0);
}

/**
 * An entry that says something: its table, its place there in 8 bytes, and the table that it points to. There may be millions of leaves:
 * a scan has one of these for all of them, to be read before it goes on.
 */
interface Found {
  kind: "table" | "page" | "null";
  slot: number;
  geometry: LevelGeometry;
  at: number;
  va: number;
  child: number;
  compact: boolean;
}

/** Depth first, parents before children; directory entries only, unless leaves are asked for. */
function* scan(
  memory: PhysicalMemory,
  format: PageTableFormat,
  root: number,
  options: ListOptions,
  withLeaves: boolean,
): Generator<Found> {
  const { tables } = memory;
  const { start = 0, prune } = options;
  const end = Math.min(options.end ?? format.vaEnd, format.vaEnd);
  if (!(start < end)) return;
  const top = rootGeometry(format);
  const firstSlot = rootSlotOf(memory, format, root);
  const stack: Cursor[] = [{ slot: firstSlot, geometry: top, index: entryIndex(top, start), va: 0 }];
  const leaf: Found | null = withLeaves ? noLeaf(firstSlot, top) : null;
  for (let cursor = stack.at(-1); cursor !== undefined; cursor = stack.at(-1)) {
    const { geometry, slot, index } = cursor;
    const va = cursor.va + index * geometry.entryBytes;
    if (index === geometry.entries || va >= end) {
      stack.pop();
      continue;
    }
    cursor.index++;
    const at = entryAt(geometry, index);
    const found = look(tables, format, slot, geometry, at, va, leaf);
    if (found !== null) yield found;
    const compact = found?.kind === "table" ? found : null;
    const { highHalf } = geometry;
    if (highHalf === null) {
      if (compact !== null && !prune?.(compact.child)) stack.push(firstOf(compact, start));
      continue;
    }
    const whole = look(tables, format, slot, highHalf, at + 1, va, null);
    if (whole !== null) yield whole;
    if (leaf === null) continue;
    for (const one of sideBySide(tables, format, geometry, va, compact, whole, leaf)) {
      if (one.va < end && one.va + one.geometry.entryBytes > start) yield one;
    }
  }
}

/** Where to begin in the table that an entry points to. */
function firstOf({ geometry, child, compact, va }: Found, start: number): Cursor {
  const below = (compact ? geometry.belowCompact : geometry.below) as LevelGeometry;
  return { slot: child, geometry: below, index: start > va ? entryIndex(below, start) : 0, va };
}

/** The leaves of two tables for the same addresses, as a walk finds them. */
function* sideBySide(
  tables: TableMemory,
  format: PageTableFormat,
  { belowCompact, below }: LevelGeometry,
  va: number,
  compact: Found | null,
  whole: Found | null,
  leaf: Found,
): Generator<Found> {
  const large = belowCompact as LevelGeometry;
  const small = below as LevelGeometry;
  const each = large.entryBytes / small.entryBytes;
  for (let i = 0; i < large.entries; i++) {
    const first = va + i * large.entryBytes;
    if (compact !== null) {
      const found = look(tables, format, compact.child, large, i, first, leaf);
      if (found !== null) yield found;
      if (tables.entryLo(compact.child, i) !== 0) continue;
    }
    if (whole === null) continue;
    for (let j = 0; j < each; j++) {
      const at = first + j * small.entryBytes;
      const found = look(tables, format, whole.child, small, i * each + j, at, leaf);
      if (found !== null) yield found;
    }
  }
}

/** One entry, null where it says nothing; a leaf is told in `leaf`, and without that it says nothing. */
function look(
  tables: TableMemory,
  format: PageTableFormat,
  slot: number,
  geometry: LevelGeometry,
  at: number,
  va: number,
  leaf: Found | null,
): Found | null {
  const { kind, address, compact } = decodeEntry(
    geometry,
    tables.entryLo(slot, at),
    tables.entryHi(slot, at),
    DECODED,
  );
  if (kind === "empty") return null;
  if (kind !== "table") {
    if (leaf === null) return null;
    leaf.kind = kind;
    leaf.slot = slot;
    leaf.geometry = geometry;
    leaf.at = at;
    leaf.va = va;
    return leaf;
  }
  return { kind, slot, geometry, at, va, child: childOf(tables, format, geometry, va, address), compact };
}

/** Slot of the table that a directory entry points to. */
function childOf(
  tables: TableMemory,
  format: PageTableFormat,
  { level }: LevelGeometry,
  va: number,
  address: number,
): number {
  const child = tables.slotAt(address);
  if (tables.isLive(child)) return child;
  const where = `level ${level} entry for ${hexAddress(va)}`;
  throw new Error(`${format.name}: ${where} points to ${hexAddress(address)}, which is no table in use`);
}

function noLeaf(slot: number, geometry: LevelGeometry): Found {
  return { kind: "page", slot, geometry, at: 0, va: 0, child: -1, compact: false };
}

const DECODED: DecodedEntry = { kind: "empty", address: 0, rights: 0, compact: false };
