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

import { EINVAL, ENOENT, ENOMEM, fail, hex } from "@vmbind/drm";
import type { BoVa } from "./bo-va.ts";
import type { AmdgpuCounters } from "./cost-sheet.ts";
import {
  type MappingList,
  Mappings,
  mappingList,
  STATE_FREED,
  STATE_INVALID,
  STATE_VALID,
} from "./mappings.ts";
import { PAGE_BYTES } from "./uapi.ts";
import { VmObjects, type VmObjectsOptions } from "./vm-objects.ts";

const PAGE = PAGE_BYTES;
const INVALID = STATE_INVALID;
const WRITTEN = STATE_VALID;
const FREED = STATE_FREED;

/** What the mappings of a VM need of it. */
export interface VaSpaceOptions extends VmObjectsOptions {
  /** Whether anything of a range of pages is in the page tables, first and last page. */
  hasLeaves(first: number, last: number): boolean;
}

/** The mappings of one VM, and the lists that say what is to be done. */
export class VaSpace extends VmObjects {
  /** All mappings. */
  readonly mappings: Mappings = new Mappings();
  /** Mappings that are gone, and whose entries are not cleared yet. */
  readonly freed: MappingList = mappingList();
  /** How many those are. */
  freedCount = 0;
  readonly #counters: AmdgpuCounters;
  readonly #options: VaSpaceOptions;
  /**
   * @param vm - that bo_vas say they belong to
   * @param options - see {@link VaSpaceOptions}
   */
  constructor(vm: object, options: VaSpaceOptions) {
    super(vm, options);
    this.#options = options;
    this.#counters = options.counters;
  }

  /**
   * @param mapping - number of a mapping
   * @returns the bo_va that it belongs to
   */
  ownerOf(mapping: number): BoVa {
    return this.boVa(this.mappings.owner[mapping] as number);
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
    this.remove(boVa);
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
   * MAP. As of all operations, addresses, sizes and offsets are multiples of 4 KiB, and the caller has checked them.
   *
   * @param boVa - of the object, or that of PRT
   * @param va - first VA
   * @param size - bytes
   * @param offset - byte of the object
   * @param flags - of GEM_VA
   * @throws DrmError EINVAL for a range with a mapping in it, ENOMEM
   */
  map(boVa: BoVa, va: number, size: number, offset: number, flags: number): void {
    const first = va / PAGE;
    const last = first + size / PAGE - 1;
    const { mappings } = this;
    const other = mappings.firstOverlap(first, last);
    if (other !== 0) {
      this.#counters.driverMessages++;
      const where = hex((mappings.first[other] as number) * PAGE);
      fail(EINVAL, `gem_va.va_address: ${hex(va)} + ${hex(size)} meets the mapping at ${where}`);
    }
    this.#needMappings(1);
    this.#enter(boVa, mappings.add(first, last, offset, flags, boVa.id));
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
      fail(ENOENT, `gem_va.va_address: no mapping begins at ${hex(page * PAGE)}`);
    }
    if (mappings.owner[id] !== boVa.id) {
      fail(ENOENT, `gem_va.handle: the mapping at ${hex(page * PAGE)} is not one of this object`);
    }
    this.#leaveList(boVa, id);
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
   * @throws DrmError ENOMEM
   */
  clear(va: number, size: number): void {
    this.#needMappings(2);
    const first = va / PAGE;
    const last = (va + size) / PAGE - 1;
    this.#clear(this.mappings.firstOverlap(first, last), first, last);
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
   * @throws DrmError ENOMEM
   */
  replace(boVa: BoVa, va: number, size: number, offset: number, flags: number): void {
    this.#needMappings(3);
    const { mappings } = this;
    const first = va / PAGE;
    const last = first + size / PAGE - 1;
    const lowest = mappings.firstOverlap(first, last);
    if (lowest !== 0 && mappings.first[lowest] === first && mappings.last[lowest] === last) {
      this.#exchange(lowest, boVa, offset, flags);
    } else {
      this.#clear(lowest, first, last);
      this.#enter(boVa, mappings.add(first, last, offset, flags, boVa.id));
    }
    this.#count();
  }

  /** Cleared: forget the newest of {@link VaSpace.freed}. */
  forgetFreed(): void {
    const id = this.freed.head;
    this.mappings.unlink(this.freed, id);
    this.mappings.forget(id);
    this.freedCount--;
  }

  /** A new mapping takes its place in the tree, and waits to be written. */
  #enter(boVa: BoVa, id: number): void {
    this.mappings.insert(id);
    this.#await(boVa, id);
    this.#counters.mapSteps++;
    this.#mustUpdate(boVa);
  }

  /** A mapping that is on no list waits to be written. */
  #await(boVa: BoVa, id: number): void {
    this.mappings.push(boVa.invalids, id, INVALID);
    boVa.vaCount++;
  }

