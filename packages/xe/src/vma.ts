/**
 * What the driver knows about a mapping beyond GPUVM (`xe_vma`): flags, memory attributes, and what of it is in the page table.
 * Arrays indexed by GPUVM's handle, 4 bytes a mapping; what few mappings or few VMs have is kept where it takes no room in the rest.
 *
 * The flags word is the kernel's (`xe_vm_types.h`, Linux 7.3-rc7), so GPUVM's own two flags are its lowest bits. It lives
 * here and not in GPUVM's word, where the proposed REPEAT flag has taken bit 2.
 *
 * @module
 */

import type { Fence } from "@vmbind/drm";
import { Trims } from "./trims.ts";
import {
  VM_BIND_FLAG_CPU_ADDR_MIRROR,
  VM_BIND_FLAG_DUMPABLE,
  VM_BIND_FLAG_MADVISE_AUTORESET,
  VM_BIND_FLAG_NULL,
  VM_BIND_FLAG_READONLY,
} from "./uapi.ts";
import type { UserRange } from "./user-pages.ts";
import { copied, VmaAdvice } from "./vma-advice.ts";

/** `DRM_GPUVA_SPARSE` (`drm_gpuvm.h`): a null mapping. */
export const VMA_SPARSE = 0x2;
/** `XE_VMA_READ_ONLY`: the GPU may not write. */
export const VMA_READ_ONLY = 0x4;
/** `XE_VMA_DESTROYED`: taken out of the VM. */
export const VMA_DESTROYED = 0x8;
/** `XE_VMA_ATOMIC_PTE_BIT`: leaves have the atomics-enable bit; set on every mapping of a device that has it. */
export const VMA_ATOMIC_PTE = 0x10;
/** `XE_VMA_PTE_4K`: has had leaves of 4 KiB; `VMA_PTE_4K << level` for the others. */
export const VMA_PTE_4K = 0x20;
/** `XE_VMA_PTE_2M`: has had leaves of 2 MiB. */
export const VMA_PTE_2M = 0x40;
/** `XE_VMA_PTE_1G`: has had leaves of 1 GiB. */
export const VMA_PTE_1G = 0x80;
/** `XE_VMA_PTE_64K`: has had entries with the 64 KiB hint. */
export const VMA_PTE_64K = 0x100;
/** `XE_VMA_PTE_COMPACT`: has had compact tables. */
export const VMA_PTE_COMPACT = 0x200;
/** `XE_VMA_DUMPABLE`: part of a core dump. */
export const VMA_DUMPABLE = 0x400;
/** `XE_VMA_SYSTEM_ALLOCATOR`: mirrors the process's address space. */
export const VMA_SYSTEM_ALLOCATOR = 0x800;
/** `XE_VMA_MADV_AUTORESET`: attributes of madvise end with the CPU mapping. */
export const VMA_MADV_AUTORESET = 0x1000;
/** Made by the ioctl that is running. No flag of the kernel's: there a list of operations tells. */
export const VMA_NEW = 0x2000;
/**
 * All flags that tell leaf sizes (`XE_VMA_PTE_4K` and so on, `xe_vm_types.h`). They are set while leaves are staged and
 * never cleared, not even when the ioctl is then refused (`xe_pt_stage_bind_entry` in `xe_pt.c`, Linux 7.3-rc7).
 */
export const VMA_PTE_FLAGS: number = VMA_PTE_4K | VMA_PTE_2M | VMA_PTE_1G | VMA_PTE_64K | VMA_PTE_COMPACT;
/** What the pieces of a split mapping inherit. */
export const VMA_INHERITED: number =
  VMA_READ_ONLY | VMA_DUMPABLE | VMA_SYSTEM_ALLOCATOR | VMA_SPARSE | VMA_MADV_AUTORESET;

/** State: its leaves are in the page table. */
export const VMA_PRESENT = 1;
/** State: staged by an ioctl that is not finished. */
export const VMA_STAGED = 2;
/** State: zero leaves are in the page table, so that access faults in a scratch VM. */
export const VMA_ZEROED = 4;
/** State: the same with quirk `faultScratch`: only an unbind of this very mapping knows of the zero leaves. */
export const VMA_FORGOTTEN = 8;

/** State, beside {@link VMA_PRESENT}: its leaves were overwritten with zero until it is bound again (`tile_invalidated`). */
export const VMA_ZAPPED = 16;

/**
 * Flags that a MAP gives its mapping.
 *
 * @param flags - `VM_BIND_FLAG_*`
 */
export function vmaFlags(flags: number): number {
  if (flags === 0) return 0;
  return (
    (flags & VM_BIND_FLAG_READONLY ? VMA_READ_ONLY : 0) |
    (flags & VM_BIND_FLAG_NULL ? VMA_SPARSE : 0) |
    (flags & VM_BIND_FLAG_DUMPABLE ? VMA_DUMPABLE : 0) |
    (flags & VM_BIND_FLAG_CPU_ADDR_MIRROR ? VMA_SYSTEM_ALLOCATOR : 0) |
    (flags & VM_BIND_FLAG_MADVISE_AUTORESET ? VMA_MADV_AUTORESET : 0)
  );
}

/**
 * Largest leaf that a mapping has had, by its flags: a cut at a multiple of it cuts no leaf.
 *
 * @param flags - flags of the mapping
 * @returns bytes; 1 GiB for a mapping that was never bound, whose leaves may still become anything
 */
