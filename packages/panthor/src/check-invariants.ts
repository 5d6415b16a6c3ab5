/**
 * Invariants of a panthor device, for tests and tools: what GPUVM and the page tables promise by themselves, and that
 * the two say the same. Every leaf is derived again from the mapping that it belongs to; whether a chunk is a block or
 * 512 pages depends on its history, so both are right wherever a block is possible.
 *
 * They hold between ioctls, for a page table that is not broken. Besides the names of `checkGpuvm`, `checkGemRefs`,
 * `checkTables` and `checkTlb`, an error may begin with `leaf-owner`, `sparse-phase`, `pins` or `backing-bytes`.
 *
 * @module
 */

import {
  checkGemRefs,
  checkGpuvm,
  checkGpuvmCounters,
  checkUapiCounters,
  type GemObject,
} from "@vmbind/gpuvm-core";
import {
  addressHi,
  addressLo,
  checkTablePages,
  checkTables,
  checkTlb,
  type ExpectedRange,
  IOMMU_CACHE,
  IOMMU_NOEXEC,
  IOMMU_READ,
  IOMMU_WRITE,
  lpaeLeafHi,
  lpaeLeafLo,
  type ScatterList,
} from "@vmbind/mmu";
import { PanthorBo } from "./bo.ts";
import type { PanthorDevice } from "./device.ts";
import type { PanthorFile } from "./file.ts";
import { BLOCK_BYTES } from "./page-sizes.ts";
import { MAP_NOEXEC, MAP_READONLY, MAP_UNCACHED } from "./uapi.ts";
import type { PanthorMappingView, PanthorVm } from "./vm.ts";

/**
 * Check one VM.
 *
 * @param vm - a VM
 * @param seen - table pages of VMs checked before; those of this VM are added
 * @throws Error that names the invariant and the place
 */
export function checkInvariants(vm: PanthorVm, seen: Set<number> = new Set()): void {
  const { gpuvm, queue, addressSpace } = vm;
  checkGpuvm(gpuvm, {
    vm: (vm.destroyed ? 0 : 1) + queue.length,
    vmBo: (vmBo) => queue.jobs.filter(({ op }) => op.vmBo === vmBo).length,
  });
  // What a broken table holds is no longer told by the mappings; nobody uses it.
  if (vm.pageTable.broken) return;
  const ranges: ExpectedRange[] = [];
  for (const mapping of vm.mappings()) {
    if (!mapping.evicted && mapping.range > 0) ranges.push(expectedRange(vm, mapping));
  }
  checkTables(addressSpace.memory, addressSpace.format, { root: addressSpace.root, ranges }, seen);
  if (vm.as.active) checkTlb(addressSpace);
}

/** The leaves of one mapping. */
function expectedRange(vm: PanthorVm, mapping: PanthorMappingView): ExpectedRange {
  const { addr, range, kind, gem, offset, repeatRange, phase } = mapping;
  const where = `mapping 0x${addr.toString(16)}..0x${(addr + range).toString(16)}`;
  if (!(gem instanceof PanthorBo) || vm.gpuvm.gems.get(gem.id) !== gem || gem.pages === null) {
    throw new Error(`leaf-owner: ${where} shows an object that is gone or has no pages`);
  }
  if (kind === "sparse" && (gem !== vm.dummy || offset !== addr % BLOCK_BYTES)) {
    throw new Error(
      `sparse-phase: ${where} does not show the dummy at its own phase, but 0x${offset.toString(16)}`,
    );
  }
  const pages = gem.pages;
  const prot = protOf(mapping.flags);
  const hi = lpaeLeafHi(prot);
  return {
    start: addr,
    end: addr + range,
    leaf(va, geometry, out) {
      let at = offset + (va - addr);
      let left = Number.POSITIVE_INFINITY;
      if (kind === "sparse") {
        at = va % BLOCK_BYTES;
        left = BLOCK_BYTES - at;
      } else if (kind === "repeat") {
        const inWindow = (va - addr + phase) % repeatRange;
        at = offset + inWindow;
        left = repeatRange - inWindow;
      }
      const pa = contiguous(pages, at, geometry.entryBytes);
      if (left < geometry.entryBytes || geometry.level < 2 || pa % geometry.entryBytes !== 0) return false;
      out.lo = addressLo(pa) | lpaeLeafLo(geometry.level, prot);
      out.hi = addressHi(pa) | hi;
      return true;
    },
  };
}

/** Physical address of bytes that lie in one segment, NaN when they do not. */
function contiguous(pages: ScatterList, offset: number, bytes: number): number {
  const segment = pages.segmentAt(offset);
  if (segment < 0) return Number.NaN;
  const skip = offset - (pages.offset[segment] as number);
  return skip + bytes <= (pages.bytes[segment] as number) ? (pages.pa[segment] as number) + skip : Number.NaN;
}

function protOf(flags: number): number {
  let prot = IOMMU_READ;
  if ((flags & MAP_READONLY) === 0) prot |= IOMMU_WRITE;
  if ((flags & MAP_NOEXEC) !== 0) prot |= IOMMU_NOEXEC;
  if ((flags & MAP_UNCACHED) === 0) prot |= IOMMU_CACHE;
  return prot;
}

/**
 * Check a device: every VM, then what no VM knows alone. A destroyed VM that queued jobs keep alive is out of reach.
 *
 * @param device - the device
 * @param files - all its open files
 * @throws Error that names the invariant and the place
 */
export function checkDeviceInvariants(device: PanthorDevice, files: Iterable<PanthorFile>): void {
  const { memory, counters, gems } = device;
  const vms = [...files].flatMap((file) => [...file.vms()].map(([, vm]) => vm));
  const seen = new Set<number>();
  for (const vm of vms) checkInvariants(vm, seen);
  if (!vms.some((vm) => vm.pageTable.broken)) checkTablePages(memory, seen);
  checkUapiCounters(counters);
  checkGpuvmCounters(
    counters,
    vms.map((vm) => vm.gpuvm),
  );

  const held = new Map<GemObject, number>();
  const pins = new Map<GemObject, number>();
  const add = (map: Map<GemObject, number>, gem: GemObject | null): void => {
    if (gem !== null) map.set(gem, (map.get(gem) ?? 0) + 1);
  };
  add(held, device.dummy);
  for (const file of files) {
    add(held, file.dummy);
    for (const [, bo] of file.bos()) add(held, bo);
  }
  for (const { gpuvm, dummy, queue } of vms) {
    add(held, gpuvm.resvObject);
    add(held, dummy);
    for (const { op } of queue.jobs) {
      add(held, op.bo);
      add(pins, op.bo);
    }
  }
  let backing = 0;
  for (const gem of gems.values()) {
    if (!(gem instanceof PanthorBo)) continue;
    if (gem.exclusiveVm !== null) add(held, gem.exclusiveVm.gpuvm.resvObject);
    if (gem.pages !== null && gem.ownsPages) backing += gem.pages.totalBytes;
    if (gem.pins !== (pins.get(gem) ?? 0)) {
      throw new Error(`pins: GEM ${gem.id} is pinned ${gem.pins} times, by ${pins.get(gem) ?? 0} jobs`);
    }
  }
  checkGemRefs(gems, (gem) => held.get(gem) ?? 0);
  if (backing !== counters.backingBytes) {
    throw new Error(`backing-bytes: ${counters.backingBytes} counted, the objects' pages have ${backing}`);
  }
}