  #mustUpdate(boVa: BoVa): void {
    if (boVa.isAlwaysValid && !boVa.moved) this.alwaysValid.needsUpdate.moveHere(boVa);
  }

  /**
   * What lies in a range goes.
   *
   * @param lowest - the lowest mapping that has a page in it, 0 for none
   */
  #clear(lowest: number, first: number, last: number): void {
    if (lowest === 0) return;
    if ((this.mappings.last[lowest] as number) >= last) this.#clearWithin(lowest, first, last);
    else this.#clearAll(first, last);
  }

  /**
   * A mapping loses a piece. It keeps its number and its place in the tree for what is left of it, and the piece gets a new number,
   * for `freed`: the tree changes only by a second remnant, or when nothing is left.
   */
  #clearWithin(id: number, first: number, last: number): void {
    const { mappings } = this;
    const boVa = this.ownerOf(id);
    const from = mappings.first[id] as number;
    const to = mappings.last[id] as number;
    this.#leaveList(boVa, id);
    if (from >= first && to === last) {
      this.#counters.unmapSteps++;
      mappings.removeRange(from, last, 1);
      this.#free(id);
      return;
    }
    this.#counters.remapSteps++;
    const offset = mappings.offset[id] as number;
    const flags = mappings.flags[id] as number;
    const behind = offset + (last + 1 - from) * PAGE;
    this.#free(mappings.add(Math.max(from, first), last, offset, flags, boVa.id));
    if (from >= first) {
      mappings.first[id] = last + 1;
      mappings.offset[id] = behind;
      this.#await(boVa, id);
    } else {
      mappings.last[id] = first - 1;
      this.#await(boVa, id);
      if (to > last) {
        const after = mappings.add(last + 1, to, behind, flags, boVa.id);
        this.#await(boVa, after);
        mappings.insert(after);
      }
    }
    this.#mustUpdate(boVa);
  }

  #clearAll(first: number, last: number): void {
    const { mappings } = this;
    const count = mappings.overlapping(first, last);
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
        this.#await(boVa, before);
      }
      if (to > last) {
        const behind = offset + (last + 1 - from) * PAGE;
        after = mappings.add(last + 1, to, behind, flags, boVa.id);
        this.#await(boVa, after);
      }
      if (from < first || to > last) this.#counters.remapSteps++;
      else this.#counters.unmapSteps++;
      this.#leaveList(boVa, id);
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

  /** A mapping gives its number and its place in the tree to another one of the same pages. */
  #exchange(id: number, boVa: BoVa, offset: number, flags: number): void {
    const { mappings } = this;
    const from = mappings.first[id] as number;
    const to = mappings.last[id] as number;
    const old = this.ownerOf(id);
    this.#leaveList(old, id);
    this.#counters.unmapSteps++;
    const gone = mappings.add(from, to, mappings.offset[id] as number, mappings.flags[id] as number, old.id);
    this.#free(gone);
    mappings.offset[id] = offset;
    mappings.flags[id] = flags;
    mappings.owner[id] = boVa.id;
    this.#await(boVa, id);
    this.#counters.mapSteps++;
    this.#mustUpdate(boVa);
  }

  /** A mapping leaves the list that it is on. */
  #leaveList(boVa: BoVa, id: number): void {
    const { mappings } = this;
    mappings.unlink(mappings.state[id] === WRITTEN ? boVa.valids : boVa.invalids, id);
    boVa.vaCount--;
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
