/**
 * A walk written down: every entry that it reads, from the root to where it ends. The walk itself keeps only the last one and is in
 * a hurry; this one is for people, and a law holds the two together: the same entries, the same end.
 */

import {
  type EntryKind,
  entryAt,
  entryIndex,
  kindOf,
  type LevelGeometry,
  type PageTableFormat,
  rootGeometry,
  tableAddress,
} from "./format.ts";
import type { PhysicalMemory } from "./physical-memory.ts";

/** One entry that a walk reads. */
export interface WalkStep {
  /** The level of its table; of an entry of two halves that of the half which was read. */
  readonly geometry: LevelGeometry;
  /** Physical address of its table. */
  readonly table: number;
  /** Its number in the table. */
  readonly index: number;
  /** Which half of an entry of two halves; null where entries have one. */
  readonly half: "first" | "second" | null;
  /** Physical address of the entry. */
  readonly address: number;
  /** Low half. */
  readonly lo: number;
  /** High half. */
  readonly hi: number;
  /** What the entry is. */
  readonly kind: EntryKind;
}

/**
 * The entries that a walk to an address reads, in order.
 *
 * Where an entry has two halves, both are read: the walk goes by the first one, and by the second one where the table of the first
 * has a zero, or where there is none.
 *
 * @param memory - that holds the tables
 * @param format - of the tables
 * @param root - physical address of the root table
 * @param va - virtual address in bytes; none outside of the format's width is looked up
 * @returns the entries; the last one decides
 */
export function walkPath(
  memory: PhysicalMemory,
  format: PageTableFormat,
  root: number,
  va: number,
): WalkStep[] {
  const steps: WalkStep[] = [];
  if (!(va >= 0 && va < format.vaEnd)) return steps;
  const { tables } = memory;
  const read = (geometry: LevelGeometry, table: number, half: WalkStep["half"]): WalkStep => {
    const index = entryIndex(geometry, va);
    const slot = tables.slotAt(table);
    const at = half === null ? entryAt(geometry, index) : index * 2 + (half === "second" ? 1 : 0);
    const lo = tables.entryLo(slot, at);
    const hi = tables.entryHi(slot, at);
    const kind = kindOf(geometry, lo, hi);
    const step = { geometry, table, index, half, address: table + at * 8, lo, hi, kind };
    steps.push(step);
    return step;
  };
  let table = root;
  for (let geometry: LevelGeometry | null = rootGeometry(format); geometry !== null; ) {
    if (tables.slotAt(table) < 0) break;
    const { highHalf }: LevelGeometry = geometry;
    let step = read(geometry, table, highHalf === null ? null : "first");
    let next: LevelGeometry | null = (
      step.lo & geometry.compactMask ? geometry.belowCompact : geometry.below
    ) as LevelGeometry | null;
    if (highHalf !== null) {
      const second = read(highHalf, table, "second");
      const isPair = second.kind === "table";
      if (step.kind === "table" && geometry.belowCompact !== null) {
        const compact = tableAddress(geometry, step.lo, step.hi);
        if (tables.slotAt(compact) < 0) break;
        const small = read(geometry.belowCompact, compact, null);
        if (small.lo !== 0 || !isPair) break;
      } else if (!isPair) {
        // The first half decides, so it stands last.
        steps.splice(-2, 2, second, step);
        break;
      }
      step = second;
      geometry = highHalf;
      next = highHalf.below;
    }
    if (step.kind !== "table") break;
    table = tableAddress(geometry, step.lo, step.hi);
    geometry = next;
  }
  return steps;
}
