/**
 * The objects that one VM knows, each by its bo_va, and the lists that say what is to be done about them (`amdgpu_vm_bo_add`,
 * `amdgpu_vm_bo_del`, `amdgpu_vm.c`, Linux 7.3-rc7).
 *
 * An object is here from the first of its handles that is opened in the VM's file to the last that is closed.
 *
 * @module
 */

import { type AllocFault, ENOMEM, fail } from "@vmbind/drm";
import { type AmdgpuBo, isPreferred } from "./bo.ts";
import { BoVa, type StateLists, stateLists } from "./bo-va.ts";
import type { AmdgpuCounters } from "./cost-sheet.ts";

/** What the objects of a VM need of it. */
export interface VmObjectsOptions {
  /** What is counted. */
  counters: AmdgpuCounters;
  /** Asked before each bo_va and each mapping. */
  allocFault?: AllocFault | undefined;
}

/** The objects of one VM. */
export class VmObjects {
  /** The bo_va of all PRT mappings. It is on no list. */
  readonly prt: BoVa;
  /** Lists of the objects that are always valid here. */
  readonly alwaysValid: StateLists = stateLists();
  /** Lists of all other objects. */
  readonly individual: StateLists = stateLists();
  readonly #vm: object;
  readonly #options: VmObjectsOptions;
  /** By number; null where there is none. */
  readonly #boVas: (BoVa | null)[] = [null];
  /** Those of objects. */
  readonly #ofObjects: Set<BoVa> = new Set();
  readonly #freeIds: number[] = [];

  /**
   * @param vm - that bo_vas say they belong to
   * @param options - see {@link VmObjectsOptions}
   */
  constructor(vm: object, options: VmObjectsOptions) {
    this.#vm = vm;
    this.#options = options;
    this.prt = this.#add(null);
  }

  /** Objects in the VM. */
  boVas(): Iterable<BoVa> {
    return this.#ofObjects;
  }

  /**
   * @param bo - any object
   * @returns its bo_va here, undefined when it has none
   */
  boVaOf(bo: AmdgpuBo): BoVa | undefined {
    const { vmBos } = bo;
    for (let i = 0; i < vmBos.length; i++) {
      const boVa = vmBos[i];
      if (boVa instanceof BoVa && boVa.vm === this.#vm) return boVa;
    }
    return undefined;
  }

  /**
   * A handle was opened: the object becomes known here, or is counted once more.
   *
   * @throws DrmError ENOMEM
   */
  open(bo: AmdgpuBo): BoVa {
    const known = this.boVaOf(bo);
    if (known !== undefined) {
      known.refs++;
      return known;
    }
    if (this.#options.allocFault?.("vm_bo")) fail(ENOMEM, "bo_va: no memory for it (injected)");
    const boVa = this.#add(bo);
    this.#ofObjects.add(boVa);
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
   * Which lists a bo_va moves between.
   *
   * @param boVa - one of an object
   */
  listsOf(boVa: BoVa): StateLists {
    return boVa.isAlwaysValid ? this.alwaysValid : this.individual;
  }

  /** The bo_va of a number that is in use. */
  protected boVa(id: number): BoVa {
    return this.#boVas[id] as BoVa;
  }

  /** The last handle of an object was closed, and its mappings are gone. */
  protected remove(boVa: BoVa): void {
    boVa.list?.remove(boVa);
    const bo = boVa.bo as AmdgpuBo;
    this.#ofObjects.delete(boVa);
    bo.vmBos.splice(bo.vmBos.indexOf(boVa), 1);
    this.#boVas[boVa.id] = null;
    this.#freeIds.push(boVa.id);
    this.#options.counters.vmBosLive--;
  }

  #add(bo: AmdgpuBo | null): BoVa {
    const id = this.#freeIds.pop() ?? this.#boVas.length;
    const boVa = new BoVa(this.#vm, bo, id);
    this.#boVas[id] = boVa;
    return boVa;
  }
}
