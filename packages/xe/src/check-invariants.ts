/**
 * Invariants of an xe device, for tests and tools: what GPUVM and the page tables promise by themselves, that the two
 * say the same, and that the driver's own records agree. The page table of a VM is a function of its mappings: each
 * aligned 1 GiB or 2 MiB that can be one leaf is one, so every leaf is derived again, with its size.
 *
 * They hold between ioctls, and for tables as they will be when binds that wait are done. Of a VM in which quirk `faultScratch` may have left entries behind, the tables are only
 * counted. Besides the names of `checkGpuvm`, `checkGemRefs`, `checkTables` and
 * `checkTlb`, an error may begin with `vma-record`, `leaf-owner`, `num-live`, `child-map`, `table-record`, `table-empty`,
 * `zapped`, `purgeable` or `backing-bytes`.
 *
 * @module
 */

import { checkGemRefs, checkUapiCounters, type GemObject } from "@vmbind/drm";
import { checkGpuvm, checkGpuvmCounters, type Gpuvm } from "@vmbind/gpuvm-core";
import { checkTablePages, checkTables, checkTlb, type ExpectedRange, type LevelGeometry } from "@vmbind/mmu";
import { XeBo } from "./bo.ts";
import { attributeProblem, checkPurgeable, zappedEntries } from "./check-advice.ts";
import { expectedRange, place } from "./check-leaves.ts";
import type { XeDevice } from "./device.ts";
import type { XeFile } from "./file.ts";
import { TABLE_ENTRIES } from "./pt-tables.ts";
import type { XeVm } from "./vm.ts";
import {
  VMA_DESTROYED,
  VMA_FORGOTTEN,
  VMA_NEW,
  VMA_PRESENT,
  VMA_SPARSE,
  VMA_SYSTEM_ALLOCATOR,
  VMA_ZAPPED,
  VMA_ZEROED,
} from "./vma.ts";

/**
 * Check one VM.
 *
 * @param vm - a VM that is not destroyed
 * @param queues - exec queues that refer to it
 * @param seen - table pages of VMs checked before; those of this VM are added
 * @throws Error that names the invariant and the place
 */
export function checkInvariants(vm: XeVm, queues = 0, seen: Set<number> = new Set()): void {
  const { gpuvm, pageTable, addressSpace } = vm;
  let withoutObject = 0;
  const ranges: ExpectedRange[] = [];
  for (const va of gpuvm.mappings()) {
    if (gpuvm.gemId(va) === 0) withoutObject++;
  }
  // What jobs that wait take away is gone from GPUVM, but not from the GPU's reach.
  for (const job of vm.jobs.pending) withoutObject += job.held.filter((held) => held === null).length;
  checkGpuvm(gpuvm, { vm: 1 + queues + withoutObject });
  for (const va of gpuvm.mappings()) {
    checkRecord(vm, va);
    const range = expectedRange(vm, va);
    if (range !== null) ranges.push(range);
  }
  const { emptyLo, emptyHi, scratchTables } = pageTable;
  for (const slot of scratchTables) seen.add(slot);
  if (forgetsZeroes(vm)) {
    countTables(vm, pageTable.root, seen);
  } else {
    const tree = { root: addressSpace.root, ranges, emptyLo, emptyHi };
    vm.jobs.asIfDone(() => {
      checkTables(addressSpace.memory, addressSpace.format, tree, seen, (slot, geometry, va, used) => {
        checkTableRecord(vm, slot, geometry, va, used, seen);
      });
    });
  }
  for (const job of vm.jobs.pending) for (const slot of job.work?.detached ?? []) countTables(vm, slot, seen);
  checkTlb(addressSpace);
}

/** Zero leaves are written to the VM's tables and forgotten. */
function forgetsZeroes({ quirks, faultMode, scratch }: XeVm): boolean {
  return quirks.faultScratch && faultMode && scratch;
}

/** Add a table and those below it, as the driver keeps them. */
function countTables(vm: XeVm, slot: number, seen: Set<number>): void {
  const { tables } = vm.pageTable;
  if (seen.has(slot)) throw new Error(`child-map: the table in slot ${slot} is in use twice`);
  seen.add(slot);
  if (tables.level[slot] === 0) return;
  for (let i = 0; i < TABLE_ENTRIES; i++) {
    const child = tables.child(slot, i);
    if (child >= 0) countTables(vm, child, seen);
  }
}

/** What the driver keeps of a mapping, against GPUVM. */
function checkRecord(vm: XeVm, va: number): void {
  const { gpuvm, vmas } = vm;
  const flags = vmas.flags[va] as number;
  const state = vmas.state[va] as number;
  const mirror = (flags & VMA_SYSTEM_ALLOCATOR) !== 0;
  const user = vmas.user.has(va);
  const isNull = (flags & VMA_SPARSE) !== 0;
  const problem =
    vmas.trims.size !== 0
      ? "neighbours that an ioctl left trimmed"
      : flags & (VMA_DESTROYED | VMA_NEW)
        ? "a flag of an ioctl that runs"
        : !(
              state === 0 ||
              state === VMA_PRESENT ||
              state === (VMA_PRESENT | VMA_ZAPPED) ||
              state === VMA_ZEROED ||
              (state === VMA_FORGOTTEN && forgetsZeroes(vm))
            )
          ? `state ${state}`
          : gpuvm.gemId(va) === 0 && !(isNull || mirror || user)
            ? "neither an object nor another backing"
            : gpuvm.gemId(va) !== 0 && (isNull || mirror || user)
              ? "an object and another backing"
              : isNull && gpuvm.offset(va) !== 0
                ? `offset ${gpuvm.offset(va)} without an object`
                : isNull && (state & VMA_ZAPPED) !== 0
                  ? "zapped leaves, although it is null"
                  : attributeProblem(vm, va, mirror);
  if (problem !== null) throw new Error(`vma-record: ${place(vm, va)} has ${problem}`);
}

