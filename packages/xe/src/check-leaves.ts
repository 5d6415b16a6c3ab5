/**
 * The leaves that an xe mapping should have, for its invariants: with sizes, attributes and hints, derived from the mapping and its
 * memory alone.
 *
 * @module
 */

import {
  addressHi,
  addressLo,
  type ExpectedRange,
  PPGTT_ATOMIC,
  PPGTT_DEVICE_MEMORY,
  PPGTT_NULL,
  PPGTT_PS64,
  PPGTT_WRITE,
  ppgttLeafHi,
  ppgttLeafLo,
  type ScatterList,
} from "@vmbind/mmu";
import { XeBo } from "./bo.ts";
import { zappedRange } from "./check-advice.ts";
import { BLOCK_64K } from "./page-sizes.ts";
import { ATOMIC_CPU, ATOMIC_DEVICE } from "./uapi-madvise.ts";
import type { XeVm } from "./vm.ts";
import { VMA_PRESENT, VMA_READ_ONLY, VMA_ZAPPED, VMA_ZEROED } from "./vma.ts";

const MIB2 = 0x20_0000;
const GIB = 0x4000_0000;
/** First graphics version with compact tables. */
const COMPACT_GRAPHICS = 1250;

/** The leaves of one mapping, null when it has none in the page table. */
export function expectedRange(vm: XeVm, va: number): ExpectedRange | null {
  const { gpuvm, vmas } = vm;
  const state = vmas.state[va] as number;
  if ((state & (VMA_PRESENT | VMA_ZEROED)) === 0) return null;
  const start = gpuvm.addr(va);
  const end = gpuvm.end(va);
  if ((state & VMA_ZAPPED) !== 0) return vm.scratch ? zappedRange(vm, start, end) : null;
  const flags = vmas.flags[va] as number;
  const bo = gpuvm.gem(va);
  const user = vmas.user.get(va);
  if (bo !== null && !(bo instanceof XeBo && (bo.pages !== null || bo.purged))) {
    throw new Error(`leaf-owner: ${place(vm, va)} shows an object without pages`);
  }
  const pages = bo?.pages ?? user?.pages ?? null;
  const cleared = (state & VMA_ZEROED) !== 0;
  const memory = new Memory(cleared ? null : pages, gpuvm.offset(va) - (user?.base ?? 0) - start);
  const bits = (flags & VMA_READ_ONLY ? 0 : PPGTT_WRITE) | backingBits(vm, bo, pages, vmas.atomic(va));
  const pat = vmas.leafPat(va);
  const compactTables = vm.platform.graphics >= COMPACT_GRAPHICS;
  const inside = (at: number, bytes: number): boolean => at >= start && at + bytes <= end;
  const leafBytesFrom = (first: number): number => {
    const gib = Math.floor(first / GIB) * GIB;
    if (inside(gib, GIB) && memory.isLeaf(gib, GIB)) return GIB;
    if (!inside(first, MIB2)) return 4096;
    if (memory.isLeaf(first, MIB2)) return MIB2;
    return compactTables && memory.isBlocks(first, MIB2) ? BLOCK_64K : 4096;
  };
  // Leaves of 4 KiB come by the hundred: what is the same for all of 2 MiB, or of 64 KiB, is found out once.
  let chunk = -1;
  let leafBytes = 0;
  let block = -1;
  let hint = false;
  return {
    start,
    end,
    uniform: pages === null,
    leaf(at, geometry, out) {
      const first = Math.floor(at / MIB2) * MIB2;
      if (first !== chunk) {
        chunk = first;
        leafBytes = leafBytesFrom(first);
      }
      if (leafBytes !== geometry.entryBytes) return false;
      out.lo = 0;
      out.hi = 0;
      if (cleared) return true;
      const firstOfBlock = Math.floor(at / BLOCK_64K) * BLOCK_64K;
      if (firstOfBlock !== block) {
        block = firstOfBlock;
        hint = leafBytes === 4096 && inside(block, BLOCK_64K) && memory.isBlocks(block, BLOCK_64K);
      }
      const pa = memory.addressAt(at);
      out.lo = addressLo(pa) | ppgttLeafLo(geometry.level, pat, bits | (hint ? PPGTT_PS64 : 0));
      out.hi = addressHi(pa) | ppgttLeafHi(pat);
      out.repeats = pages === null;
      if (pages === null) out.run = nullRun(at, end, leafBytes, hint);
      else if (leafBytes === 4096) out.run = Math.min(block + BLOCK_64K - at, memory.behind);
      return true;
    },
  };
}

