/**
 * Invariants of a nouveau device, for tests and tools: what GPUVM and the page tables promise by themselves, and that mappings,
 * regions and tables say the same. Every leaf and every reference count is derived again from the mapping or the region that it
 * belongs to.
 *
 * They hold between ioctls. While work is queued the tables are between two states, and only mappings, objects, the number
 * of tables, those set aside, and that the memory of what waits to go is still there are checked. Besides the names of `checkGpuvm`, `checkGemRefs`, `checkTables` and `checkTablePages`, an error may
 * begin with `region-order`, `region-border`, `leaf-owner`, `table-refs`, `tables-reserved`, `tlb-stale`, `vm-kept`, `region-counters` or
 * `backing-bytes`.
 *
 * @module
 */

import { checkGemRefs, checkUapiCounters, type GemObject, hex } from "@vmbind/drm";
import { checkGpuvm, checkGpuvmCounters, GPUVA_INVALIDATED } from "@vmbind/gpuvm-core";
import {
  checkTablePages,
  checkTables,
  type ExpectedRange,
  GMMU_SPARSE,
  gmmuAddressHi,
  gmmuAddressLo,
  Walk,
} from "@vmbind/mmu";
import { NouveauBo } from "./bo.ts";
import type { NouveauDevice } from "./device.ts";
import type { NouveauFile } from "./file.ts";
import { isInRegion, kindOf, shiftOf } from "./mapping.ts";
import { sparseBlocks } from "./sparse-blocks.ts";
import { BLOCK_BYTES, BLOCK_LG2, levelOf, type TableNode } from "./table-nodes.ts";
import type { NouveauVm } from "./vm.ts";

/** Pages of this size are never written: quirk `unwritten512M`. */
const UNWRITTEN_SHIFT = 29;
const TAG_SHIFT = 36 - 32;

/**
 * Check one VM.
 *
 * @param vm - a VM whose file is open
 * @param seen - table pages of VMs checked before; those of this VM are added
 * @throws Error that names the invariant and the place
 */
export function checkInvariants(vm: NouveauVm, seen: Set<number> = new Set()): void {
  const held = vm.queue.jobs.flatMap((job) => numbers(job.count).map((op) => job.vmBo(op)));
  checkGpuvm(vm.gpuvm, { vmBo: (vmBo) => held.filter((one) => one === vmBo).length });
  checkRegions(vm);
  checkReserved(vm);
  const { device, pageTable } = vm;
  if (vm.queue.jobs.length > 0) {
    for (const node of nodesOf(pageTable.root)) {
      for (const slot of [node.slot, node.smallSlot]) if (slot >= 0) seen.add(slot);
    }
    for (const slot of pageTable.tree.reserved.slots) seen.add(slot);
    checkGoing(vm);
    return;
  }
  checkTables(
    device.memory,
    device.format,
    { root: pageTable.rootAddress, ranges: expectedRanges(vm) },
    seen,
  );
  checkReferences(vm);
  checkRemembered(vm);
}

/** Each job that waits has the tables that were set aside for it. */
function checkReserved({ pageTable, queue }: NouveauVm): void {
  const { length } = pageTable.tree.reserved.slots;
  const needed = queue.jobs.reduce((sum, { tables }) => sum + tables, 0);
  if (length === needed) return;
  throw new Error(`tables-reserved: ${length} tables are set aside, queued work counts on ${needed}`);
}

/** What queued work takes out still stands in the tables: its memory is there until then. */
function checkGoing({ gpuvm, queue }: NouveauVm): void {
  for (const job of queue.jobs) {
    for (const step of numbers(job.stepCount)) {
      const old = job.old(step);
      const isAway = (gpuvm.gem(old) as NouveauBo).evicted;
      if (isAway && (gpuvm.flags(old) & GPUVA_INVALIDATED) === 0) {
        throw new Error(
          `leaf-owner: the object of the mapping at ${hex(gpuvm.addr(old))}, which waits to go, is away`,
        );
      }
    }
  }
}

/** The numbers below one. */
function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

function checkRegions(vm: NouveauVm): void {
  let end = 0;
  for (const { addr, range, dirty } of vm.regions) {
    if (addr < end || range === 0)
      throw new Error(`region-order: a region at ${hex(addr)} begins below ${hex(end)}`);
    if (dirty !== null && vm.queue.jobs.length === 0) {
      throw new Error(`region-order: the region at ${hex(addr)} is going, and nothing takes it`);
    }
    end = addr + range;
  }
  const { gpuvm } = vm;
  for (const va of gpuvm.mappings()) {
    const start = gpuvm.addr(va);
    const range = gpuvm.rangeOf(va);
    const region = vm.regions.first(start, range);
    const inside = region !== null && start >= region.addr && start + range <= region.addr + region.range;
    if (
      region !== null ? !inside || !isInRegion(gpuvm.flags(va)) : range > 0 && isInRegion(gpuvm.flags(va))
    ) {
      throw new Error(`region-border: the mapping at ${hex(start)} and its region disagree`);
    }
  }
}

