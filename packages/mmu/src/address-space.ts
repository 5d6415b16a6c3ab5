/**
 * One address space as the GPU sees it: loads and stores of virtual addresses, through the TLB if there is one, by
 * walking the real tables if not, with the rights checked at the leaf. What is refused is recorded and thrown.
 */

import { hexAddress } from "./address.ts";
import type { MmuCounters } from "./counters.ts";
import type { LevelGeometry, PageTableFormat } from "./format.ts";
import { RIGHT_EXEC, RIGHT_READ, RIGHT_WRITE, rootGeometry } from "./format.ts";
import type { Access, FaultKind } from "./gpu-fault.ts";
import { GpuFault } from "./gpu-fault.ts";
import type { PhysicalMemory } from "./physical-memory.ts";
import type { Tlb } from "./tlb.ts";
import { Walk, type Walker, walkerOf } from "./walk.ts";

/** How an address space is used. */
export interface AddressSpaceOptions {
  /** Its number in the TLB, 0 or more. Default 0. */
  asid?: number;
  /**
   * Asked before each access, for GPUs that know fewer address spaces at a time than there are: makes sure that this one has a
   * number in the TLB, and returns it; below 0 while translation is off, so that every access faults. Default: always `asid`.
   */
  enter?: () => number;
  /** The TLB that answers before the tables do. Default: none. */
  tlb?: Tlb;
  /**
   * Record a fault but go on: loads give 0, stores are dropped (SOFT_FAULTS of `asahi_drm.h`, Linux 7.3-rc7). Default false.
   */
  softFaults?: boolean;
  /**
   * Physical address of a page to which the memory system lets no store through, although entries allow it: loads read the page.
   * Adreno's partially resident region is one (`msm_iommu.c`, Linux 7.3-rc7). Default: none.
   */
  dropsStoresTo?: number;
}

const RIGHT_OF: Readonly<Record<Access, number>> = { read: RIGHT_READ, write: RIGHT_WRITE, exec: RIGHT_EXEC };
const REFUSAL_OF: Readonly<Record<Access, FaultKind>> = {
  read: "read-permission",
  write: "write-permission",
  exec: "exec-permission",
};

/** Somebody looks through the tables of a VM that is gone. A mistake of the program, never of the GPU. */
export class DeadAddressSpace extends Error {
  /** `DeadAddressSpace`, as stack traces print it. */
  override readonly name: string = "DeadAddressSpace";

  /** @param root - physical address of the root table that was freed */
  constructor(root: number) {
    super(`address space: its root table at ${hexAddress(root)} was freed, the VM is gone`);
  }
}

/** The GPU's view of one page-table tree. Words are little endian. */
export class AddressSpace {
  /** The memory that holds tables and data. */
  readonly memory: PhysicalMemory;
  /** The format of the tables. */
  readonly format: PageTableFormat;
  /** Physical address of the root table. */
  readonly root: number;
  /** The TLB in use, or null. */
  readonly tlb: Tlb | null;
  /** Every access refused so far, oldest first. */
  readonly faults: GpuFault[] = [];
  readonly #rootSlot: number;
  readonly #rootGeneration: number;
  readonly #walk: Walker;
  readonly #enter: (() => number) | null;
  #asid: number;
  readonly #softFaults: boolean;
  readonly #smallestPage: number;
  /** NaN where stores reach every page: nothing is near it. */
  readonly #dropsStoresTo: number;
  readonly #translation: Walk = new Walk();
  /** A word on its way, with views of its first bytes. */
  readonly #word: DataView<ArrayBuffer> = new DataView(new ArrayBuffer(8));
  readonly #word8: Uint8Array = new Uint8Array(this.#word.buffer, 0, 1);
  readonly #word32: Uint8Array = new Uint8Array(this.#word.buffer, 0, 4);
  readonly #word64: Uint8Array = new Uint8Array(this.#word.buffer);

