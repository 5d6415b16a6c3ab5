/**
 * Invariants of an amdgpu device, for tests and tools: what the lists and the interval tree promise by themselves, and that the page
 * tables say what the mappings do, as far as they were brought up to date.
 *
 * They hold between ioctls. Without quirks every entry that is valid or PRT lies in a mapping, or in one that waits to be
 * cleared; and what counts as written is there, page by page. Besides the names of `checkTree`, `checkGemRefs` and
 * `checkTablePages`, an error may begin with `mapping-list`, `bo-va`, `leaf-unexplained`, `leaf-missing`, `leaf-value`, `table-link`,
 * `tlb-stale`, `counters` or `backing-bytes`.
 *
 * @module
 */

import { checkGemRefs, checkUapiCounters, type GemObject, hex } from "@vmbind/drm";
import {
  addressOf,
  checkTablePages,
  GCVM_FRAGMENT_SHIFT,
  GCVM_HIGH,
  gcvmTableHi,
  gcvmTableLo,
  Walk,
} from "@vmbind/mmu";
import { AmdgpuBo } from "./bo.ts";
import type { BoVa } from "./bo-va.ts";
import type { AmdgpuDevice } from "./device.ts";
import type { AmdgpuFile } from "./file.ts";
import { type LeafFlags, leafFlags } from "./leaf-flags.ts";
import { type MappingList, STATE_FREED, STATE_INVALID, STATE_VALID } from "./mappings.ts";
import { PAGE_BYTES, VM_PAGE_PRT } from "./uapi.ts";
import type { AmdgpuVm } from "./vm.ts";

const FRAGMENT = 31 << GCVM_FRAGMENT_SHIFT;
/** Attribute bits of a low half: the address begins at bit 12. */
const ATTRIBUTES = 0xfff & ~FRAGMENT;
const FLAGS: LeafFlags = { lo: 0, hi: 0 };
const SPAN = [0, 2 ** 27, 2 ** 18, 2 ** 9, 1];

/**
 * Check one VM.
 *
 * @param vm - of an open file
 * @param seen - table pages of VMs checked before; those of this VM are added
 * @throws Error that names the invariant and the place
 */
export function checkInvariants(vm: AmdgpuVm, seen: Set<number> = new Set()): void {
  vm.space.mappings.checkTree();
  checkLists(vm);
  checkLinks(vm, seen);
  checkLeaves(vm);
  checkRemembered(vm);
}

/** Every mapping is on the list of its bo_va that its state says, once. */
function checkLists({ space }: AmdgpuVm): void {
  const { mappings } = space;
  const met = new Set<number>();
  const walk = (list: MappingList, state: number, boVa: BoVa | null): number => {
    let count = 0;
    for (const id of mappings.of(list)) {
      if (met.has(id)) throw new Error(`mapping-list: mapping ${id} is on two lists`);
      met.add(id);
      count++;
      if (mappings.state[id] !== state)
        throw new Error(`mapping-list: mapping ${id} has state ${mappings.state[id]}, its list has ${state}`);
      if (boVa !== null && mappings.owner[id] !== boVa.id)
        throw new Error(`mapping-list: mapping ${id} is on the list of another bo_va`);
    }
    return count;
  };
  for (const boVa of [space.prt, ...space.boVas()]) {
    const count = walk(boVa.valids, STATE_VALID, boVa) + walk(boVa.invalids, STATE_INVALID, boVa);
    if (count !== boVa.vaCount) throw new Error(`bo-va: ${boVa.vaCount} mappings counted, ${count} found`);
    if ((boVa.bo === null) !== (boVa.list === null)) throw new Error("bo-va: an object is on no list");
    if (boVa.bo !== null && !boVa.bo.vmBos.includes(boVa))
      throw new Error(`bo-va: GEM ${boVa.bo.id} does not know of it`);
  }
  if (met.size !== mappings.size)
    throw new Error(`mapping-list: ${mappings.size} mappings in the tree, ${met.size} on lists`);
  const freed = walk(space.freed, STATE_FREED, null);
  if (freed !== space.freedCount)
    throw new Error(`mapping-list: ${space.freedCount} freed counted, ${freed} found`);
}

