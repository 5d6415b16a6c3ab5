/**
 * Listings of a page-table tree: what is really in memory, entry by entry, in the order of virtual addresses. For
 * tests, `explain` and comparisons with real kernels; the GPU itself only walks.
 */

import { hexAddress } from "./address.ts";
import { rootSlotOf } from "./address-space.ts";
import type { DecodedEntry, LevelGeometry, PageTableFormat } from "./format.ts";
import { decodeEntry, entryIndex, rootGeometry } from "./format.ts";
import type { PhysicalMemory } from "./physical-memory.ts";

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
  for (const found of scan(memory, format, root, options)) {
    const { kind, cursor, va } = found;
    if (kind === "table") continue;
    yield {
      va,
      level: cursor.geometry.level,
      entry: memory.tables.entry(cursor.slot, cursor.index),
      sizeBytes: cursor.geometry.entryBytes,
      kind,
      compact: cursor.geometry.isCompact,
    };
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
  for (const found of scan(memory, format, root, options)) {
    if (found.kind !== "table") continue;
    const { cursor, va, child, compact } = found;
    const entry = memory.tables.entry(cursor.slot, cursor.index);
    yield { va, level: cursor.geometry.level, entry, slot: child, compact };
  }
}

interface Found {
  kind: "table" | "page" | "null";
  cursor: Cursor;
  va: number;
  child: number;
  compact: boolean;
}

/** Depth first, parents before children. */
function* scan(
  memory: PhysicalMemory,
  format: PageTableFormat,
  root: number,
  options: ListOptions,
): Generator<Found> {
  const { tables } = memory;
  const { start = 0, prune } = options;
  const end = Math.min(options.end ?? format.vaEnd, format.vaEnd);
  if (!(start < end)) return;
  const decoded: DecodedEntry = { kind: "empty", address: 0, rights: 0, compact: false };
  const top = rootGeometry(format);
  const firstSlot = rootSlotOf(memory, format, root);
  const stack: Cursor[] = [{ slot: firstSlot, geometry: top, index: entryIndex(top, start), va: 0 }];
  for (let cursor = stack.at(-1); cursor !== undefined; cursor = stack.at(-1)) {
    const { geometry, slot, index } = cursor;
    const va = cursor.va + index * geometry.entryBytes;
    if (index === geometry.entries || va >= end) {
      stack.pop();
      continue;
    }
    decodeEntry(geometry, tables.entryLo(slot, index), tables.entryHi(slot, index), decoded);
    const { kind, compact, address } = decoded;
    if (kind === "table") {
      const child = tables.slotAt(address);
      if (!tables.isLive(child)) {
        const where = `level ${geometry.level} entry for ${hexAddress(va)}`;
        throw new Error(
          `${format.name}: ${where} points to ${hexAddress(address)}, which is no table in use`,
        );
      }
      yield { kind, cursor, va, child, compact };
      if (!prune?.(child)) {
        const below = (compact ? geometry.belowCompact : geometry.below) as LevelGeometry;
        const first = start > va ? entryIndex(below, start) : 0;
        stack.push({ slot: child, geometry: below, index: first, va });
      }
    } else if (kind !== "empty") {
      yield { kind, cursor, va, child: -1, compact: false };
    }
    cursor.index++;
  }
}
