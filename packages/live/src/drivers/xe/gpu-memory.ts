/**
 * Memory as the commands of a batch see it: through the page tables of a VM. In a fault-mode VM a missing page is a
 * recoverable fault, which the driver serves before the access is done; in every other VM it is the end of the queue.
 *
 * @module
 */

import { DrmError } from "@vmbind/drm";
import { GpuFault } from "@vmbind/mmu";
import type { XeVm } from "@vmbind/xe";

/** Bytes that the command streamer fetches at a time. */
const LINE_BYTES = 256;
/** Faults of one access that are served: a page, and a second one where the access reaches over its end. */
const MOST_FAULTS = 4;

/** What is done there. */
type Kind = "read" | "write" | "atomic";

/** A VM's memory. */
export class GpuMemory {
  readonly #vm: XeVm;
  readonly #mask: bigint;
  #line = -1;
  #words: DataView = new DataView(new ArrayBuffer(LINE_BYTES));

  /** @param vm - whose page tables translate */
  constructor(vm: XeVm) {
    this.#vm = vm;
    this.#mask = BigInt(vm.size) - 1n;
  }

  /**
   * An address as the hardware takes it: bits above the VM's width are copies of the highest one (canonical form).
   *
   * @param low - bits 31..0
   * @param high - bits 63..32
   */
  address(low: number, high: number): number {
    return this.canonical((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0));
  }

  /** The same of a u64. */
  canonical(address: bigint): number {
    return Number(address & this.#mask);
  }

  /** Commands are fetched anew from here on: somebody else may have written them. */
  forgetCommands(): void {
    this.#line = -1;
  }

  /**
   * A word of the command stream.
   *
   * @param va - address, a multiple of 4
   * @throws GpuFault
   */
  command(va: number): number {
    const line = va - (va % LINE_BYTES);
    if (line !== this.#line) {
      this.#words = new DataView(this.load(line, LINE_BYTES).buffer);
      this.#line = line;
    }
    return this.#words.getUint32(va - line, true);
  }

  /** @throws GpuFault */
  load32(va: number): number {
    return this.#access("read", () => this.#vm.addressSpace.load32(va));
  }

  /** @throws GpuFault */
  load(va: number, bytes: number): Uint8Array {
    return this.#access("read", () => this.#vm.addressSpace.load(va, bytes));
  }

  /** @throws GpuFault */
  store32(va: number, value: number): void {
    this.#wrote(va);
    this.#access("write", () => this.#vm.addressSpace.store32(va, value));
  }

  /** @throws GpuFault */
  store64(va: number, value: bigint): void {
    this.#wrote(va);
    this.#access("write", () => this.#vm.addressSpace.store64(va, value));
  }

  /** @throws GpuFault */
  store(va: number, bytes: Uint8Array): void {
    this.#line = -1;
    this.#access("write", () => this.#vm.addressSpace.store(va, bytes));
  }

  /**
   * Change a word in one step.
   *
   * @param change - the new value from the old one
   * @throws GpuFault
   */
  atomic32(va: number, change: (old: number) => number): void {
    const { addressSpace } = this.#vm;
    this.#wrote(va);
    this.#access("atomic", () => addressSpace.store32(va, change(addressSpace.load32(va))));
  }

  /** The same of a 64-bit word. @throws GpuFault */
  atomic64(va: number, change: (old: bigint) => bigint): void {
    const { addressSpace } = this.#vm;
    this.#wrote(va);
    this.#access("atomic", () => addressSpace.store64(va, change(addressSpace.load64(va))));
  }

  /** A batch may write its own commands. */
  #wrote(va: number): void {
    if (va - (va % LINE_BYTES) === this.#line) this.#line = -1;
  }

  #access<T>(kind: Kind, access: () => T): T {
    for (let faults = 0; ; faults++) {
      try {
        return access();
      } catch (error) {
        if (!(error instanceof GpuFault) || !this.#vm.faultMode || faults === MOST_FAULTS) throw error;
        this.#serve(error, kind);
      }
    }
  }

  /** @throws the fault where the driver cannot serve it */
  #serve(fault: GpuFault, kind: Kind): void {
    try {
      this.#vm.fault(fault.va, { write: kind !== "read", atomic: kind === "atomic" });
    } catch (error) {
      throw error instanceof DrmError ? fault : error;
    }
  }
}