/** Every table but the root has its entry in the table above, unless that is still to be written. */
function checkLinks({ pageTable, device }: AmdgpuVm, seen: Set<number>): void {
  const { tables } = device.memory;
  const above: number[] = [];
  pageTable.forEach((slot, level, va, linked) => {
    if (seen.has(slot) || !tables.isLive(slot))
      throw new Error(`table-link: slot ${slot} is another's, or free`);
    seen.add(slot);
    above[level] = slot;
    if (level === 1 || !linked) return;
    const parent = above[level - 1] as number;
    const index = (va / ((SPAN[level - 1] as number) * PAGE_BYTES)) % 512;
    const address = tables.address(slot);
    if (
      tables.entryLo(parent, index) !== gcvmTableLo(address) ||
      tables.entryHi(parent, index) !== gcvmTableHi(address)
    ) {
      throw new Error(`table-link: level ${level - 1} for ${hex(va)} does not point to its table`);
    }
  });
}

interface Range {
  first: number;
  last: number;
  id: number;
}

function checkLeaves(vm: AmdgpuVm): void {
  const { mappings, freed } = vm.space;
  const rangeOf = (id: number): Range => ({
    first: mappings.first[id] as number,
    last: mappings.last[id] as number,
    id,
  });
  const ranges = Array.from(mappings.ascending(), rangeOf);
  const gone = Array.from(mappings.of(freed), rangeOf).sort((a, b) => a.first - b.first);
  const isFreed = (first: number, last: number): boolean => {
    let at = first;
    for (const range of gone) {
      if (range.first > at) break;
      at = Math.max(at, range.last + 1);
      if (at > last) return true;
    }
    return false;
  };
  let next = 0;
  let covered = 0;
  let expectedOf: Range | null = null;
  let expected: ExpectedLeaves | null = null;
  const finish = (range: Range): void => {
    if (mustHaveLeaves(vm, range.id) && covered <= range.last) {
      throw new Error(`leaf-missing: no entry for ${hex(Math.max(covered, range.first) * PAGE_BYTES)}`);
    }
  };
  vm.pageTable.forEachLeaf((level, page, lo, hi) => {
    const last = page + (SPAN[level] as number) - 1;
    for (let range = ranges[next]; range !== undefined && range.last < page; range = ranges[++next]) {
      finish(range);
    }
    const range = ranges[next];
    if (range === undefined || page < range.first || last > range.last) {
      if (isFreed(page, last) || vm.device.options.quirks.forgottenEntries) return;
      // A leaf may be cut into mapping and freed: what is gone is not cleared yet.
      const overlaps = range !== undefined && range.first <= last && vm.space.freedCount > 0;
      if (overlaps) return;
      throw new Error(`leaf-unexplained: the ${placeOf(level, page)} is in no mapping`);
    }
    if (expectedOf !== range) {
      expectedOf = range;
      expected = new ExpectedLeaves(vm, range);
    }
    if (!expected?.isShown) return;
    if (page !== Math.max(covered, range.first)) {
      throw new Error(`leaf-missing: no entry for ${hex(Math.max(covered, range.first) * PAGE_BYTES)}`);
    }
    covered = last + 1;
    expected.check(level, page, lo, hi);
  });
  for (let range = ranges[next]; range !== undefined; range = ranges[++next]) finish(range);
}

/** Whether the tables show a mapping as it is: it counts as written, and its object is where it was then. */
function mustHaveLeaves({ space }: AmdgpuVm, id: number): boolean {
  if (space.mappings.state[id] !== STATE_VALID) return false;
  const boVa = space.ownerOf(id);
  return !boVa.moved && !boVa.cleared && boVa.bo?.place !== "none";
}

/** What the entries of one mapping have in common, looked up once for all of them. */
class ExpectedLeaves {
  readonly #range: Range;
  readonly #lo: number;
  readonly #hi: number;
  readonly #leafBit: number;
  readonly #isPrt: boolean;
  readonly #offset: number;
  readonly #bo: AmdgpuBo | null;
  /** Whether the tables show the mapping as it is. */
  readonly isShown: boolean;

