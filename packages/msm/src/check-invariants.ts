/**
 * Invariants of an msm device, for tests and tools: what GPUVM and the page tables promise by themselves, and that the two say
 * the same wherever no job is on its way. Every leaf is derived again from the mapping that it belongs to.
 *
 * While jobs wait, mappings say what will be, so leaves are held against them only in a VM without jobs, and not in one that is
 * unusable. Besides the names of `checkGpuvm`, `checkGemRefs`, `checkTables` and `checkTlb`, an error may begin with
 * `leaf-owner`, `leaf-counts`, `evict-list`, `pins`, `queued`, `in-flight`, `fences`, `prr` or `backing-bytes`.
 *
 * @module
 */

import { checkGemRefs, checkUapiCounters, type GemObject, type Resv } from "@vmbind/drm";
import { checkGpuvm, checkGpuvmCounters } from "@vmbind/gpuvm-core";
import {
  AddressSpace,
  addressHi,
  addressLo,
  checkTablePages,
  checkTables,
  checkTlb,
  directories,
  type ExpectedRange,
  lpaeLeafHi,
  lpaeLeafLo,
} from "@vmbind/mmu";
import { MsmBo, NULL_PROT } from "./bo.ts";
import type { MsmDevice } from "./device.ts";
import type { MsmFile } from "./file.ts";
import { SHARED_ASID } from "./page-table.ts";
import type { MsmMappingView, MsmVm } from "./vm.ts";

const PAGE_LEVEL = 3;

/**
 * Check one VM.
 *
 * @param device - its device
 * @param vm - the VM
 * @param seen - table pages of VMs checked before; those of this VM are added
 * @throws Error that names the invariant and the place
 */
export function checkInvariants(device: MsmDevice, vm: MsmVm, seen: Set<number> = new Set()): void {
  const { gpuvm, addressSpace } = vm;
  const { jobs } = vm.scheduler;
  checkGpuvm(gpuvm, { vm: 1, vmBo: () => 0 });
  const ranges: ExpectedRange[] = [];
  const settled = jobs.length === 0 && !vm.unusable;
  for (const mapping of vm.mappings()) {
    checkEvicted(vm, mapping);
    if (settled && mapping.mapped && mapping.range > 0) ranges.push(expectedRange(device, mapping));
  }
  const { memory, format, root, tlb } = addressSpace;
  if (settled) checkTables(memory, format, { root, ranges }, seen);
  else addTables(vm, seen);
  checkLeafCounts(device, vm);
  if (device.context === vm && tlb !== null) {
    checkTlb(new AddressSpace(memory, format, root, { asid: SHARED_ASID, tlb }));
  }
  const reserved = jobs.reduce((sum, job) => sum + job.reserved, 0);
  if (vm.inFlight !== reserved)
    throw new Error(`in-flight: ${vm.inFlight} counted, the jobs have ${reserved} tables set aside`);
}

/** A mapping is out of the page table exactly where its object is on the evict list. */
function checkEvicted(vm: MsmVm, { addr, gem, mapped }: MsmMappingView): void {
  if (mapped) return;
  if (gem === null)
    throw new Error(`evict-list: a mapping of nothing at 0x${addr.toString(16)} is not mapped`);
  if (!vm.gpuvm.evictList().some((vmBo) => vmBo.gem === gem))
    throw new Error(`evict-list: 0x${addr.toString(16)} is not mapped, and its object is not on the list`);
}

/** The tables of a VM whose leaves nobody can tell. */
function addTables({ addressSpace }: MsmVm, seen: Set<number>): void {
  const { memory, format, root } = addressSpace;
  seen.add(memory.tables.slotAt(root));
  for (const { slot } of directories(memory, format, root)) seen.add(slot);
}

/** The page table knows how many leaves each of its last tables has. */
function checkLeafCounts({ memory }: MsmDevice, { addressSpace, pageTable }: MsmVm): void {
  const { words, wordsPerTable } = memory.tables;
  for (const { slot, level } of directories(memory, addressSpace.format, addressSpace.root)) {
    if (level !== PAGE_LEVEL - 1) continue;
    let leaves = 0;
    for (let i = slot * wordsPerTable; i < (slot + 1) * wordsPerTable; i += 2) if (words[i] !== 0) leaves++;
    const known = pageTable.leaves[slot] ?? 0;
    if (known !== leaves)
      throw new Error(`leaf-counts: table ${slot} has ${leaves} leaves, ${known} are counted`);
  }
}