/** What the tables should translate: mappings that are there, and the rest of each region. */
function expectedRanges(vm: NouveauVm): ExpectedRange[] {
  const { gpuvm } = vm;
  const written = gpuvm.mappings().filter((va) => isWritten(vm, va));
  const ranges = written.map((va) => mappingRange(vm, va));
  const all: ExpectedRange[] = [];
  let next = 0;
  for (const { addr, range } of vm.regions) {
    const end = addr + range;
    while (next < ranges.length && (ranges[next] as ExpectedRange).start < addr)
      all.push(ranges[next++] as ExpectedRange);
    let from = addr;
    for (; next < ranges.length && (ranges[next] as ExpectedRange).start < end; next++) {
      const mapping = ranges[next] as ExpectedRange;
      if (from < mapping.start) all.push(sparseRange(from, mapping.start));
      all.push(mapping);
      from = mapping.end;
    }
    if (from < end) all.push(sparseRange(from, end));
  }
  return all.concat(ranges.slice(next));
}

function isWritten(vm: NouveauVm, va: number): boolean {
  const { gpuvm } = vm;
  const flags = gpuvm.flags(va);
  const gem = gpuvm.gem(va);
  if (!(gem instanceof NouveauBo))
    throw new Error(`leaf-owner: the mapping at ${hex(gpuvm.addr(va))} has no object`);
  return (
    gpuvm.rangeOf(va) > 0 &&
    (flags & GPUVA_INVALIDATED) === 0 &&
    shiftOf(flags) !== UNWRITTEN_SHIFT &&
    vm.leafOf(gem, kindOf(flags)) !== null
  );
}

function mappingRange(vm: NouveauVm, va: number): ExpectedRange {
  const { gpuvm } = vm;
  const bo = gpuvm.gem(va) as NouveauBo;
  const flags = gpuvm.flags(va);
  const start = gpuvm.addr(va);
  const offset = gpuvm.offset(va);
  const shift = shiftOf(flags);
  const leaf = vm.leafOf(bo, kindOf(flags));
  if (leaf === null || bo.evicted)
    throw new Error(`leaf-owner: the object of the mapping at ${hex(start)} is away`);
  return {
    start,
    end: gpuvm.end(va),
    leaf(at, geometry, out) {
      if (geometry.shift !== shift) return false;
      const pa = bo.pages.addressAt(offset + (at - start));
      if (Number.isNaN(pa))
        throw new Error(`leaf-owner: the mapping at ${hex(start)} reaches beyond its object`);
      const tag = leaf.tagged && shift > 12 ? (1 + Math.floor(pa / 2 ** 16)) << TAG_SHIFT : 0;
      out.lo = leaf.lo | gmmuAddressLo(leaf.version, pa);
      out.hi = leaf.hi | gmmuAddressHi(leaf.version, pa) | tag;
      return true;
    },
  };
}

/** Whatever the size of the entries. */
function sparseRange(start: number, end: number): ExpectedRange {
  return {
    start,
    end,
    leaf(_va, _geometry, out) {
      out.lo = GMMU_SPARSE;
      out.hi = 0;
      return true;
    },
  };
}

// -- references -------------------------------------------------------------------------------------------------------------

interface Expected {
  refs: number;
  smallRefs: number;
}

function* nodesOf(node: TableNode): Generator<TableNode> {
  yield node;
  for (const child of node.children) if (child !== null) yield* nodesOf(child);
}

