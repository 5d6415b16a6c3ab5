/**
 * Invariants of page tables and TLB, for tests and tools: what is in memory must be exactly what the mappings say, and
 * every table page must hang below exactly one directory entry. Everything is read from the descriptors; nothing here
 * shares code with the writers.
 *
 * A check that fails throws an `Error` whose message begins with the invariant's name: `table-dead`, `table-shared`,
 * `table-leak`, `table-counters`, `leaf-unexplained`, `leaf-size`, `leaf-value`, `leaf-missing`, `leaf-hidden`, `space-dead`,
 * `tlb-stale`.
 */

import { hexAddress } from "./address.ts";
import type { AddressSpace } from "./address-space.ts";
import { rootSlotOf } from "./address-space.ts";
import type { PageTableFormat } from "./format.ts";
import type { PhysicalMemory } from "./physical-memory.ts";
import { descriptorText, type ExpectedTree, type TableVisitor, TreeCheck } from "./tree-check.ts";
import { Walk } from "./walk.ts";

/**
 * Check one tree against what it should translate: each leaf belongs to one range and holds what that says, each byte
 * of each range has a leaf, no directory entry points to a page that is free or that was met before.
 *
 * @param memory - where the tables are
 * @param format - their format
 * @param tree - root and ranges
 * @param seen - slots of the table pages met so far; those of this tree are added
 * @param visit - sees each table page, children first
 * @throws Error that names the invariant and the place
 */
export function checkTables(
  memory: PhysicalMemory,
  format: PageTableFormat,
  tree: ExpectedTree,
  seen: Set<number> = new Set(),
  visit?: TableVisitor,
): void {
  new TreeCheck(memory.tables, format, tree, seen, visit).run(rootSlotOf(memory, format, tree.root));
}

/**
 * Check that the table pages met below all roots of a device are all that are in use, and that the counters agree.
 *
 * @param memory - the device's memory
 * @param seen - slots met, from {@link checkTables}
 * @throws Error that names the invariant
 */
export function checkTablePages(memory: PhysicalMemory, seen: ReadonlySet<number>): void {
  const { tables, counters } = memory;
  if (seen.size !== tables.live) {
    throw new Error(`table-leak: ${tables.live} table pages in use, ${seen.size} can be reached`);
  }
  const { tablesLive, tablesAllocated, tablesFreed, tablesPeak } = counters;
  if (tablesLive !== tables.live || tablesAllocated - tablesFreed !== tablesLive || tablesPeak < tablesLive) {
    throw new Error(
      `table-counters: live ${tablesLive}, allocated ${tablesAllocated}, freed ${tablesFreed}, peak ${tablesPeak}; ` +
        `${tables.live} are in use`,
    );
  }
}

/**
 * Check that an address space is alive, and that what the TLB remembers of it is what a walk finds now.
 *
 * @param space - the address space of a VM that is there
 * @throws Error `space-dead`, `tlb-stale`
 */
export function checkTlb(space: AddressSpace): void {
  if (!space.alive)
    throw new Error(`space-dead: asid ${space.asid}: its root table ${hexAddress(space.root)} was freed`);
  if (space.tlb === null) return;
  const walk = new Walk();
  for (const { va, leaf } of space.tlb.remembered(space.asid)) {
    space.walk(va, walk);
    if (
      walk.kind !== leaf.kind ||
      walk.lo !== leaf.lo ||
      walk.hi !== leaf.hi ||
      walk.geometry !== leaf.geometry
    ) {
      throw new Error(
        `tlb-stale: asid ${space.asid}, ${hexAddress(va)}: the TLB has a ${leaf.kind} (${descriptorText(leaf.lo, leaf.hi)}), ` +
          `a walk finds a ${walk.kind} (${descriptorText(walk.lo, walk.hi)})`,
      );
    }
  }
}
