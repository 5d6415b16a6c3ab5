/**
 * The table walk: from a virtual address, level by level, to a leaf or to nothing. It reads the real descriptors and
 * nothing else. The hottest reader of the package: no allocation, no call into the format, and what a caller may not
 * ask for (rights, sizes) is left to the getters of the result.
 */

import type { LevelGeometry, PageTableFormat } from "./format.ts";
import {
  entryAt,
  entryIndex,
  kindOf,
  leafAddress,
  RIGHT_EXEC,
  RIGHT_READ,
  RIGHT_WRITE,
  rootGeometry,
  tableAddress,
} from "./format.ts";
import type { TableMemory } from "./table-memory.ts";

const TWO_32 = 4294967296;

/** `page`: memory; `null`: a leaf without memory (loads give 0, stores are dropped); `fault`: no translation. */
export type WalkKind = "page" | "null" | "fault";

/** Where a virtual address leads. Reused as an out argument. */
export class Walk {
  /** What was found. */
  kind: WalkKind = "fault";
  /** Physical address of the byte, for a page; 0 otherwise. */
  pa = 0;
  /** The level of the last entry read; null before the first walk. */
  geometry: LevelGeometry | null = null;
  /** Low half of the last entry read. */
  lo = 0;
  /** High half of the last entry read. */
  hi = 0;

  /** Level of the last entry read, in the format's own numbers. */
  get level(): number {
    return this.geometry?.level ?? -1;
  }

  /** Level of the entry that was not present, or -1. */
  get faultLevel(): number {
    return this.kind === "fault" ? this.level : -1;
  }

  /** Bytes that the leaf covers; 0 for a fault. */
  get sizeBytes(): number {
    return this.kind === "fault" || this.geometry === null ? 0 : this.geometry.entryBytes;
  }

  /** Rights of the GPU: {@link RIGHT_READ} and so on; 0 for a fault. */
  get rights(): number {
    return this.kind === "fault" || this.geometry === null ? 0 : this.geometry.rights(this.lo, this.hi);
  }

  /** Whether the GPU may load. */
  get readable(): boolean {
    return (this.rights & RIGHT_READ) !== 0;
  }

  /** Whether the GPU may store. */
  get writable(): boolean {
    return (this.rights & RIGHT_WRITE) !== 0;
  }

  /** Whether the GPU may fetch instructions. */
  get executable(): boolean {
    return (this.rights & RIGHT_EXEC) !== 0;
  }
}

/**
 * Walks from the root table in slot `root` to virtual address `va` (bytes). Also a fault: an address outside of the
 * format's width, and a directory entry that points to no page-table page.
 */
export type Walker = (
  tables: TableMemory,
  format: PageTableFormat,
  root: number,
  va: number,
  out: Walk,
) => Walk;

/** The walk for a format, to be asked for once: what few formats need, the walk of the others does not pay for. */
export function walkerOf(format: PageTableFormat): Walker {
  if (format.paired) return walkPaired;
  return rootGeometry(format).kinds === null ? walkPlain : walkKinds;
}

/** The plain walk, where masks of the low half tell everything. */
function walkPlain(tables: TableMemory, format: PageTableFormat, root: number, va: number, out: Walk): Walk {
  const { words, wordsPerTableLg2 } = tables;
  const vaLo = va | 0;
  const vaHi = (va / TWO_32) | 0;
  let geometry = rootGeometry(format);
  let slot = root;
  let steps = 0;
  let lo = 0;
  let hi = 0;
  out.kind = "fault";
  out.pa = 0;
  if (va >= 0 && va < format.vaEnd) {
    for (;;) {
      const { shift } = geometry;
      // All of it in signed 32 bits: one unsigned result, and the engine goes on in doubles.
      const bits = shift < 32 ? (vaLo >>> shift) | (vaHi << (32 - shift)) : vaHi >> (shift - 32);
      const at = (slot << wordsPerTableLg2) + ((bits & (geometry.entries - 1)) << 1);
      lo = words[at] as number;
      hi = words[at + 1] as number;
      steps++;
      if (lo === 0 && tables.isFilled(slot)) {
        lo = tables.entryLo(slot, 0);
        hi = tables.entryHi(slot, 0);
      }
      if ((lo & geometry.directoryMask) !== geometry.directoryBits) {
        // In the formats that are walked here a null page is present.
        if ((lo & geometry.presentMask) !== geometry.presentBits) break;
        if ((lo & geometry.nullMask) === geometry.nullBits) {
          out.kind = "null";
        } else {
          const offset = vaLo & ((1 << shift) - 1);
          out.kind = "page";
          out.pa = (hi & geometry.leafAddressHi) * TWO_32 + (((lo & geometry.leafAddressLo) | offset) >>> 0);
        }
        break;
      }
      slot = tables.slotOf(lo & geometry.tableAddressLo, hi & geometry.tableAddressHi);
      if (slot < 0) break;
      geometry = (
        (lo & geometry.compactMask) !== 0 ? geometry.belowCompact : geometry.below
      ) as LevelGeometry;
    }
  }
  out.geometry = geometry;
  out.lo = lo;
  out.hi = hi;
  tables.counters.walkSteps += steps;
  return out;
}

