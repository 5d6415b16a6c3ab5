/**
 * The table walk: from a virtual address, level by level, to a leaf or to nothing. It reads the real descriptors and
 * nothing else. The hottest reader of the package: no allocation, no call into the format, and what a caller may not
 * ask for (rights, sizes) is left to the getters of the result.
 */

import type { LevelGeometry, PageTableFormat } from "./format.ts";
import { RIGHT_EXEC, RIGHT_READ, RIGHT_WRITE, rootGeometry } from "./format.ts";
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
export function walkTables(
  tables: TableMemory,
  format: PageTableFormat,
  root: number,
  va: number,
  out: Walk,
): Walk {
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
      if (lo === 0 && tables.filled !== 0 && tables.isFilled(slot)) {
        lo = tables.entryLo(slot, 0);
        hi = tables.entryHi(slot, 0);
      }
      if ((lo & geometry.directoryMask) !== geometry.directoryBits) {
        if ((lo & geometry.presentMask) !== geometry.presentBits) break;
        if ((lo & geometry.nullMask) !== 0) {
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