/** Bytes from a leaf of null memory on whose leaves are like it: up to where larger ones or those of 64 KiB begin or end. */
function nullRun(at: number, end: number, leafBytes: number, hint: boolean): number {
  const unit = hint ? BLOCK_64K : leafBytes;
  const larger = hint ? MIB2 : unit === 4096 ? BLOCK_64K : unit === MIB2 ? GIB : Number.POSITIVE_INFINITY;
  return Math.min(end - (end % unit), at - (at % larger) + larger) - at;
}

/** The memory of a mapping by virtual address; null memory is contiguous everywhere. */
class Memory {
  /** Bytes of the segment from the address on that was asked for last; 0 for null memory. */
  behind = 0;
  readonly #pages: ScatterList | null;
  readonly #delta: number;

  constructor(pages: ScatterList | null, delta: number) {
    this.#pages = pages;
    this.#delta = delta;
  }

  addressAt(va: number): number {
    const pages = this.#pages;
    if (pages === null) return 0;
    const offset = va + this.#delta;
    const i = pages.segmentAt(offset);
    if (i < 0) return Number.NaN;
    const skip = offset - (pages.offset[i] as number);
    this.behind = (pages.bytes[i] as number) - skip;
    return (pages.pa[i] as number) + skip;
  }

  /** An aligned run that lies in one segment. */
  isLeaf(va: number, bytes: number): boolean {
    const pages = this.#pages;
    if (pages === null) return true;
    const offset = va + this.#delta;
    const i = pages.segmentAt(offset);
    if (i < 0) return false;
    const skip = offset - (pages.offset[i] as number);
    // Leaves are below 4 GiB, so the low half tells whether it is a multiple; a remainder of doubles is slow.
    const pa = (pages.pa[i] as number) + skip;
    return skip + bytes <= (pages.bytes[i] as number) && (addressLo(pa) & (bytes - 1)) === 0;
  }

  /** Blocks of 64 KiB, each of them an aligned run. */
  isBlocks(va: number, bytes: number): boolean {
    for (let at = va; at < va + bytes; at += BLOCK_64K) if (!this.isLeaf(at, BLOCK_64K)) return false;
    return true;
  }
}

/** Attribute bits that depend on what is behind a mapping. */
function backingBits(vm: XeVm, bo: XeBo | null, pages: ScatterList | null, advised: number): number {
  if (pages === null) return PPGTT_NULL;
  const { platform } = vm;
  const vram = bo?.vram ?? false;
  const everywhere =
    advised === ATOMIC_DEVICE ||
    platform.vramBytes === 0 ||
    !vm.longRunning ||
    (bo !== null && isPowerOfTwo(bo.placement));
  const atomics =
    platform.atomicEnableBit && advised !== ATOMIC_CPU && (vram || (platform.systemAtomics && everywhere));
  return (vram ? PPGTT_DEVICE_MEMORY : 0) | (atomics ? PPGTT_ATOMIC : 0);
}

function isPowerOfTwo(value: number): boolean {
  return (value & (value - 1)) === 0;
}

/** A mapping in words. */
export function place(vm: XeVm, va: number): string {
  return `mapping 0x${vm.gpuvm.addr(va).toString(16)}..0x${vm.gpuvm.end(va).toString(16)}`;
}
