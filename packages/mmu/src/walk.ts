/**
 * The table walk: from a virtual address, level by level, to a leaf or to nothing. It reads the real descriptors and
 * nothing else. Allocation-free: the result is written into an object that the caller reuses.
 */

import type { LevelGeometry, PageTableFormat } from "./format.ts";
import { RIGHT_EXEC, RIGHT_READ, RIGHT_WRITE } from "./format.ts";
import type { TableMemory } from "./table-memory.ts";

const TWO_32 = 4294967296;

/** `page`: memory; `null`: a leaf without memory (loads give 0, stores are dropped); `fault`: no translation. */
export type WalkKind = "page" | "null" | "fault";

/** Where a virtual address leads. */
export class Walk {
  /** What was found. */
  kind: WalkKind = "fault";
  /** Physical address of the byte, for a page; 0 otherwise. */
  pa = 0;
  /** Level of the last entry read, in the format's own numbers. */
  level = 0;
  /** Bytes that the leaf covers; 0 for a fault. */
  sizeBytes = 0;
  /** Rights of the GPU: {@link RIGHT_READ} and so on; 0 for a fault. */
  rights = 0;
  /** Level of the entry that was not present, or -1. */
  faultLevel = -1;
  /** Low half of the last entry read. */
  lo = 0;
  /** High half of the last entry read. */
  hi = 0;

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
  const { levels, compact } = format;
  const { words, wordsPerTable } = tables;
  const vaLo = va | 0;
  const vaHi = (va / TWO_32) | 0;
  let geometry = levels[0] as LevelGeometry;
  let slot = root;
  let depth = 0;
  let lo = 0;
  let hi = 0;
  out.pa = 0;
  out.sizeBytes = 0;
  out.rights = 0;
  if (va >= 0 && va < format.vaEnd) {
    for (;;) {
      const { shift } = geometry;
      const bits = shift < 32 ? (vaLo >>> shift) | (vaHi << (32 - shift)) : vaHi >>> (shift - 32);
      const at = slot * wordsPerTable + (bits & (geometry.entries - 1)) * 2;
      lo = words[at] as number;
      hi = words[at + 1] as number;
      depth++;
      if ((lo & geometry.presentMask) !== geometry.presentBits) break;
      if ((lo & geometry.leafMask) === geometry.leafBits) {
        out.level = geometry.level;
        out.faultLevel = -1;
        out.lo = lo;
        out.hi = hi;
        out.sizeBytes = geometry.entryBytes;
        out.rights = format.rights(lo, hi);
        tables.counters.walkSteps += depth;
        if ((lo & geometry.nullMask) !== 0) {
          out.kind = "null";
        } else {
          out.kind = "page";
          const offset = vaLo & ((1 << shift) - 1);
          out.pa = (hi & geometry.leafAddressHi) * TWO_32 + (((lo & geometry.leafAddressLo) | offset) >>> 0);
        }
        return out;
      }
      slot = tables.slotOf(lo & geometry.tableAddressLo, hi & geometry.tableAddressHi);
      if (slot < 0) break;
      geometry = ((lo & geometry.compactMask) !== 0 ? compact : levels[depth]) as LevelGeometry;
    }
  }
  out.kind = "fault";
  out.level = geometry.level;
  out.faultLevel = geometry.level;
  out.lo = lo;
  out.hi = hi;
  tables.counters.walkSteps += depth;
  return out;
}
