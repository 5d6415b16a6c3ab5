/**
 * A VM's mappings for people and tools to read: GPUVM's part, and what the driver keeps beside it.
 *
 * @module
 */

import type { GemHandles, MappingView, VaRange } from "@vmbind/drm";
import type { Gpuvm } from "@vmbind/gpuvm-core";
import type { XeBo } from "./bo.ts";
import { VMA_PRESENT, VMA_SPARSE, VMA_SYSTEM_ALLOCATOR, VMA_ZAPPED, type XeVmas } from "./vma.ts";

/** One mapping of an Xe VM. */
export interface XeMappingView extends MappingView {
  /** PAT index. */
  patIndex: number;
  /** Its leaves are in the page table, or were until MADVISE or a purge zapped them. */
  present: boolean;
  /** Its leaves are zero until it is bound again. */
  zapped: boolean;
  /** Who uses atomics there, `ATOMIC_*`. */
  atomic: number;
  /** Preferred location, `PREFERRED_LOC_*`. */
  location: number;
  /** `MIGRATE_*`. */
  migration: number;
  /** `VMA_PURGEABLE_STATE_*`. */
  purgeable: number;
}

/**
 * The mappings of a VM, ascending.
 *
 * @param gpuvm - the mappings
 * @param vmas - their records
 * @param handles - of the VM's file
 * @param within - only those that meet this range; all unless given
 */
export function* mappingViews(
  gpuvm: Gpuvm,
  vmas: XeVmas,
  handles: GemHandles<XeBo>,
  within?: VaRange,
): Generator<XeMappingView> {
  for (const va of gpuvm.mappingsOf(within)) {
    const flags = vmas.flags[va] as number;
    const gem = gpuvm.gem(va) as XeBo | null;
    yield {
      addr: gpuvm.addr(va),
      range: gpuvm.rangeOf(va),
      kind: kindOf(flags, gem),
      bo: gem === null ? 0 : handles.handleOf(gem),
      gem,
      offset: gpuvm.offset(va),
      flags,
      patIndex: vmas.pat[va] as number,
      present: ((vmas.state[va] as number) & VMA_PRESENT) !== 0,
      zapped: ((vmas.state[va] as number) & VMA_ZAPPED) !== 0,
      atomic: vmas.atomic(va),
      location: vmas.location(va),
      migration: vmas.migration(va),
      purgeable: vmas.purgeable(va),
    };
  }
}

function kindOf(flags: number, gem: XeBo | null): string {
  if (flags & VMA_SYSTEM_ALLOCATOR) return "cpu-addr-mirror";
  if (flags & VMA_SPARSE) return "null";
  return gem === null ? "userptr" : "bo";
}
