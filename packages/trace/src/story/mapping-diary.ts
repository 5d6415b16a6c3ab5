/**
 * Which mappings of a file came and went with each ioctl.
 *
 * Comparing all mappings before and after each call costs as much as there are, every time. So the diary looks on: each step of
 * split and merge names an address, and after the call only those addresses are looked up. That also finds what an earlier,
 * asynchronous VM_BIND does while a later call runs.
 *
 * @module
 */

import type { MappingView } from "@vmbind/drm";
import type { ModelVm, StepView, VaManager } from "../lens.ts";
import type { MappingTuple, Moment } from "./story.ts";

/** A VM that is looked at. */
interface Watched {
  readonly id: number;
  readonly vm: ModelVm;
  /** What the diary knows to be mapped, by address. */
  readonly known: Map<number, MappingTuple>;
  /** Addresses at which something may have changed. */
  readonly touched: Set<number>;
  readonly end: () => void;
}

/** Keeps account of the mappings of one open file. */
export class MappingDiary {
  readonly #kindOf: (mapping: MappingView) => number;
  readonly #vms = new Map<number, Watched>();
  /** Mappings by handle: what to look at again when it is closed. */
  readonly #byHandle = new Map<number, Set<MappingTuple>>();
  #removed: Moment["removed"] = [];

  /** @param kindOf - gives a mapping the number of its kind */
  constructor(kindOf: (mapping: MappingView) => number) {
    this.#kindOf = kindOf;
  }

  /**
   * Look at a VM from now on; everything that is mapped in it has come.
   *
   * @param id - VM id
   * @param vm - the VM; nothing happens for one that is watched already
   */
  watch(id: number, vm: ModelVm): void {
    const before = this.#vms.get(id);
    if (before?.vm === vm) return;
    this.forget(id);
    const touched = new Set<number>();
    const { gpuvm } = vm;
    const end = gpuvm?.observe((step) => touch(gpuvm, step, touched)) ?? (() => {});
    for (const { addr } of vm.mappings()) touched.add(addr);
    this.#vms.set(id, { id, vm, known: new Map(), touched, end });
  }

  /**
   * A VM is gone, and all that was mapped in it.
   *
   * @param id - VM id; nothing happens for one that is not watched
   */
  forget(id: number): void {
    const watched = this.#vms.get(id);
    if (!watched) return;
    watched.end();
    for (const mapping of watched.known.values()) this.#remove(watched, mapping);
    this.#vms.delete(id);
  }

  /** The file is closed, and its VMs with it. */
  forgetAll(): void {
    for (const id of [...this.#vms.keys()]) this.forget(id);
  }

  /**
   * An object's mappings may have gone all at once, or have no handle any more: it is unmapped as a whole, or its handle closed.
   *
   * @param handle - GEM handle
   */
  touchObject(handle: number): void {
    for (const [vm, addr] of this.#byHandle.get(handle) ?? []) this.#vms.get(vm)?.touched.add(addr);
  }

  /** @returns what came and what went since the last time, each in the order of VMs and addresses */
  changes(): Pick<Moment, "added" | "removed"> {
    const added: MappingTuple[] = [];
    for (const watched of this.#vms.values()) {
      if (watched.vm.gpuvm === undefined) everything(watched);
      for (const addr of ascending(watched.touched)) this.#look(watched, addr, added);
      watched.touched.clear();
    }
    const removed = this.#removed;
    this.#removed = [];
    return { added, removed };
  }

  #look(watched: Watched, addr: number, added: MappingTuple[]): void {
    const { id, vm, known } = watched;
    const old = known.get(addr);
    const now = mappingAt(vm, addr);
    if (now === null) {
      if (old) this.#remove(watched, old);
      return;
    }
    const { range, bo, offset } = now;
    if (old?.[2] === range && old[4] === bo && old[5] === offset) return;
    if (old) this.#unindex(old);
    const mapping: MappingTuple = [id, addr, range, this.#kindOf(now), bo, offset];
    known.set(addr, mapping);
    const others = this.#byHandle.get(bo);
    if (others) others.add(mapping);
    else this.#byHandle.set(bo, new Set([mapping]));
    added.push(mapping);
  }

  #remove({ id, known }: Watched, mapping: MappingTuple): void {
    known.delete(mapping[1]);
    this.#unindex(mapping);
    this.#removed.push([id, mapping[1]]);
  }

  #unindex(mapping: MappingTuple): void {
    const others = this.#byHandle.get(mapping[4]);
    others?.delete(mapping);
    if (others?.size === 0) this.#byHandle.delete(mapping[4]);
  }
}

function touch(vm: VaManager, step: StepView, touched: Set<number>): void {
  switch (step.kind) {
    case "map":
      touched.add(step.addr);
      break;
    case "remap":
      touched.add(vm.addr(step.unmap.va));
      if (step.hasPrev) touched.add(step.prev.addr);
      if (step.hasNext) touched.add(step.next.addr);
      break;
    case "unmap":
      touched.add(vm.addr(step.va));
      break;
    case "prefetch":
      break;
  }
}

/** Where nobody can look on, all of it. */
function everything({ vm, known, touched }: Watched): void {
  for (const addr of known.keys()) touched.add(addr);
  for (const { addr } of vm.mappings()) touched.add(addr);
}

function mappingAt(vm: ModelVm, wanted: number): MappingView | null {
  for (const mapping of vm.mappings({ addr: wanted, range: 1 })) if (mapping.addr === wanted) return mapping;
  return null;
}

function ascending(addresses: ReadonlySet<number>): number[] {
  return addresses.size < 2 ? [...addresses] : [...addresses].sort((a, b) => a - b);
}
