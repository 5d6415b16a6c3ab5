/**
 * Invariants of a panthor device, for tests and tools: what GPUVM and the page tables promise by themselves, and that
 * the two say the same. Every leaf is derived again from the mapping that it belongs to; whether a chunk is a block or
 * 512 pages depends on its history, so both are right wherever a block is possible.
 *
 * They hold between ioctls, for a page table that is not broken. With quirk `repeatPhaseShift` a leaf of a
 * repeated mapping may show any page of the window; with quirk `repeatWholeWindows` leaves may be missing at
 * the mapping's ends. Besides the names of `checkGpuvm`, `checkGemRefs`,
 * `checkTables` and `checkTlb`, an error may begin with `leaf-owner`, `sparse-phase`, `as-slots`, `pins` or `backing-bytes`.
 *
 * @module
 */

import { checkGemRefs, checkUapiCounters, type GemObject } from "@vmbind/drm";
import { checkGpuvm, checkGpuvmCounters } from "@vmbind/gpuvm-core";
import {
  AddressSpace,
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
import { BLOCK_2M, PAGE_BYTES } from "./page-sizes.ts";
import { NO_QUIRKS, type PanthorQuirks } from "./quirks.ts";
import { MAP_NOEXEC, MAP_READONLY, MAP_UNCACHED } from "./uapi.ts";
import type { PanthorMappingView, PanthorVm } from "./vm.ts";

/**
 * Check one VM.
 *
 * @param vm - a VM
 * @param seen - table pages of VMs checked before; those of this VM are added
 * @param quirks - what the device has of them
 * @throws Error that names the invariant and the place
 */
export function checkInvariants(
  vm: PanthorVm,
  seen: Set<number> = new Set(),
  quirks: Readonly<PanthorQuirks> = NO_QUIRKS,
): void {
  const { gpuvm, queue, addressSpace } = vm;
  checkGpuvm(gpuvm, {
    vm: (vm.destroyed ? 0 : 1) + queue.length,
    vmBo: (vmBo) => queue.jobs.filter(({ op }) => op.vmBo === vmBo).length,
  });
  // What a broken table holds is no longer told by the mappings; nobody uses it.
  if (vm.pageTable.broken) return;
  const ranges: ExpectedRange[] = [];
  for (const mapping of vm.mappings()) {
    if (mapping.evicted || mapping.range === 0) continue;
    const range = expectedRange(vm, mapping, quirks);
    if (mapping.kind === "repeat" && quirks.repeatWholeWindows) {
      ranges.push(...withoutHoles(vm, range, mapping.repeatRange));
    } else {
      ranges.push(range);
    }
  }
  checkTables(addressSpace.memory, addressSpace.format, { root: addressSpace.root, ranges }, seen);
  const { slot: asid } = vm.as;
  const { memory, format, root, tlb } = addressSpace;
  if (asid !== 0 && tlb !== null) checkTlb(new AddressSpace(memory, format, root, { asid, tlb }));
}

/** The leaves of one mapping. */
function expectedRange(
  vm: PanthorVm,
  mapping: PanthorMappingView,
  quirks: Readonly<PanthorQuirks>,
): ExpectedRange {
  const { addr, range, kind, gem, offset, repeatRange, phase } = mapping;
  // Put into words only when it is wrong: everything is looked at after every call.
  const where = (): string => `mapping 0x${addr.toString(16)}..0x${(addr + range).toString(16)}`;
  if (!(gem instanceof PanthorBo) || vm.gpuvm.gems.get(gem.id) !== gem || gem.pages === null) {
    throw new Error(`leaf-owner: ${where()} shows an object that is gone or has no pages`);
  }
  if (kind === "sparse" && (gem !== vm.dummy || offset !== addr % BLOCK_2M)) {
    throw new Error(
      `sparse-phase: ${where()} does not show the dummy at its own phase, but 0x${offset.toString(16)}`,
    );
  }
  const pages = gem.pages;
  const prot = protOf(mapping.flags);
  const hi = lpaeLeafHi(prot);
  const shown =
    kind === "repeat" && quirks.repeatPhaseShift ? pagesOfWindow(pages, offset, repeatRange) : null;
  return {
    start: addr,
    end: addr + range,
    leaf(va, geometry, out) {
      let at = offset + (va - addr);
      let left = Number.POSITIVE_INFINITY;
      if (kind === "sparse") {
        at = va % BLOCK_2M;
        left = BLOCK_2M - at;
      } else if (kind === "repeat") {
        const inWindow =
          shown === null
            ? (va - addr + phase) % repeatRange
            : (shown.get(vm.addressSpace.walk(va).pa) ?? Number.NaN);
        at = offset + inWindow;
        left = repeatRange - inWindow;
      }
      const { level, entryBytes } = geometry;
      const segment = pages.segmentAt(at);
      if (level < 2 || segment < 0) return false;
      const skip = at - (pages.offset[segment] as number);
      const run = Math.min(left, (pages.bytes[segment] as number) - skip);
      const pa = (pages.pa[segment] as number) + skip;
      // Leaves are below 4 GiB, so the low half tells whether it is a multiple; a remainder of doubles is slow.
      if (run < entryBytes || (addressLo(pa) & (entryBytes - 1)) !== 0) return false;
      out.lo = addressLo(pa) | lpaeLeafLo(level, prot);
      out.hi = addressHi(pa) | hi;
      out.repeats = kind === "repeat" && repeatRange === entryBytes;
      if (shown === null) out.run = out.repeats ? addr + range - va : run;
      return true;
    },
  };
}

/** The byte of the window that each of its physical pages begins with. */
function pagesOfWindow(pages: ScatterList, offset: number, repeatRange: number): Map<number, number> {
  const shown = new Map<number, number>();
  for (let at = 0; at < repeatRange; at += PAGE_BYTES) shown.set(pages.addressAt(offset + at), at);
  return shown;
}

/**
 * The parts of a repeated mapping that are there, when its pieces were mapped again by whole windows: a cut maps again
 * what it left in a chunk, which is then the mapping's first or last; an eviction maps the whole of it again, but for
 * less than a window at the end.
 */
function withoutHoles(vm: PanthorVm, range: ExpectedRange, repeatRange: number): ExpectedRange[] {
  const { start, end, leaf } = range;
  const chunk = (va: number): number => Math.floor(va / BLOCK_2M) * BLOCK_2M;
  const afterFirst = chunk(start) + BLOCK_2M;
  const beforeLast = Math.min(chunk(end - 1), end - repeatRange);
  const parts: ExpectedRange[] = [];
  let from = start;
  for (let va = start; va < end; va += PAGE_BYTES) {
    if (va >= afterFirst && va < beforeLast) va = beforeLast;
    if (vm.addressSpace.walk(va).kind !== "fault") continue;
    if (from < va) parts.push({ start: from, end: va, leaf });
    from = va + PAGE_BYTES;
  }
  if (from < end) parts.push({ start: from, end, leaf });
  return parts;
}

function protOf(flags: number): number {
  let prot = IOMMU_READ;
  if ((flags & MAP_READONLY) === 0) prot |= IOMMU_WRITE;
  if ((flags & MAP_NOEXEC) !== 0) prot |= IOMMU_NOEXEC;
  if ((flags & MAP_UNCACHED) === 0) prot |= IOMMU_CACHE;
  return prot;
}

/**
 * Check a device: every VM, destroyed ones too that are still there, then what no VM knows alone.
 *
 * @param device - the device
 * @param files - all its open files
 * @throws Error that names the invariant and the place
 */
export function checkDeviceInvariants(device: PanthorDevice, files: Iterable<PanthorFile>): void {
  const { memory, counters, gems } = device;
  const vms = [...files].flatMap((file) => [...file.vms()].map(([, vm]) => vm)).concat(...device.keptVms);
  const seen = new Set<number>();
  for (const vm of vms) checkInvariants(vm, seen, device.options.quirks);
  if (!vms.some((vm) => vm.pageTable.broken)) checkTablePages(memory, seen);
  for (const { as } of vms) {
    if (as.slot !== 0 && device.asSlots.owner(as.slot) !== as)
      throw new Error(`as-slots: a VM believes that slot ${as.slot} is its own`);
  }
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
    const users = (pins.get(gem) ?? 0) + (gem.exported?.attachments ?? 0);
    if (gem.pins !== users) {
      throw new Error(`pins: GEM ${gem.id} is pinned ${gem.pins} times, by ${users} jobs and importers`);
    }
  }
  checkGemRefs(gems, (gem) => held.get(gem) ?? 0);
  if (backing !== counters.backingBytes) {
    throw new Error(`backing-bytes: ${counters.backingBytes} counted, the objects' pages have ${backing}`);
  }
}
