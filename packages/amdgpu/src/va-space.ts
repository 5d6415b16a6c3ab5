/**
 * What GEM_VA does to the mappings of a VM, before any page table is touched (`amdgpu_vm_bo_map`, `..._unmap`,
 * `..._clear_mappings`, `..._replace_map` of `amdgpu_vm.c`, Linux 7.3-rc7).
 *
 * An operation changes mappings and lists only, and cannot fail once it has begun: there is nothing to undo. What the
 * page tables have to learn of it is what the lists say afterwards: `invalids` of each bo_va are to be written, `freed` is to be
 * cleared. Neighbours are never merged. A cut leaves one remnant on either side, which is a mapping as any other and is written
 * when its bo_va is next updated, not when the cut is.
 *
 * @module
 */

import { type AllocFault, EINVAL, ENOENT, ENOMEM, fail, hex } from "@vmbind/drm";
import type { AmdgpuBo } from "./bo.ts";
import { BoVa, type StateLists, stateLists } from "./bo-va.ts";
import type { AmdgpuCounters } from "./cost-sheet.ts";
import {
  type MappingList,
  Mappings,
  mappingList,
  STATE_FREED,
  STATE_INVALID,
  STATE_VALID,
} from "./mappings.ts";
import { PAGE_BYTES, VA_BYTES } from "./uapi.ts";

const PAGE = PAGE_BYTES;
const TWO_64 = 2 ** 64;
const INVALID = STATE_INVALID;
const WRITTEN = STATE_VALID;
const FREED = STATE_FREED;

/** What the mappings of a VM need of it. */
export interface VaSpaceOptions {
  /** What is counted. */
  counters: AmdgpuCounters;
  /** Whether anything of a range of pages is in the page tables, first and last page. */
  hasLeaves(first: number, last: number): boolean;
  /** Asked before each mapping and bo_va. */
  allocFault?: AllocFault | undefined;
}

/** The mappings of one VM, and the lists that say what is to be done. */
export class VaSpace {
  /** All mappings. */
  readonly mappings: Mappings = new Mappings();
  /** Mappings that are gone, and whose entries are not cleared yet. */
  readonly freed: MappingList = mappingList();
  /** How many those are. */
  freedCount = 0;
  /** The bo_va of all PRT mappings. It is on no list. */
  readonly prt: BoVa;
  /** Lists of the objects that are always valid here. */
  readonly alwaysValid: StateLists = stateLists();
  /** Lists of all other objects. */
  readonly individual: StateLists = stateLists();
  readonly #vm: object;
  readonly #counters: AmdgpuCounters;
  readonly #options: VaSpaceOptions;
  /** By number; null where there is none. */
  readonly #boVas: (BoVa | null)[] = [null];
  readonly #byBo: Map<AmdgpuBo, BoVa> = new Map();
  readonly #freeIds: number[] = [];

  /**
   * @param vm - that bo_vas say they belong to
   * @param options - see {@link VaSpaceOptions}
   */
  constructor(vm: object, options: VaSpaceOptions) {
    this.#vm = vm;
    this.#options = options;
    this.#counters = options.counters;
    this.prt = this.#add(null);
  }

  /** Objects in the VM. */
  boVas(): Iterable<BoVa> {
    return this.#byBo.values();
  }

  /**
   * @param bo - any object
   * @returns its bo_va here, undefined when it has none
   */
  boVaOf(bo: AmdgpuBo): BoVa | undefined {
    return this.#byBo.get(bo);
  }

  /**
   * @param mapping - number of a mapping
   * @returns the bo_va that it belongs to
   */
  ownerOf(mapping: number): BoVa {
    return this.#boVas[this.mappings.owner[mapping] as number] as BoVa;
  }

  /**
   * A handle was opened: the object becomes known here, or is counted once more.
   *
   * @throws DrmError ENOMEM
   */
  open(bo: AmdgpuBo): BoVa {
    const known = this.#byBo.get(bo);
    if (known !== undefined) {
      known.refs++;
      return known;
    }
    if (this.#options.allocFault?.("vm_bo")) fail(ENOMEM, "bo_va: no memory for it (injected)");
    const boVa = this.#add(bo);
    this.#byBo.set(bo, boVa);
    bo.vmBos.push(boVa);
    const { counters } = this.#options;
    counters.vmBosLive++;
    if (counters.vmBosLive > counters.vmBosPeak) counters.vmBosPeak = counters.vmBosLive;
    if (!bo.isAlwaysValid) this.individual.idle.moveHere(boVa);
    else if (isPreferred(bo)) this.alwaysValid.needsUpdate.moveHere(boVa);
    else this.alwaysValid.evicted.moveHere(boVa);
    return boVa;
  }

  /**
   * A handle was closed. With the last one all mappings of the object go, and what the page tables have of them is on
   * {@link VaSpace.freed}.
   *
   * @returns whether it was the last
   */
  close(boVa: BoVa): boolean {
    if (--boVa.refs > 0) return false;
    this.#dropAll(boVa, boVa.valids);
    this.#dropAll(boVa, boVa.invalids);
    boVa.list?.remove(boVa);
    const bo = boVa.bo as AmdgpuBo;
    this.#byBo.delete(bo);
    bo.vmBos.splice(bo.vmBos.indexOf(boVa), 1);
    this.#boVas[boVa.id] = null;
    this.#freeIds.push(boVa.id);
    this.#counters.vmBosLive--;
    return true;
  }

  #dropAll(boVa: BoVa, list: MappingList): void {
    const { mappings } = this;
    for (let id = list.head; id !== 0; id = list.head) {
      mappings.unlink(list, id);
      boVa.vaCount--;
      mappings.removeRange(mappings.first[id] as number, mappings.last[id] as number, 1);
      this.#counters.unmapSteps++;
      this.#leave(id);
    }
    this.#count();
  }

