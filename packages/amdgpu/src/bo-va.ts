/**
 * A bo_va is an object as one VM knows it: its mappings there, and what has to be done about them (`struct amdgpu_bo_va`,
 * `amdgpu_vm.c`, Linux 7.3-rc7). The PRT mappings of a VM have one of their own, without an object.
 *
 * A bo_va of an object is on one of three lists of its VM, and every change of place goes to the head of the new list. Objects
 * that are always valid in the VM and all others have three lists each.
 *
 * @module
 */

import type { GemVmBo } from "@vmbind/drm";
import type { AmdgpuBo } from "./bo.ts";
import { type MappingList, mappingList } from "./mappings.ts";

/** An object in a VM. */
export class BoVa implements GemVmBo {
  /** The VM, for comparison. */
  readonly vm: object;
  /** The object, null for PRT. */
  readonly bo: AmdgpuBo | null;
  /** Its number in the VM. */
  readonly id: number;
  /** Whether its object is always valid in the VM. */
  readonly isAlwaysValid: boolean;
  /** Opens of the object in the VM's file. */
  refs = 1;
  /** Its object was moved since its entries were written. */
  moved = false;
  /** Its entries were last written as if the object had no memory. */
  cleared = false;
  /** Mappings that the page tables show. */
  readonly valids: MappingList = mappingList();
  /** Mappings that the page tables do not show yet, or no longer as they are. */
  readonly invalids: MappingList = mappingList();
  /** Mappings on both lists. */
  vaCount = 0;
  /** The list that it is on. */
  list: StateList | null = null;
  /** Neighbour towards the head. */
  prev: BoVa | null = null;
  /** Neighbour towards the tail. */
  next: BoVa | null = null;

  /**
   * @param vm - the VM
   * @param bo - the object, null for PRT
   * @param id - number in the VM
   */
  constructor(vm: object, bo: AmdgpuBo | null, id: number) {
    this.vm = vm;
    this.bo = bo;
    this.id = id;
    this.isAlwaysValid = bo?.isAlwaysValid === true;
  }

  /** Whether its object waits for the next submission: the entries show where it was. */
  get evicted(): boolean {
    return this.moved;
  }
}

/** One list of bo_vas, newest first. */
export class StateList {
  #head: BoVa | null = null;

  /** The newest, null when there is none. */
  get head(): BoVa | null {
    return this.#head;
  }

  /** Put a bo_va at the head, from whatever list it is on. */
  moveHere(boVa: BoVa): void {
    if (this.#head === boVa) return;
    boVa.list?.remove(boVa);
    boVa.list = this;
    boVa.prev = null;
    boVa.next = this.#head;
    if (this.#head !== null) this.#head.prev = boVa;
    this.#head = boVa;
  }

  /** Take a bo_va off. */
  remove(boVa: BoVa): void {
    if (boVa.prev !== null) boVa.prev.next = boVa.next;
    else this.#head = boVa.next;
    if (boVa.next !== null) boVa.next.prev = boVa.prev;
    boVa.list = null;
    boVa.prev = null;
    boVa.next = null;
  }

  /** All, newest first; the one that was given last may be moved meanwhile. */
  *[Symbol.iterator](): Generator<BoVa> {
    for (let at = this.#head; at !== null; ) {
      const { next } = at;
      yield at;
      at = next;
    }
  }
}

/** The three lists of one kind of objects. */
export interface StateLists {
  /** The object is not where it prefers to be. */
  readonly evicted: StateList;
  /** Entries have to be written. */
  readonly needsUpdate: StateList;
  /** Nothing is to be done. */
  readonly idle: StateList;
}

/** @returns three empty lists */
export function stateLists(): StateLists {
  return { evicted: new StateList(), needsUpdate: new StateList(), idle: new StateList() };
}