  constructor(vm: AmdgpuVm, range: Range) {
    const { mappings } = vm.space;
    const { bo } = vm.space.ownerOf(range.id);
    const flags = mappings.flags[range.id] as number;
    leafFlags(vm.leafRules, bo === null ? "none" : bo.place, bo === null ? 0 : bo.flags, flags, FLAGS);
    this.#range = range;
    this.#lo = FLAGS.lo & ATTRIBUTES;
    this.#hi = FLAGS.hi;
    this.#leafBit = GCVM_HIGH[vm.generation].leaf;
    this.#isPrt = (flags & VM_PAGE_PRT) !== 0;
    this.#offset = mappings.offset[range.id] as number;
    this.#bo = bo;
    this.isShown = mustHaveLeaves(vm, range.id);
  }

  check(level: number, page: number, lo: number, hi: number): void {
    const wantHi = level === 4 ? this.#hi : this.#hi | this.#leafBit;
    if ((lo & ATTRIBUTES) !== this.#lo || (hi & ~0xffff) !== (wantHi & ~0xffff)) {
      throw new Error(`leaf-value: the ${placeOf(level, page)} has other flags than its mapping`);
    }
    // Of several leaves of 512 GiB in one write only the first has its own address.
    if (this.#isPrt && level === 1) return;
    const into = this.#offset + (page - this.#range.first) * PAGE_BYTES;
    const address = addressOf(lo & -4096, hi & 0xffff);
    const pages = this.#bo?.pages;
    const want = pages ? pages.addressAt(into) : into;
    if (address !== want)
      throw new Error(`leaf-value: the ${placeOf(level, page)} has ${hex(address)}, not ${hex(want)}`);
  }
}

function placeOf(level: number, page: number): string {
  return `level ${level} entry for ${hex(page * PAGE_BYTES)}`;
}

/** What the TLB remembers translates as a walk does now; fragments may differ. */
function checkRemembered({ addressSpace: space, device, pasid }: AmdgpuVm): void {
  // What is written over an entry that outlived its mapping is taken for the first there: no flush is asked for.
  if (device.options.quirks.forgottenEntries) return;
  const walk = new Walk();
  for (const { va, leaf } of device.tlb.remembered(pasid)) {
    space.walk(va, walk);
    if (walk.kind !== leaf.kind || walk.pa !== leaf.pa || walk.rights !== leaf.rights) {
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
export function checkDeviceInvariants(device: AmdgpuDevice, files: Iterable<AmdgpuFile>): void {
  const open = [...files].filter(({ closed }) => !closed);
  const seen = new Set<number>();
  for (const { space } of open) checkInvariants(space, seen);
  checkTablePages(device.memory, seen);
  checkUapiCounters(device.counters);
  const { gpuvasLive, vmBosLive, backingBytes } = device.counters;
  const mappings = open.reduce((sum, { space }) => sum + space.space.mappings.size, 0);
  if (mappings !== gpuvasLive) throw new Error(`counters: ${gpuvasLive} mappings counted, ${mappings} found`);
  const boVas = open.reduce((sum, { space }) => sum + [...space.space.boVas()].length, 0);
  if (boVas !== vmBosLive) throw new Error(`counters: ${vmBosLive} bo_vas counted, ${boVas} found`);

  const held = new Map<GemObject, number>();
  const hold = (gem: GemObject): void => void held.set(gem, (held.get(gem) ?? 0) + 1);
  for (const file of open) {
    for (const [, bo] of file.bos()) hold(bo);
    for (const bo of file.submissions.held()) hold(bo);
    for (const gem of file.space.kept) hold(gem);
  }
  // A bo_va holds no reference: the handle does.
  checkGemRefs(device.gems, (gem) => (held.get(gem) ?? 0) - gem.vmBos.length);

  let backing = 0;
  for (const gem of device.gems.values()) {
    if (gem instanceof AmdgpuBo && gem.ownsPages) backing += gem.residentBytes;
  }
  if (backing !== backingBytes)
    throw new Error(`backing-bytes: ${backingBytes} counted, the objects' memory has ${backing}`);
}
