/**
 * Which places of a huge and mostly empty address space a picture shows.
 *
 * @module
 */

import type { MappingTuple, Region } from "./story.ts";

/** Smallest gap that separates two places, bytes. */
const GAP = 2 ** 20;
/** More places than this and the gap grows. */
const REGIONS_MAX = 14;

/**
 * Join mappings to regions across small gaps.
 *
 * @param mappings - all that there ever are, in any order
 * @returns regions by VM and address, at most 14 where VMs allow it
 */
export function regionsOf(mappings: readonly MappingTuple[]): Region[] {
  const sorted = [...mappings].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const vms = new Set(sorted.map(([vm]) => vm)).size;
  for (let gap = GAP; ; gap *= 4) {
    const regions = joined(sorted, gap);
    if (regions.length <= Math.max(REGIONS_MAX, vms)) return regions;
  }
}

function joined(sorted: readonly MappingTuple[], gap: number): Region[] {
  const regions: Region[] = [];
  for (const [vm, addr, range] of sorted) {
    const last = regions.at(-1);
    if (last && last.vm === vm && addr - (last.addr + last.range) <= gap) {
      last.range = Math.max(last.range, addr + range - last.addr);
    } else {
      regions.push({ vm, addr, range });
    }
  }
  return regions;
}
