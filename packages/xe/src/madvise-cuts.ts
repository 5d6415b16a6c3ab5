/**
 * Cutting mappings at the ends of a range, so that its attributes can be changed and no others.
 *
 * Only mappings without an object are cut (`drm_gpuvm_madvise_ops_create`): what lies outside stays as a piece, what lies
 * inside comes back as a mapping of its own, and all of them have the attributes of the old one. What the GPU sees does not
 * change. Where no leaf reaches over a cut, the page table is left alone and each piece owns its part of it; else the
 * pieces are bound again, since later each of them has to be able to go without the others.
 *
 * @module
 */

import { ENOMEM, fail, hex } from "@vmbind/drm";
import type { Gpuvm, MapRequest, MapStep, RemapStep, StepHandlers } from "@vmbind/gpuvm-core";
import type { XeBo } from "./bo.ts";
import type { XeDeviceOptions } from "./options.ts";
import {
  leafFlag,
  maxLeafBytes,
  VMA_ATOMIC_PTE,
  VMA_INHERITED,
  VMA_PRESENT,
  VMA_PTE_1G,
  VMA_SYSTEM_ALLOCATOR,
  VMA_ZAPPED,
  type XeVmas,
} from "./vma.ts";
import { VmaJournal } from "./vma-journal.ts";
import { WORK_BIND, WORK_CLEAR, WORK_UNBIND, WorkList } from "./work-list.ts";

/** The cuts of one MADVISE, and the page-table work that they make. */
export class MadviseCuts implements StepHandlers {
  readonly #gpuvm: Gpuvm;
  readonly #vmas: XeVmas;
  readonly #options: Readonly<XeDeviceOptions>;
  readonly #journal: VmaJournal;
  /** What the cuts make of the page table. */
  readonly work: WorkList = new WorkList();
  /** The mapping that was cut last, and where it began. */
  #old = 0;
  #oldAddr = 0;
  /** What becomes of its pieces in the page table: a kind of work, or -1 for nothing. */
  #pieceWork = -1;
  #refusal = "";

  /**
   * @param gpuvm - the VM's mappings
   * @param vmas - their records
   * @param options - the device's
   */
  constructor(gpuvm: Gpuvm, vmas: XeVmas, options: Readonly<XeDeviceOptions>) {
    this.#gpuvm = gpuvm;
    this.#vmas = vmas;
    this.#options = options;
    this.#journal = new VmaJournal(gpuvm, vmas);
  }

  /**
   * Cut at both ends of a range; {@link MadviseCuts.finish} or {@link MadviseCuts.undo} is to follow.
   *
   * @param addr - first VA in bytes
   * @param range - bytes
   * @throws `DrmError` EINVAL for a range that the VM does not have, ENOMEM
   */
  cut(addr: number, range: number): void {
    this.#journal.begin();
    this.work.clear();
    const request: MapRequest = { addr, range, gem: null, offset: 0, flags: 0 };
    const ret = this.#gpuvm.smMadvise(request, this);
    if (ret !== 0) fail(-ret, `madvise: ${ret === -ENOMEM ? this.#refusal : this.#gpuvm.refusal}`);
  }

  /**
   * The page table was written, or will be: what was cut goes.
   *
   * @param held - see {@link VmaJournal.finish}
   */
  finish(held?: (XeBo | null)[]): void {
    this.#journal.finish(held);
  }

  /** Join what was cut. */
  undo(): void {
    this.#journal.undo();
    this.work.clear();
  }

  /** Step handler: the pieces outside the range. @internal */
  remap(step: RemapStep): number {
    const pieces = (step.hasPrev ? 1 : 0) + (step.hasNext ? 1 : 0);
    for (let i = 0; i < pieces; i++)
      if (this.#options.allocFault?.("gpuva")) return this.#noMemory(step.unmap.va);
    const old = step.unmap.va;
    this.#old = old;
    this.#oldAddr = this.#gpuvm.addr(old);
    this.#gpuvm.remap(step);
    this.#journal.went(old);
    this.#pieceWork = this.#workOf(old, step);
    if (this.#pieceWork >= 0) this.work.push(WORK_UNBIND, old);
    if (step.prevVa !== 0) this.#piece(step.prevVa, step.prev.addr, true);
    if (step.nextVa !== 0) this.#piece(step.nextVa, step.next.addr, true);
    return 0;
  }

  /** Step handler: the piece inside. @internal */
  map(step: MapStep): number {
    if (this.#options.allocFault?.("gpuva")) return this.#noMemory(this.#old);
    const va = this.#gpuvm.map(step);
    if (va < 0) throw new Error(`madvise: GPUVM refused the map step at ${hex(step.addr)}: ${va}`);
    this.#piece(va, step.addr, false);
    return 0;
  }

  /** What the pieces of a mapping need: nothing where no leaf reaches over a cut. */
  #workOf(old: number, { hasPrev, prev, hasNext, next }: RemapStep): number {
    const flags = this.#vmas.flags[old] as number;
    const state = this.#vmas.state[old] as number;
    if ((flags & VMA_SYSTEM_ALLOCATOR) !== 0 || state === 0) return -1;
    const leaf = maxLeafBytes(flags);
    const clean =
      (state & VMA_ZAPPED) === 0 &&
      (!hasPrev || (prev.addr + prev.range) % leaf === 0) &&
      (!hasNext || next.addr % leaf === 0);
    if (clean) return -1;
    return (state & VMA_PRESENT) !== 0 ? WORK_BIND : WORK_CLEAR;
  }

  #piece(va: number, addr: number, outside: boolean): void {
    const vmas = this.#vmas;
    const old = this.#old;
    const oldFlags = vmas.flags[old] as number;
    const mirror = (oldFlags & VMA_SYSTEM_ALLOCATOR) !== 0;
    const stays = this.#pieceWork < 0;
    const state = stays ? (vmas.state[old] as number) : 0;
    let flags = oldFlags & (VMA_INHERITED | VMA_ATOMIC_PTE);
    // As with a cut by VM_BIND, what is left of a mirror counts as one that has had leaves of 1 GiB.
    if (mirror && outside) flags |= VMA_PTE_1G;
    if (!mirror && state !== 0) flags |= leafFlag(maxLeafBytes(oldFlags));
    vmas.create(va, flags, vmas.pat[old] as number, state);
    vmas.inheritAttributes(old, va);
    const user = vmas.user.get(old);
    if (user !== undefined) vmas.user.set(va, user);
    const offset = this.#gpuvm.offset(old) + (addr - this.#oldAddr);
    this.#gpuvm.setOffset(va, user === undefined ? 0 : offset);
    this.#journal.came(va);
    if (!stays) this.work.push(this.#pieceWork, va);
  }

  #noMemory(va: number): number {
    this.#refusal = `no memory for a piece of the mapping at ${hex(this.#gpuvm.addr(va))} (injected)`;
    return -ENOMEM;
  }
}
