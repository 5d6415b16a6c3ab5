/**
 * What the driver knows about a mapping beyond GPUVM (`xe_vma`): flags, memory attributes, and what of it is in the page table.
 * Arrays indexed by GPUVM's handle.
 *
 * The flags word is the kernel's (`xe_vm_types.h`, Linux 7.3-rc7), so GPUVM's own two flags are its lowest bits. It lives
 * here and not in GPUVM's word, where the proposed REPEAT flag has taken bit 2.
 *
 * @module
 */

import type { UserRange } from "./user-pages.ts";

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

/** The driver's data of a VM's mappings. */
export class XeVmas {
  /** First VA in bytes; differs from GPUVM's once a kept remnant was trimmed off a mapping that is about to go. */
  start: Float64Array = new Float64Array(64);
  /** First VA behind, likewise. */
  end: Float64Array = new Float64Array(64);
  /** Time of creation: a number that grows. */
  birth: Float64Array = new Float64Array(64);
  /** `VMA_*` flags. */
  flags: Int32Array = new Int32Array(64);
  /** Memory attribute: PAT index. */
  pat: Uint8Array = new Uint8Array(64);
  /** PAT index that it was mapped with, which is the default of the attribute. */
  defaultPat: Uint8Array = new Uint8Array(64);
  /** PAT index in its leaves: MADVISE of another one leaves those of a null mapping as they are. */
  leafPat: Uint8Array = new Uint8Array(64);
  /** Memory attribute: `ATOMIC_*`. */
  atomic: Uint8Array = new Uint8Array(64);
  /** Memory attribute: preferred location, `PREFERRED_LOC_*` or a file descriptor. */
  location: Int32Array = new Int32Array(64);
  /** Memory attribute: `MIGRATE_*`. */
  migration: Uint8Array = new Uint8Array(64);
  /** Memory attribute: `VMA_PURGEABLE_STATE_*`. */
  purgeable: Uint8Array = new Uint8Array(64);
  /** {@link VMA_PRESENT}, {@link VMA_STAGED}, {@link VMA_ZEROED}, {@link VMA_FORGOTTEN}, {@link VMA_ZAPPED}. */
  state: Uint8Array = new Uint8Array(64);
  /** Pages of a user-pointer mapping; no entry for any other. */
  readonly user: Map<number, UserRange> = new Map();
  #births = 0;

  /** Births so far: a mapping of the running ioctl has a larger one than this was at its begin. */
  get births(): number {
    return this.#births;
  }

  /** Fill the record of a new mapping, with default attributes. */
  create(va: number, start: number, end: number, flags: number, pat: number, state: number): void {
    if (va >= this.flags.length) this.#grow(va);
    this.start[va] = start;
    this.end[va] = end;
    this.birth[va] = ++this.#births;
    this.flags[va] = flags;
    this.pat[va] = pat;
    this.defaultPat[va] = pat;
    this.leafPat[va] = pat;
    this.atomic[va] = 0;
    this.location[va] = 0;
    this.migration[va] = 0;
    this.purgeable[va] = 0;
    this.state[va] = state;
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
    this.defaultPat[to] = this.defaultPat[from] as number;
    this.leafPat[to] = this.leafPat[from] as number;
    this.atomic[to] = this.atomic[from] as number;
    this.location[to] = this.location[from] as number;
    this.migration[to] = this.migration[from] as number;
    this.purgeable[to] = this.purgeable[from] as number;
  }

  /**
   * Whether no MADVISE has changed a mapping's attributes, or one has changed them back (`xe_vma_has_default_mem_attrs`, which
   * does not look at the purgeable state; Linux 7.3-rc7).
   */
  hasDefaultAttributes(va: number): boolean {
    return (
      this.atomic[va] === 0 &&
      this.pat[va] === this.defaultPat[va] &&
      this.location[va] === 0 &&
      this.migration[va] === 0
    );
  }

  /** A mapping that mirrors the process and that no MADVISE set apart from those beside it. 0 is none. */
  isPlainMirror(va: number): boolean {
    return (
      va !== 0 && ((this.flags[va] as number) & VMA_SYSTEM_ALLOCATOR) !== 0 && this.hasDefaultAttributes(va)
    );
  }

  /** Give a mapping that came back under a new handle its old record. */
  move(from: number, to: number): void {
    if (to >= this.flags.length) this.#grow(to);
    this.inheritAttributes(from, to);
    for (const array of [this.start, this.end, this.birth, this.flags, this.state]) {
      array[to] = array[from] as number;
    }
    const user = this.user.get(from);
    if (user !== undefined) this.user.set(to, user);
  }

  #grow(va: number): void {
    const size = 2 ** Math.ceil(Math.log2(va + 1));
    this.start = copied(this.start, new Float64Array(size));
    this.end = copied(this.end, new Float64Array(size));
    this.birth = copied(this.birth, new Float64Array(size));
    this.flags = copied(this.flags, new Int32Array(size));
    this.pat = copied(this.pat, new Uint8Array(size));
    this.defaultPat = copied(this.defaultPat, new Uint8Array(size));
    this.leafPat = copied(this.leafPat, new Uint8Array(size));
    this.atomic = copied(this.atomic, new Uint8Array(size));
    this.location = copied(this.location, new Int32Array(size));
    this.migration = copied(this.migration, new Uint8Array(size));
    this.purgeable = copied(this.purgeable, new Uint8Array(size));
    this.state = copied(this.state, new Uint8Array(size));
  }
}

function copied<T extends { set(source: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