/** The leaves of one mapping. */
function expectedRange(device: MsmDevice, mapping: MsmMappingView): ExpectedRange {
  const { addr, range, gem, offset } = mapping;
  // Put into words only when it is wrong: everything is looked at after every call.
  const where = (): string => `mapping 0x${addr.toString(16)}..0x${(addr + range).toString(16)}`;
  if (gem === null) {
    const pa = device.prr.address;
    const [lo, hi] = [
      addressLo(pa) | lpaeLeafLo(PAGE_LEVEL, NULL_PROT),
      addressHi(pa) | lpaeLeafHi(NULL_PROT),
    ];
    const end = addr + range;
    return { start: addr, end, uniform: true, leaf: constant(lo, hi, end) };
  }
  if (!(gem instanceof MsmBo) || device.gems.get(gem.id) !== gem || gem.pages === null)
    throw new Error(`leaf-owner: ${where()} shows an object that is gone or has no pages`);
  const { pages, prot } = gem;
  return {
    start: addr,
    end: addr + range,
    leaf(va, geometry, out) {
      const at = offset + (va - addr);
      const segment = pages.segmentAt(at);
      if (segment < 0) throw new Error(`leaf-owner: ${where()} reaches beyond its object`);
      const skip = at - (pages.offset[segment] as number);
      const pa = (pages.pa[segment] as number) + skip;
      out.run = (pages.bytes[segment] as number) - skip;
      out.lo = addressLo(pa) | lpaeLeafLo(PAGE_LEVEL, prot);
      out.hi = addressHi(pa) | lpaeLeafHi(prot);
      return geometry.level === PAGE_LEVEL;
    },
  };
}

function constant(lo: number, hi: number, end: number): ExpectedRange["leaf"] {
  return (va, geometry, out) => {
    out.lo = lo;
    out.hi = hi;
    out.run = end - va;
    out.repeats = true;
    return geometry.level === PAGE_LEVEL;
  };
}

/**
 * Check a device: every VM, then what no VM knows alone.
 *
 * @param device - the device
 * @param files - all its open files
 * @throws Error that names the invariant and the place
 */
export function checkDeviceInvariants(device: MsmDevice, files: Iterable<MsmFile>): void {
  const { memory, counters } = device;
  const open = [...files];
  const vms = [...device.vms()];
  const seen = new Set<number>();
  for (const vm of vms) checkInvariants(device, vm, seen);
  checkTablePages(memory, seen);
  if (device.prr.users !== vms.length)
    throw new Error(`prr: ${device.prr.users} users, there are ${vms.length} page tables`);
  checkUapiCounters(counters);
  checkGpuvmCounters(
    counters,
    vms.map(({ gpuvm }) => gpuvm),
  );
  const aside = vms.reduce((sum, vm) => sum + vm.inFlight, 0);
  if (device.tablesAside !== aside)
    throw new Error(`in-flight: the device has ${device.tablesAside} tables set aside, its VMs ${aside}`);
  checkFences(device, vms);
  checkObjects(device, open, vms);
}

/** Reservations of waiting jobs have a fence each; submits may have put more there. */
function checkFences(device: MsmDevice, vms: readonly MsmVm[]): void {
  const held = new Map<Resv, number>();
  for (const { scheduler } of vms) {
    for (const { resvs } of scheduler.jobs)
      for (const resv of resvs) held.set(resv, (held.get(resv) ?? 0) + 1);
  }
  for (const [resv, count] of held) {
    const found = device.fences.get(resv) ?? 0;
    if (found < count) throw new Error(`fences: a reservation has ${found}, ${count} jobs wait`);
  }
}

function checkObjects(device: MsmDevice, files: readonly MsmFile[], vms: readonly MsmVm[]): void {
  const held = new Map<GemObject, number>();
  const pins = new Map<GemObject, number>();
  const queued = new Map<GemObject, number>();
  const add = (map: Map<GemObject, number>, gem: GemObject | null): void => {
    if (gem !== null) map.set(gem, (map.get(gem) ?? 0) + 1);
  };
  for (const file of files) for (const [, bo] of file.bos()) add(held, bo);
  for (const { gpuvm, scheduler } of vms) {
    add(held, gpuvm.resvObject);
    for (const { bos, stepBo } of scheduler.jobs) {
      for (const bo of bos) {
        add(held, bo);
        add(pins, bo);
      }
      for (const bo of stepBo) {
        add(held, bo);
        add(queued, bo);
      }
    }
  }
  let backing = device.prr.bytes;
  for (const gem of device.gems.values()) {
    if (!(gem instanceof MsmBo)) continue;
    if (gem.owner !== null) add(held, gem.owner.gpuvm.resvObject);
    if (gem.pages !== null && gem.ownsPages) backing += gem.pages.totalBytes;
    const users = (pins.get(gem) ?? 0) + (gem.exported?.attachments ?? 0);
    if (gem.pins !== users)
      throw new Error(`pins: GEM ${gem.id} is pinned ${gem.pins} times, by ${users} jobs and importers`);
    const operations = queued.get(gem) ?? 0;
    if (gem.queued !== operations)
      throw new Error(`queued: GEM ${gem.id} has ${gem.queued} page-table operations, jobs ${operations}`);
  }
  checkGemRefs(device.gems, (gem) => held.get(gem) ?? 0);
  if (backing !== device.counters.backingBytes) {
    throw new Error(
      `backing-bytes: ${device.counters.backingBytes} counted, the objects' pages have ${backing}`,
    );
  }
}