/** Each table is referenced by every entry of a mapping or region in it, and by the tables below; none is there without. */
function checkReferences(vm: NouveauVm): void {
  const { gpuvm, pageTable, device } = vm;
  const counts = new Map<TableNode, Expected>();
  const add = (node: TableNode | null, large: number, small: number, at: number): void => {
    if (node === null) throw new Error(`table-refs: no table for ${hex(at)}`);
    const count = counts.get(node) ?? { refs: 0, smallRefs: 0 };
    count.refs += large;
    count.smallRefs += small;
    counts.set(node, count);
  };
  const entries = (addr: number, bytes: number, shift: number): void => {
    const size = 2 ** shift;
    const covers = shift < BLOCK_LG2 ? BLOCK_BYTES : shift === BLOCK_LG2 ? 2 ** 29 : size * 512;
    for (let at = addr, end = addr + bytes; at < end; ) {
      const stop = Math.min(end, (Math.floor(at / covers) + 1) * covers);
      const count = (stop - at) / size;
      const level = shift < BLOCK_LG2 ? 0 : levelOf(shift);
      const node = pageTable.tree.find(Math.floor(at / BLOCK_BYTES), level);
      if (shift === 12) add(node, 0, count, at);
      else add(node, count, 0, at);
      at = stop;
    }
  };
  for (const va of gpuvm.mappings()) {
    if (gpuvm.rangeOf(va) > 0) entries(gpuvm.addr(va), gpuvm.rangeOf(va), shiftOf(gpuvm.flags(va)));
  }
  for (const { addr, range } of vm.regions) {
    for (const block of sparseBlocks(device.backend.pages, addr, range)) {
      entries(block.addr, block.bytes, block.shift);
    }
  }
  for (const node of nodesOf(pageTable.root)) {
    const count = counts.get(node) ?? { refs: 0, smallRefs: 0 };
    let refs = count.refs + (node.parent === null ? 1 : 0);
    for (const child of node.children) {
      if (child !== null) refs += (child.slot >= 0 ? 1 : 0) + (child.smallSlot >= 0 ? 1 : 0);
    }
    const there = node.slot >= 0 === refs > 0 && node.smallSlot >= 0 === count.smallRefs > 0;
    if (node.refs !== refs || node.smallRefs !== count.smallRefs || !there) {
      throw new Error(
        `table-refs: level ${node.level} at ${hex(node.va)} has ${node.refs} and ${node.smallRefs} references, ` +
          `${refs} and ${count.smallRefs} are accounted for`,
      );
    }
  }
}

/** What the TLB remembers leads where a walk leads; which of two sparse entries says so is all the same. */
function checkRemembered(vm: NouveauVm): void {
  const { addressSpace } = vm;
  const walk = new Walk();
  for (const { va, leaf } of addressSpace.tlb?.remembered(vm.asid) ?? []) {
    addressSpace.walk(va, walk);
    const same = walk.kind === leaf.kind && walk.pa === leaf.pa;
    if (!same || (walk.kind === "page" && (walk.lo !== leaf.lo || walk.hi !== leaf.hi))) {
      throw new Error(`tlb-stale: ${hex(va)}: the TLB has a ${leaf.kind}, a walk finds a ${walk.kind}`);
    }
  }
}

/**
 * Check a device: every VM, then what no VM knows alone.
 *
 * @param device - the device
 * @param files - all its open files
 * @throws Error that names the invariant and the place
 */
export function checkDeviceInvariants(device: NouveauDevice, files: Iterable<NouveauFile>): void {
  const open = [...files];
  const vms = open.flatMap(({ ownVm }) => ownVm ?? []);
  const seen = new Set<number>();
  for (const vm of vms) checkInvariants(vm, seen);
  if (device.vms.size !== vms.length) {
    throw new Error(`vm-kept: ${device.vms.size} VMs are there, ${vms.length} have an open file`);
  }
  checkTablePages(device.memory, seen);
  const { counters, gems } = device;
  checkUapiCounters(counters);
  checkGpuvmCounters(
    counters,
    vms.map((vm) => vm.gpuvm),
  );
  const regions = vms.reduce((sum, vm) => sum + vm.regions.size, 0);
  if (counters.regionsLive !== regions || counters.regionsPeak < regions) {
    throw new Error(`region-counters: ${counters.regionsLive} counted, ${regions} are there`);
  }

  const held = new Map<GemObject, number>();
  const hold = (gem: GemObject | null): void => {
    if (gem !== null) held.set(gem, (held.get(gem) ?? 0) + 1);
  };
  for (const file of open) for (const [, bo] of file.bos()) hold(bo);
  for (const vm of vms) {
    hold(vm.gpuvm.resvObject);
    for (const va of vm.gpuvm.mappings()) hold(vm.gpuvm.gem(va));
    for (const job of vm.queue.jobs) {
      for (const op of numbers(job.count)) hold(job.bo(op));
      for (const step of numbers(job.stepCount)) hold(vm.gpuvm.gem(job.old(step)));
    }
  }
  let backing = 0;
  for (const gem of gems.values()) {
    if (!(gem instanceof NouveauBo)) continue;
    if (gem.privateTo !== null) hold(gem.privateTo.resvObject);
    if (gem.ownsPages) backing += gem.residentBytes;
  }
  checkGemRefs(gems, (gem) => held.get(gem) ?? 0);
  if (backing !== counters.backingBytes) {
    throw new Error(`backing-bytes: ${counters.backingBytes} counted, the objects' pages have ${backing}`);
  }
}