export function maxLeafBytes(flags: number): number {
  if (flags & VMA_PTE_1G) return 0x4000_0000;
  if (flags & (VMA_PTE_2M | VMA_PTE_COMPACT)) return 0x20_0000;
  if (flags & VMA_PTE_64K) return 0x1_0000;
  if (flags & VMA_PTE_4K) return 0x1000;
  return 0x4000_0000;
}

/** The flag that stands for leaves of a size, as {@link maxLeafBytes} returned it. */
export function leafFlag(bytes: number): number {
  if (bytes === 0x4000_0000) return VMA_PTE_1G;
  if (bytes === 0x20_0000) return VMA_PTE_2M;
  return bytes === 0x1_0000 ? VMA_PTE_64K : VMA_PTE_4K;
}

/** Mappings from which the arrays grow by an eighth and not to twice their length: what is unused, every mapping pays for. */
const MANY = 65536;

/** The driver's data of a VM's mappings. */
export class XeVmas {
  /** `VMA_*` flags. */
  flags: Uint16Array = new Uint16Array(64);
  /** Memory attribute: PAT index. Who changes it asks for {@link XeVmas.advise} before. */
  pat: Uint8Array = new Uint8Array(64);
  /** {@link VMA_PRESENT}, {@link VMA_STAGED}, {@link VMA_ZEROED}, {@link VMA_FORGOTTEN}, {@link VMA_ZAPPED}. */
  state: Uint8Array = new Uint8Array(64);
  /** Pages of a user-pointer mapping; no entry for any other. */
  readonly user: Map<number, UserRange> = new Map();
  /** The end of the VM_BIND that made a mapping with a user fence, where it has not come yet. */
  readonly userFences: Map<number, Fence> = new Map();
  /** What is left of mappings that the running ioctl takes out. */
  readonly trims: Trims = new Trims();
  #advice: VmaAdvice | null = null;

  /** Fill the record of a new mapping, with default attributes. */
  create(va: number, flags: number, pat: number, state: number): void {
    if (va >= this.flags.length) this.#grow(va);
    this.flags[va] = flags;
    this.pat[va] = pat;
    this.state[va] = state;
    this.#advice?.create(va, pat);
  }

  /** The attributes that MADVISE changes besides {@link XeVmas.pat}, null while no mapping of the VM was advised about. */
  get advice(): VmaAdvice | null {
    return this.#advice;
  }

  /** The same, to be changed. */
  advise(): VmaAdvice {
    this.#advice ??= new VmaAdvice(this.pat);
    return this.#advice;
  }

  /** Memory attribute: `ATOMIC_*`. */
  atomic(va: number): number {
    return this.#advice === null ? 0 : (this.#advice.atomic[va] as number);
  }

  /** Memory attribute: preferred location, `PREFERRED_LOC_*` or a file descriptor. */
  location(va: number): number {
    return this.#advice === null ? 0 : (this.#advice.location[va] as number);
  }

  /** Memory attribute: `MIGRATE_*`. */
  migration(va: number): number {
    return this.#advice === null ? 0 : (this.#advice.migration[va] as number);
  }

  /** Memory attribute: `VMA_PURGEABLE_STATE_*`. */
  purgeable(va: number): number {
    return this.#advice === null ? 0 : (this.#advice.purgeable[va] as number);
  }

  /** PAT index in a mapping's leaves. */
  leafPat(va: number): number {
    return (this.#advice === null ? this.pat[va] : this.#advice.leafPat[va]) as number;
  }

  /** A mapping's leaves were written: they have its PAT index now. */
  leavesWritten(va: number): void {
    if (this.#advice !== null) this.#advice.leafPat[va] = this.pat[va] as number;
  }

  /**
   * Ask whether pages behind a mapping can still be had of the process whose they are.
   *
   * @param va - handle of the mapping; nothing is asked about one of other memory
   * @param base - user address
   * @param bytes - length
   * @throws `DrmError` EFAULT, EPERM
   */
  checkUser(va: number, base: number, bytes: number): void {
    const user = this.user.get(va);
    user?.owner.check(user.process, base, bytes, ((this.flags[va] as number) & VMA_READ_ONLY) === 0);
  }

  /** Give a piece of a mapping all its attributes (`xe_vma_mem_attr_copy`). */
  inheritAttributes(from: number, to: number): void {
    this.pat[to] = this.pat[from] as number;
    this.#advice?.inherit(from, to);
  }

  /** A mapping that mirrors the process and that no MADVISE set apart from those beside it. 0 is none. */
  isPlainMirror(va: number): boolean {
    return (
      va !== 0 &&
      ((this.flags[va] as number) & VMA_SYSTEM_ALLOCATOR) !== 0 &&
      (this.#advice === null || this.#advice.isDefault(va, this.pat[va] as number))
    );
  }

  #grow(va: number): void {
    let size = this.flags.length;
    while (size <= va) size += size < MANY ? size : Math.ceil(size / 16);
    this.flags = copied(this.flags, new Uint16Array(size));
    this.pat = copied(this.pat, new Uint8Array(size));
    this.state = copied(this.state, new Uint8Array(size));
    this.#advice?.grow(size);
  }
}