  /**
   * MAP.
   *
   * @param boVa - of the object, or that of PRT
   * @param va - first VA
   * @param size - bytes
   * @param offset - byte of the object
   * @param flags - of GEM_VA
   * @throws DrmError EINVAL, ENOMEM
   */
  map(boVa: BoVa, va: number, size: number, offset: number, flags: number): void {
    checkRange(va, size, offset, boVa.bo, false);
    const first = va / PAGE;
    const last = first + size / PAGE - 1;
    const other = this.mappings.firstOverlap(first, last);
    if (other !== 0) {
      this.#counters.driverMessages++;
      const where = hex((this.mappings.first[other] as number) * PAGE);
      fail(EINVAL, `gem_va.va_address: ${hex(va)} + ${hex(size)} meets the mapping at ${where}`);
    }
    this.#needMappings(1);
    this.#insert(boVa, first, last, offset, flags);
    this.#count();
  }

  /**
   * UNMAP: the mapping of the object that begins in this page goes, as long as it is.
   *
   * @param boVa - of the object, or that of PRT
   * @param va - an address in its first page
   * @throws DrmError ENOENT when there is none, or it is another object's
   */
  unmap(boVa: BoVa, va: number): void {
    const { mappings } = this;
    const page = Math.floor(va / PAGE);
    const id = mappings.firstOverlap(page, page);
    if (id === 0 || mappings.first[id] !== page) {
      fail(ENOENT, `gem_va.va_address: no mapping begins at ${hex(va)}`);
    }
    if (mappings.owner[id] !== boVa.id) {
      fail(ENOENT, `gem_va.handle: the mapping at ${hex(va)} is not one of this object`);
    }
    mappings.unlink(mappings.state[id] === WRITTEN ? boVa.valids : boVa.invalids, id);
    boVa.vaCount--;
    mappings.removeRange(page, page, 1);
    this.#counters.unmapSteps++;
    this.#leave(id);
    this.#count();
  }

  /**
   * CLEAR: whatever lies in a range goes. A range with nothing in it is fine.
   *
   * @param va - first VA
   * @param size - bytes
   * @throws DrmError EINVAL, ENOMEM
   */
  clear(va: number, size: number): void {
    checkRange(va, size, 0, null, true);
    this.#needMappings(2);
    this.#clear(va / PAGE, (va + size) / PAGE - 1);
    this.#count();
  }

  /**
   * REPLACE: CLEAR, then MAP.
   *
   * @param boVa - of the object, or that of PRT
   * @param va - first VA
   * @param size - bytes
   * @param offset - byte of the object
   * @param flags - of GEM_VA
   * @throws DrmError EINVAL, ENOMEM
   */
  replace(boVa: BoVa, va: number, size: number, offset: number, flags: number): void {
    checkRange(va, size, offset, boVa.bo, false);
    this.#needMappings(3);
    const first = va / PAGE;
    const last = first + size / PAGE - 1;
    this.#clear(first, last);
    this.#insert(boVa, first, last, offset, flags);
    this.#count();
  }

  /** Cleared: forget the newest of {@link VaSpace.freed}. */
  forgetFreed(): void {
    const id = this.freed.head;
    this.mappings.unlink(this.freed, id);
    this.mappings.forget(id);
    this.freedCount--;
  }

  /**
   * Which lists a bo_va moves between.
   *
   * @param boVa - one of an object
   */
  listsOf(boVa: BoVa): StateLists {
    return boVa.isAlwaysValid ? this.alwaysValid : this.individual;
  }