  /** @throws Error when `root` is not the address of a page-table page, or the format's tables have another size. */
  constructor(
    memory: PhysicalMemory,
    format: PageTableFormat,
    root: number,
    options: AddressSpaceOptions = {},
  ) {
    this.memory = memory;
    this.format = format;
    this.root = root;
    this.#asid = options.asid ?? 0;
    this.#enter = options.enter ?? null;
    this.tlb = options.tlb ?? null;
    this.#softFaults = options.softFaults ?? false;
    this.#dropsStoresTo = options.dropsStoresTo ?? Number.NaN;
    this.#smallestPage = (format.levels.at(-1) as LevelGeometry).entryBytes;
    this.#rootSlot = rootSlotOf(memory, format, root);
    this.#rootGeneration = memory.tables.generation(this.#rootSlot);
    this.#walk = walkerOf(format);
  }

  /** Number of this address space in the TLB; with {@link AddressSpaceOptions.enter}, that of the last access. */
  get asid(): number {
    return this.#asid;
  }

  /** The sheet that walks are counted on. */
  get counters(): MmuCounters {
    return this.memory.counters;
  }

  /** False once the root table was freed: the VM is gone, and its tables' pages may be another's. */
  get alive(): boolean {
    return this.memory.tables.generation(this.#rootSlot) === this.#rootGeneration;
  }

  /**
   * Walks the tables to virtual address `va` (bytes), past the TLB. Allocation-free when `out` is given.
   * @throws DeadAddressSpace when the root table was freed; nothing else.
   */
  walk(va: number, out: Walk = new Walk()): Walk {
    const { tables } = this.memory;
    // `alive` written out: the engine puts the walk itself into its caller's loop, but not what it calls besides.
    if (tables.generation(this.#rootSlot) !== this.#rootGeneration) throw new DeadAddressSpace(this.root);
    return this.#walk(tables, this.format, this.#rootSlot, va, out);
  }

  /**
   * Translates as an access would, through the TLB but without checking rights.
   * @throws DeadAddressSpace when the root table was freed; nothing else but what {@link AddressSpaceOptions.enter} throws.
   */
  translate(va: number, out: Walk = new Walk()): Walk {
    if (!this.alive) throw new DeadAddressSpace(this.root);
    const { tlb } = this;
    if (this.#enter !== null) {
      const asid = this.#enter();
      if (asid < 0) return this.#untranslated(out);
      this.#asid = asid;
    }
    if (tlb === null) return this.walk(va, out);
    const asid = this.#asid;
    if (tlb.lookup(asid, va, out)) return out;
    this.walk(va, out);
    if (out.kind !== "fault") tlb.insert(asid, va, out);
    return out;
  }

  /** Translation is off: nothing is read, which the root's level stands for. */
  #untranslated(out: Walk): Walk {
    out.kind = "fault";
    out.pa = 0;
    out.geometry = rootGeometry(this.format);
    out.lo = 0;
    out.hi = 0;
    return out;
  }

  /**
   * Loads `bytes` bytes from `va`, across pages if need be.
   * @throws GpuFault at the first byte that is refused.
   */
  load(va: number, bytes: number): Uint8Array {
    const into = new Uint8Array(bytes);
    this.#read(va, into, "read");
    return into;
  }

  /**
   * Fetches `bytes` bytes of instructions from `va`.
   * @throws GpuFault at the first byte that is refused.
   */
  fetch(va: number, bytes: number): Uint8Array {
    const into = new Uint8Array(bytes);
    this.#read(va, into, "exec");
    return into;
  }

  /**
   * Stores bytes at `va`, across pages if need be. Pages before the first refused byte have been written.
   * @throws GpuFault at the first byte that is refused.
   */
  store(va: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const at = va + done;
      const target = this.#access(at, "write");
      const count = this.#untilPageEnd(at, target, bytes.length - done);
      if (target.kind === "page" && !this.#drops(target.pa)) {
        this.memory.write(target.pa, part(bytes, done, count));
      }
      done += count;
    }
  }

  /** Loads one byte. @throws GpuFault */
  load8(va: number): number {
    return this.#loadWord(va, this.#word8).getUint8(0);
  }

  /** Loads an unsigned 32-bit word. @throws GpuFault */
  load32(va: number): number {
    return this.#loadWord(va, this.#word32).getUint32(0, true);
  }

  /** Loads an unsigned 64-bit word. @throws GpuFault */
  load64(va: number): bigint {
    return this.#loadWord(va, this.#word64).getBigUint64(0, true);
  }

  /** Stores one byte (the low 8 bits of `value`). @throws GpuFault */
  store8(va: number, value: number): void {
    this.#word.setUint8(0, value);
    this.store(va, this.#word8);
  }

  /** Stores a 32-bit word (the low 32 bits of `value`). @throws GpuFault */
  store32(va: number, value: number): void {
    this.#word.setUint32(0, value, true);
    this.store(va, this.#word32);
  }

  /** Stores a 64-bit word (the low 64 bits of `value`). @throws GpuFault */
  store64(va: number, value: bigint): void {
    this.#word.setBigUint64(0, value, true);
    this.store(va, this.#word64);
  }

  #loadWord(va: number, bytes: Uint8Array): DataView<ArrayBuffer> {
    this.#read(va, bytes, "read");
    return this.#word;
  }

  #read(va: number, into: Uint8Array, access: "read" | "exec"): void {
    for (let done = 0; done < into.length; ) {
      const at = va + done;
      const source = this.#access(at, access);
      const count = this.#untilPageEnd(at, source, into.length - done);
      if (source.kind === "page") this.memory.read(source.pa, part(into, done, count));
      else into.fill(0, done, done + count);
      done += count;
    }
  }

  /** Whether a store to a physical address gets lost on its way. */
  #drops(pa: number): boolean {
    const inPage = pa - this.#dropsStoresTo;
    return inPage >= 0 && inPage < this.#smallestPage;
  }

  /** The translation of one byte if the access is allowed; with soft faults, a fault in place of a throw. */
  #access(va: number, access: Access): Walk {
    const found = this.translate(va, this.#translation);
    // A null page has no memory to protect: hardware drops the store or gives zeros, and reports nothing.
    if (found.kind === "null") return found;
    if (found.kind === "page" && (found.rights & RIGHT_OF[access]) !== 0) return found;
    const kind = found.kind === "fault" ? "not-present" : REFUSAL_OF[access];
    const fault = new GpuFault(va, found.level, kind, access, this.#asid);
    this.faults.push(fault);
    if (!this.#softFaults) throw fault;
    found.kind = "fault";
    return found;
  }

  /** How many of `most` bytes from `va` lie in the page that `found` describes; after a fault, in the smallest page. */
  #untilPageEnd(va: number, found: Walk, most: number): number {
    const size = found.sizeBytes || this.#smallestPage;
    return Math.min(most, size - (va % size));
  }
}

/** A view of `count` bytes; an access within one page, which is nearly every one, needs no new view. */
function part(bytes: Uint8Array, from: number, count: number): Uint8Array {
  return count === bytes.length ? bytes : bytes.subarray(from, from + count);
}

/**
 * The slot of a root table, checked.
 * @throws Error when `root` is not the address of a page-table page, or the format's tables have another size.
 */
export function rootSlotOf(memory: PhysicalMemory, format: PageTableFormat, root: number): number {
  const slot = memory.tables.slotAt(root);
  if (slot < 0) throw new Error(`${format.name}: no page-table page at root ${hexAddress(root)}`);
  if (memory.tables.pageBytes !== format.tableBytes) {
    throw new Error(
      `${format.name}: expected tables of ${format.tableBytes} bytes, memory has ${memory.tables.pageBytes}`,
    );
  }
  return slot;
}