/** What the driver keeps of a table, against the table. */
function checkTableRecord(
  vm: XeVm,
  slot: number,
  geometry: LevelGeometry,
  va: number,
  notEmpty: number,
  seen: Set<number>,
): void {
  const { tables, rootLevel } = vm.pageTable;
  const { memory } = tables;
  const { countedTwice } = vm.quirks;
  // Put into words only when it is wrong: everything is looked at after every call.
  const where = (): string => `level ${geometry.level} table at 0x${va.toString(16)}`;
  const zapped = zappedEntries(vm, geometry, va);
  // Zapped entries are in use, and look empty where there is no scratch page.
  const used = notEmpty + (vm.scratch ? 0 : zapped.size);
  if (tables.level[slot] !== geometry.level || (tables.compact[slot] === 1) !== geometry.isCompact) {
    throw new Error(
      `table-record: the ${where()} is kept as level ${tables.level[slot]}, compact ${tables.compact[slot]}`,
    );
  }
  const live = tables.numLive[slot] as number;
  // A table whose entries were counted twice may stay for ever.
  if (countedTwice ? live < used : live !== used) {
    throw new Error(`num-live: the ${where()} has ${used} entries in use, ${live} counted`);
  }
  if (used === 0 && live === 0 && geometry.level !== rootLevel)
    throw new Error(`table-empty: nothing is left in the ${where()}`);
  if (geometry.level === 0) return;
  let children = 0;
  const emptyLo = vm.pageTable.emptyLo[geometry.level];
  const emptyHi = vm.pageTable.emptyHi[geometry.level];
  const { directoryMask, directoryBits, tableAddressLo, tableAddressHi } = geometry;
  const anyZapped = zapped.size > 0;
  const { words } = memory;
  const at = slot * memory.wordsPerTable;
  // A filled table holds 512 times the same leaf: the count of its children says all.
  for (let i = memory.isFilled(slot) ? geometry.entries : 0; i < geometry.entries; i++) {
    const lo = words[at + 2 * i] as number;
    const hi = words[at + 2 * i + 1] as number;
    if (anyZapped && zapped.has(i)) {
      const kept = tables.child(slot, i);
      if (lo !== 0 || hi !== 0) throw new Error(`zapped: entry ${i} of the ${where()} is not zero`);
      if (kept < 0) continue;
      countTables(vm, kept, seen);
      children++;
      continue;
    }
    // That none is kept where none is pointed to shows in their number.
    if ((lo === emptyLo && hi === emptyHi) || (lo & directoryMask) !== directoryBits) continue;
    const child = memory.slotOf(lo & tableAddressLo, hi & tableAddressHi);
    if (tables.child(slot, i) !== child) {
      throw new Error(
        `child-map: entry ${i} of the ${where()} points to slot ${child}, ${tables.child(slot, i)} is kept`,
      );
    }
    children++;
  }
  const kept = tables.keptChildren(slot);
  if (kept !== children)
    throw new Error(`child-map: the ${where()} has ${children} children, ${kept} are kept`);
  if (tables.childCount[slot] !== children) {
    throw new Error(`child-map: the ${where()} has ${children} children, ${tables.childCount[slot]} counted`);
  }
}

/**
 * Check a device: every VM, then what no VM knows alone.
 *
 * @param device - the device
 * @param files - all its open files
 * @throws Error that names the invariant and the place
 */
export function checkDeviceInvariants(device: XeDevice, files: Iterable<XeFile>): void {
  const { memory, counters, gems } = device;
  const queues = new Map<XeVm, number>();
  const vms: XeVm[] = [];
  for (const file of files) {
    for (const [, vm] of file.vms()) vms.push(vm);
    for (const [, { vm }] of file.queues.entries())
      if (vm !== null) queues.set(vm, (queues.get(vm) ?? 0) + 1);
  }
  const seen = new Set<number>();
  for (const vm of vms) checkInvariants(vm, queues.get(vm) ?? 0, seen);
  checkTablePages(memory, seen);
  checkUapiCounters(counters);
  checkGpuvmCounters(
    counters,
    vms.map((vm) => vm.gpuvm),
  );

  const held = new Map<GemObject, number>();
  const hold = (gem: GemObject): void => void held.set(gem, (held.get(gem) ?? 0) + 1);
  // A destroyed VM lives on, empty, while a queue refers to it.
  const alive = new Set<Gpuvm>([...vms, ...queues.keys()].map((vm) => vm.gpuvm));
  for (const gpuvm of alive) {
    hold(gpuvm.resvObject);
    for (const va of gpuvm.mappings()) {
      const gem = gpuvm.gem(va);
      if (gem !== null) hold(gem);
    }
  }
  for (const { jobs } of vms) {
    for (const job of jobs.pending) for (const gem of job.held) if (gem !== null) hold(gem);
  }
  checkPurgeable(device, vms);
  let backing = 0;
  for (const file of files) {
    for (const [, bo] of file.bos()) hold(bo);
    backing += file.userPages.bytes;
  }
  for (const gem of gems.values()) {
    if (!(gem instanceof XeBo)) continue;
    if (gem.vm !== null) hold(gem.vm.gpuvm.resvObject);
    if (gem.pages !== null && gem.ownsPages) backing += gem.pages.totalBytes;
  }
  for (const { pages, fixed } of device.leaving) if (fixed === null) backing += pages?.totalBytes ?? 0;
  checkGemRefs(gems, (gem) => held.get(gem) ?? 0);
  if (backing !== counters.backingBytes) {
    throw new Error(`backing-bytes: ${counters.backingBytes} counted, the pages in use have ${backing}`);
  }
}