  #insert(boVa: BoVa, first: number, last: number, offset: number, flags: number): void {
    const { mappings } = this;
    const id = mappings.add(first, last, offset, flags, boVa.id);
    mappings.push(boVa.invalids, id, INVALID);
    boVa.vaCount++;
    mappings.insert(id);
    this.#counters.mapSteps++;
    this.#mustUpdate(boVa);
  }

  #mustUpdate(boVa: BoVa): void {
    if (boVa.isAlwaysValid && !boVa.moved) this.alwaysValid.needsUpdate.moveHere(boVa);
  }

  #clear(first: number, last: number): void {
    const { mappings } = this;
    const count = mappings.overlapping(first, last);
    if (count === 0) return;
    let before = 0;
    let after = 0;
    for (let i = 0; i < count; i++) {
      const id = mappings.overlap(i);
      const boVa = this.ownerOf(id);
      const from = mappings.first[id] as number;
      const to = mappings.last[id] as number;
      const offset = mappings.offset[id] as number;
      const flags = mappings.flags[id] as number;
      if (from < first) {
        before = mappings.add(from, first - 1, offset, flags, boVa.id);
        mappings.push(boVa.invalids, before, INVALID);
        boVa.vaCount++;
      }
      if (to > last) {
        const behind = offset + (last + 1 - from) * PAGE;
        after = mappings.add(last + 1, to, behind, flags, boVa.id);
        mappings.push(boVa.invalids, after, INVALID);
        boVa.vaCount++;
      }
      if (from < first || to > last) this.#counters.remapSteps++;
      else this.#counters.unmapSteps++;
      mappings.unlink(mappings.state[id] === WRITTEN ? boVa.valids : boVa.invalids, id);
      boVa.vaCount--;
    }
    mappings.removeRange(mappings.first[mappings.overlap(0)] as number, last, count);
    // Whether it was ever written does not count here, as the driver has it.
    for (let i = count - 1; i >= 0; i--) {
      const id = mappings.overlap(i);
      if ((mappings.first[id] as number) < first) mappings.first[id] = first;
      if ((mappings.last[id] as number) > last) mappings.last[id] = last;
      this.#free(id);
    }
    for (const remnant of [before, after]) {
      if (remnant === 0) continue;
      mappings.insert(remnant);
      this.#mustUpdate(this.ownerOf(remnant));
    }
  }

  /** A mapping that is on no list any more: its entries are to be cleared, or there are none. */
  #leave(id: number): void {
    const { mappings } = this;
    const isThere =
      mappings.state[id] === WRITTEN ||
      this.#options.hasLeaves(mappings.first[id] as number, mappings.last[id] as number);
    if (isThere) this.#free(id);
    else mappings.forget(id);
  }

  #free(id: number): void {
    this.mappings.push(this.freed, id, FREED);
    this.freedCount++;
  }

  #add(bo: AmdgpuBo | null): BoVa {
    const id = this.#freeIds.pop() ?? this.#boVas.length;
    const boVa = new BoVa(this.#vm, bo, id);
    this.#boVas[id] = boVa;
    return boVa;
  }

  /** The driver allocates all mappings that an operation can need before it changes one. */
  #needMappings(count: number): void {
    const { allocFault } = this.#options;
    if (allocFault === undefined) return;
    for (let i = 0; i < count; i++) {
      if (allocFault("gpuva")) fail(ENOMEM, "gem_va: no memory for a mapping (injected)");
    }
  }

  #countedSize = 0;

  /** Keep the device's count of mappings. */
  #count(): void {
    const counters = this.#counters;
    const { size } = this.mappings;
    counters.gpuvasLive += size - this.#countedSize;
    this.#countedSize = size;
    if (counters.gpuvasLive > counters.gpuvasPeak) counters.gpuvasPeak = counters.gpuvasLive;
  }
}

/** Whether an object is in a domain that it prefers. */
export function isPreferred(bo: AmdgpuBo): boolean {
  const { place, domains } = bo;
  return place === "none" || (domains & (place === "vram" ? 4 : 2)) !== 0;
}

/**
 * The checks of MAP, REPLACE and CLEAR, in the driver's order.
 *
 * @throws DrmError EINVAL
 */
function checkRange(va: number, size: number, offset: number, bo: AmdgpuBo | null, isClear: boolean): void {
  if (va % PAGE !== 0) fail(EINVAL, `gem_va.va_address: ${hex(va)} is not a multiple of 0x1000`);
  if (!(offset % PAGE === 0)) fail(EINVAL, `gem_va.offset_in_bo: ${hex(offset)} is not a multiple of 0x1000`);
  if (!(size % PAGE === 0)) fail(EINVAL, `gem_va.map_size: ${hex(size)} is not a multiple of 0x1000`);
  if (offset + size >= TWO_64) fail(EINVAL, "gem_va.offset_in_bo: offset + size exceeds 64 bits");
  if (size === 0) fail(EINVAL, "gem_va.map_size: 0");
  if (bo !== null && offset + size > bo.size) {
    const range = `${hex(offset)} + ${hex(size)}`;
    fail(EINVAL, `gem_va.offset_in_bo: ${range} is behind the end of an object of ${hex(bo.size)} bytes`);
  }
  // An entry has room for an address of 48 bits, and that of a PRT entry counts up from here.
  if (!isClear && offset + size > VA_BYTES) {
    fail(EINVAL, `gem_va.offset_in_bo: ${hex(offset)} + ${hex(size)} does not fit into an entry's address`);
  }
}