/**
 * The same where an entry of one level has two halves with a table each. A leaf in the compact table hides what the other one
 * has there; zero in it sends the walk to the other table, and anything else that is no leaf is a fault.
 */
function walkPaired(tables: TableMemory, format: PageTableFormat, root: number, va: number, out: Walk): Walk {
  let geometry = rootGeometry(format);
  let slot = root;
  let steps = 0;
  let lo = 0;
  let hi = 0;
  out.kind = "fault";
  out.pa = 0;
  if (va >= 0 && va < format.vaEnd) {
    for (;;) {
      const at = entryAt(geometry, entryIndex(geometry, va));
      lo = tables.entryLo(slot, at);
      hi = tables.entryHi(slot, at);
      steps++;
      const high = geometry.highHalf;
      if (high !== null) {
        const highLo = tables.entryLo(slot, at + 1);
        const highHi = tables.entryHi(slot, at + 1);
        const isPair = (highLo & high.directoryMask) === high.directoryBits;
        if ((lo & geometry.directoryMask) === geometry.directoryBits) {
          const compact = geometry.belowCompact as LevelGeometry;
          slot = tables.slotAt(tableAddress(geometry, lo, hi));
          if (slot < 0) break;
          geometry = compact;
          lo = tables.entryLo(slot, entryIndex(compact, va));
          hi = tables.entryHi(slot, entryIndex(compact, va));
          steps++;
          if (lo !== 0 || !isPair) {
            finish(geometry, lo, hi, va, out);
            break;
          }
        } else if (!isPair) {
          finish(geometry, lo, hi, va, out);
          break;
        }
        slot = tables.slotAt(tableAddress(high, highLo, highHi));
        if (slot < 0) break;
        geometry = high.below as LevelGeometry;
        continue;
      }
      if ((lo & geometry.directoryMask) !== geometry.directoryBits) {
        finish(geometry, lo, hi, va, out);
        break;
      }
      slot = tables.slotAt(tableAddress(geometry, lo, hi));
      if (slot < 0) break;
      geometry = geometry.below as LevelGeometry;
    }
  }
  out.geometry = geometry;
  out.lo = lo;
  out.hi = hi;
  tables.counters.walkSteps += steps;
  return out;
}

/** The same where the low half of an entry does not tell what it is. */
function walkKinds(tables: TableMemory, format: PageTableFormat, root: number, va: number, out: Walk): Walk {
  let geometry = rootGeometry(format);
  let slot = root;
  let steps = 0;
  let lo = 0;
  let hi = 0;
  out.kind = "fault";
  out.pa = 0;
  if (va >= 0 && va < format.vaEnd) {
    for (;;) {
      const index = entryIndex(geometry, va);
      lo = tables.entryLo(slot, index);
      hi = tables.entryHi(slot, index);
      steps++;
      if (kindOf(geometry, lo, hi) !== "table") {
        finish(geometry, lo, hi, va, out);
        break;
      }
      slot = tables.slotAt(tableAddress(geometry, lo, hi));
      if (slot < 0) break;
      geometry = geometry.below as LevelGeometry;
    }
  }
  out.geometry = geometry;
  out.lo = lo;
  out.hi = hi;
  tables.counters.walkSteps += steps;
  return out;
}

/** What an entry without a table says. The byte in the page is added: a large page need not be aligned to its size. */
function finish(geometry: LevelGeometry, lo: number, hi: number, va: number, out: Walk): void {
  const kind = kindOf(geometry, lo, hi);
  if (kind === "null") {
    out.kind = "null";
  } else if (kind === "page") {
    out.kind = "page";
    out.pa = leafAddress(geometry, lo, hi) + (va % geometry.entryBytes);
  }
}
