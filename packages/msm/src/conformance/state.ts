/**
 * The mappings and the page table of a VM against what a vector lists.
 *
 * @module
 */

import type { GemObject } from "@vmbind/drm";
import { FoundLeaves, type Mismatch, mismatch } from "@vmbind/gpuvm-core/conformance";
import { directories, visitEntries } from "@vmbind/mmu";
import type { MsmVm } from "../vm.ts";

type Json = Record<string, unknown>;

/** Runs of leaves that a list has at most. */
const RUNS_LISTED = 150;
/** Mappings that a list has at most. */
const VMAS_LISTED = 120;

/** A number as the vectors write it. */
export function hexOf(value: number): string {
  return `0x${value.toString(16)}`;
}

/**
 * @param vm - the VM
 * @param expected - the members `tables`, `entries`, `digest`, `ptes`, `vma_count` and `vmas` of a case
 * @param idOf - number of an object in the case
 * @returns the first difference, or null
 */
export function compareState(vm: MsmVm, expected: Json, idOf: (gem: GemObject) => number): Mismatch | null {
  const { memory, format, root } = vm.addressSpace;
  const found = new FoundLeaves(expected["ptes"] as unknown[] | undefined);
  visitEntries(memory, format, root, {
    directory: () => {},
    leaf: (va, level, lo, hi) => found.take(va, level, lo, hi),
  });
  const vmas = [...vm.mappings()].map((m) => [
    hexOf(m.addr),
    hexOf(m.range),
    m.gem === null ? 0 : idOf(m.gem),
    hexOf(m.offset),
    m.flags << 2,
    m.mapped ? 1 : 0,
  ]);
  return (
    mismatch("final.tables", expected["tables"], tablesByLevel(vm)) ??
    mismatch("final.entries", expected["entries"], found.count) ??
    found.compare(RUNS_LISTED) ??
    mismatch("final.digest", expected["digest"], found.digest()) ??
    mismatch("final.vma_count", expected["vma_count"], vmas.length) ??
    (expected["vmas"] === undefined && vmas.length > VMAS_LISTED
      ? null
      : mismatch("final.vmas", expected["vmas"], vmas))
  );
}

/** Tables of a VM by level, the root's among them. */
export function tablesByLevel(vm: MsmVm): Readonly<Record<string, number>> {
  const { memory, format, root } = vm.addressSpace;
  const counts: Record<string, number> = { l0: 0, l1: 0, l2: 0, l3: 0 };
  counts[`l${4 - format.levels.length}`] = 1;
  for (const { level } of directories(memory, format, root)) {
    const below = `l${level + 1}`;
    counts[below] = (counts[below] as number) + 1;
  }
  return counts;
}
