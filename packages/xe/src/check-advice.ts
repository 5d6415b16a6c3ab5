/**
 * Invariants of what MADVISE changes: attributes that can be, zeroes where leaves were zapped, objects that know how many of
 * their mappings are needed.
 *
 * @module
 */

import type { GemObject } from "@vmbind/drm";
import type { ExpectedRange, LevelGeometry } from "@vmbind/mmu";
import { XeBo } from "./bo.ts";
import type { XeDevice } from "./device.ts";
import { ATOMIC_CPU } from "./uapi-madvise.ts";
import type { XeVm } from "./vm.ts";
import { VMA_ZAPPED } from "./vma.ts";

/** What is wrong with a mapping's memory attributes, null when nothing is. */
export function attributeProblem(
  { vmas, platform, gpuvm }: XeVm,
  va: number,
  mirror: boolean,
): string | null {
  const pat = platform.pat[vmas.pat[va] as number];
  if (pat === undefined || pat.coherency === "reserved") return `PAT index ${vmas.pat[va]}`;
  if (vmas.atomic(va) > ATOMIC_CPU) return `atomics ${vmas.atomic(va)}`;
  if (!mirror && (vmas.location(va) !== 0 || vmas.migration(va) !== 0)) return "a preferred location";
  if (vmas.purgeable(va) !== 0 && gpuvm.gemId(va) === 0) return "a purgeable state, but no object";
  return null;
}

const NOTHING_ZAPPED: ReadonlySet<number> = new Set();

/** Entries of a table that a zapped mapping covers, as indices; their children are in no one's reach. */
export function zappedEntries(vm: XeVm, geometry: LevelGeometry, va: number): ReadonlySet<number> {
  const { gpuvm, vmas } = vm;
  const { entries, entryBytes } = geometry;
  let zapped: Set<number> | null = null;
  for (const mapping of gpuvm.mappingsIn(va, entries * entryBytes)) {
    if (((vmas.state[mapping] as number) & VMA_ZAPPED) === 0) continue;
    const first = Math.max(0, Math.ceil((gpuvm.addr(mapping) - va) / entryBytes));
    const last = Math.min(entries, Math.floor((gpuvm.end(mapping) - va) / entryBytes));
    zapped ??= new Set();
    for (let i = first; i < last; i++) zapped.add(i);
  }
  return zapped ?? NOTHING_ZAPPED;
}

/**
 * What a zapped mapping leaves in a scratch VM, where zero is not the empty entry: zeroes, as few and as large as they can be.
 * Elsewhere a zapped entry looks like an empty one.
 */
export function zappedRange({ addressSpace }: XeVm, start: number, end: number): ExpectedRange {
  const { levels } = addressSpace.format;
  return {
    start,
    end,
    leaf(at, geometry, out) {
      out.lo = 0;
      out.hi = 0;
      const larger = levels.some(({ entryBytes }) => {
        const first = Math.floor(at / entryBytes) * entryBytes;
        return entryBytes > geometry.entryBytes && first >= start && first + entryBytes <= end;
      });
      return !larger;
    },
  };
}

/** Objects know how many of their mappings are needed; a purged one has no memory. */
export function checkPurgeable(device: XeDevice, vms: readonly XeVm[]): void {
  const counts = new Map<GemObject, { mappings: number; willNeed: number }>();
  for (const { gpuvm, vmas } of vms) {
    for (const va of gpuvm.mappings()) {
      const gem = gpuvm.gem(va);
      if (gem === null) continue;
      const count = counts.get(gem) ?? { mappings: 0, willNeed: 0 };
      count.mappings++;
      if (vmas.purgeable(va) === 0) count.willNeed++;
      counts.set(gem, count);
    }
  }
  for (const gem of device.gems.values()) {
    if (!(gem instanceof XeBo)) continue;
    const { mappings, willNeed } = counts.get(gem) ?? { mappings: 0, willNeed: 0 };
    if (gem.mappings !== mappings || gem.willNeedMappings !== willNeed) {
      throw new Error(
        `purgeable: GEM ${gem.id} counts ${gem.willNeedMappings} of ${gem.mappings} mappings as needed; there are ${willNeed} of ${mappings}`,
      );
    }
    if (gem.purged && gem.pages !== null) throw new Error(`purgeable: GEM ${gem.id} is purged and has pages`);
  }
}
