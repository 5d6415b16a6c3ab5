/**
 * The faults of a VM that its driver records, for VM_GET_PROPERTY (`xe_pagefault.c`, `xe_vm.c`, Linux 7.3-rc7).
 *
 * @module
 */

import type { AddressSpace } from "@vmbind/mmu";
import { PAGE_BYTES } from "./page-sizes.ts";
import {
  FAULT_ACCESS_TYPE_ATOMIC,
  FAULT_ACCESS_TYPE_READ,
  FAULT_ACCESS_TYPE_WRITE,
  FAULT_TYPE_ATOMIC_ACCESS,
  FAULT_TYPE_NOT_PRESENT,
  FAULT_TYPE_WRITE_ACCESS,
  type VmFault,
} from "./uapi-madvise.ts";

/** `MAX_FAULTS_SAVED_PER_VM` (`xe_vm.h`): faults that a VM records. */
const MAX_FAULTS = 50;

/** What the GPU was about to do when it faulted. */
export interface FaultAccess {
  /** It was an atomic operation. */
  readonly atomic?: boolean;
  /** It was a write; an atomic operation says so beside. */
  readonly write?: boolean;
}

/** The faults of one VM. */
export class VmFaults {
  readonly #space: AddressSpace;
  readonly #faultMode: boolean;
  readonly #notServed: Partial<VmFault>[] = [];

  /**
   * @param space - the VM as the GPU sees it
   * @param faultMode - faults are served, and only those that cannot be are recorded
   */
  constructor(space: AddressSpace, faultMode: boolean) {
    this.#space = space;
    this.#faultMode = faultMode;
  }

  /**
   * A fault could not be served.
   *
   * @param addr - VA in bytes
   * @param access - what the GPU was about to do
   */
  record(addr: number, { atomic = false, write = false }: FaultAccess): void {
    if (this.#notServed.length === MAX_FAULTS) return;
    const walk = this.#space.walk(addr);
    const accessType = atomic
      ? FAULT_ACCESS_TYPE_ATOMIC
      : write
        ? FAULT_ACCESS_TYPE_WRITE
        : FAULT_ACCESS_TYPE_READ;
    const refused = atomic ? FAULT_TYPE_ATOMIC_ACCESS : FAULT_TYPE_WRITE_ACCESS;
    const faultType = walk.kind === "fault" ? FAULT_TYPE_NOT_PRESENT : refused;
    this.#notServed.push(ofPage(addr, accessType, faultType, walk.level));
  }

  /**
   * The first 50, oldest first, kept as long as the VM. Addresses are those of pages, as the hardware reports them. Not
   * known: whether the driver drops equal ones; here it does not.
   */
  list(): readonly Partial<VmFault>[] {
    if (this.#faultMode) return this.#notServed;
    return this.#space.faults.slice(0, MAX_FAULTS).map(({ va, level, kind, access }) => {
      const accessType = access === "write" ? FAULT_ACCESS_TYPE_WRITE : FAULT_ACCESS_TYPE_READ;
      return ofPage(
        va,
        accessType,
        kind === "not-present" ? FAULT_TYPE_NOT_PRESENT : FAULT_TYPE_WRITE_ACCESS,
        level,
      );
    });
  }
}

function ofPage(va: number, accessType: number, faultType: number, faultLevel: number): Partial<VmFault> {
  const address = Math.floor(va / PAGE_BYTES) * PAGE_BYTES;
  return { address, addressPrecision: PAGE_BYTES, accessType, faultType, faultLevel };
}
