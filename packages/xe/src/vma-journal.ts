/**
 * Which mappings came and which went while an ioctl was parsed, so that it can be finished or undone as a whole.
 *
 * A mapping that went is out of the tree, but it and its references live until the end: page-table work still reads it,
 * and an error brings it back.
 *
 * @module
 */

import type { Gpuvm } from "@vmbind/gpuvm-core";
import type { XeBo } from "./bo.ts";
import { VMA_DESTROYED, VMA_NEW, type XeVmas } from "./vma.ts";

/** The journal of one VM, reused. */
export class VmaJournal {
  readonly #gpuvm: Gpuvm;
  readonly #vmas: XeVmas;
  /** Handles of mappings that came, and minus the handles of those that went. */
  #entries: Int32Array = new Int32Array(64);
  #count = 0;

  /**
   * @param gpuvm - the VM's mappings
   * @param vmas - their records
   */
  constructor(gpuvm: Gpuvm, vmas: XeVmas) {
    this.#gpuvm = gpuvm;
    this.#vmas = vmas;
  }

  /** Forget everything: a new ioctl begins. */
  begin(): void {
    this.#count = 0;
    this.#vmas.trims.clear();
  }

  /** A mapping came into the tree: it takes a reference to its object or, without one, a second one to the VM. */
  came(va: number): void {
    this.#vmas.flags[va] = (this.#vmas.flags[va] as number) | VMA_NEW;
    const gem = this.#gpuvm.gem(va) as XeBo | null;
    if (gem === null) this.#gpuvm.get();
    else {
      gem.get();
      gem.mappingCame(this.#vmas.purgeable(va) === 0);
    }
    this.#record(va);
  }

  /** A mapping was taken out of the tree. */
  went(va: number): void {
    this.#vmas.flags[va] = (this.#vmas.flags[va] as number) | VMA_DESTROYED;
    this.#record(-va);
  }

  /**
   * Everything went well: those that came are like any others, those that went are destroyed.
   *
   * @param held - gets what those referred to, with the references; these are dropped at once unless given
   */
  finish(held?: (XeBo | null)[]): void {
    const { flags, trims } = this.#vmas;
    for (let i = 0; i < this.#count; i++) {
      const entry = this.#entries[i] as number;
      if (entry < 0) this.#destroy(-entry, held);
      else flags[entry] = (flags[entry] as number) & ~VMA_NEW;
    }
    trims.clear();
  }

  /** The mappings that came, in order. */
  *arrivals(): Generator<number> {
    for (let i = 0; i < this.#count; i++) {
      const entry = this.#entries[i] as number;
      if (entry > 0) yield entry;
    }
  }

  /** Bring the tree back to what it was when the ioctl began. */
  undo(): void {
    for (let i = this.#count - 1; i >= 0; i--) {
      const entry = this.#entries[i] as number;
      if (entry < 0) this.#bringBack(-entry);
      else {
        this.#gpuvm.remove(entry);
        this.#destroy(entry);
      }
    }
    this.begin();
  }

  /** VM_DESTROY: every mapping goes. */
  removeAll(): void {
    for (const va of this.#gpuvm.mappings()) {
      this.#gpuvm.remove(va);
      this.#destroy(va);
    }
  }

  #bringBack(va: number): void {
    const ret = this.#gpuvm.reinsert(va);
    if (ret !== 0) throw new Error(`vm_bind: the place of mapping ${va} is taken: ${ret}`);
    const { flags } = this.#vmas;
    flags[va] = (flags[va] as number) & ~VMA_DESTROYED;
  }

  #destroy(va: number, held?: (XeBo | null)[]): void {
    const gem = this.#gpuvm.gem(va) as XeBo | null;
    const vmas = this.#vmas;
    if (vmas.user.size > 0) vmas.user.delete(va);
    if (vmas.userFences.size > 0) vmas.userFences.delete(va);
    this.#gpuvm.unlink(va);
    this.#gpuvm.free(va);
    if (gem !== null) gem.mappingWent(vmas.purgeable(va) === 0);
    if (held === undefined) {
      release(this.#gpuvm, gem);
      return;
    }
    held.push(gem);
    if (gem !== null) gem.heldByJobs++;
  }

  #record(entry: number): void {
    if (this.#count === this.#entries.length) {
      const larger = new Int32Array(this.#entries.length * 2);
      larger.set(this.#entries);
      this.#entries = larger;
    }
    this.#entries[this.#count++] = entry;
  }
}

/**
 * Drop the reference of a mapping that is gone.
 *
 * @param gpuvm - its VM
 * @param gem - its object; null for one that held the VM instead
 */
export function release(gpuvm: Gpuvm, gem: XeBo | null): void {
  if (gem === null) gpuvm.put();
  else gem.put();
}
