/**
 * Arm LPAE, stage 1, 4 KiB granule: the format that Panthor's Mali GPUs read (`ARM_64_LPAE_S1` of the kernel's
 * `io-pgtable-arm.c`, Linux 7.3-rc7; the bits are those of VMSAv8-64 descriptors in the Arm Architecture Reference Manual).
 * Up to four levels of 512 entries; pages of 4 KiB at level 3, blocks of 2 MiB at level 2 and 1 GiB at level 1, which
 * Panthor does not use. How many levels there are follows from the width of the input address: the last level is always
 * 3, the root is level 0, 1 or 2.
 *
 * Attributes are not in the descriptor: bits 4:2 pick one of eight attribute bytes in a register (MAIR).
 */

import { addressHi, addressLo } from "./address.ts";
import { choice, type EntryField, flag } from "./entry-field.ts";
import type { EntryKind, LevelGeometry, PageTableFormat } from "./format.ts";
import { maskHi, maskLo, RIGHT_EXEC, RIGHT_READ, RIGHT_WRITE } from "./format.ts";

/** `prot` bit: the GPU may load (`IOMMU_READ` of the kernel's `iommu.h`, Linux 7.3-rc7). */
export const IOMMU_READ = 1;
/** `prot` bit: the GPU may store (`IOMMU_WRITE` of `iommu.h`). */
export const IOMMU_WRITE = 2;
/** `prot` bit: cached memory (`IOMMU_CACHE` of `iommu.h`). */
export const IOMMU_CACHE = 4;
/** `prot` bit: no instruction fetches (`IOMMU_NOEXEC` of `iommu.h`). */
export const IOMMU_NOEXEC = 8;
/** `prot` bit: device memory (`IOMMU_MMIO` of `iommu.h`). */
export const IOMMU_MMIO = 16;
/** `prot` bit: privileged accesses only (`IOMMU_PRIV` of `iommu.h`). */
export const IOMMU_PRIV = 32;

// Bits of the low half.
const VALID = 1 << 0;
const TABLE_OR_PAGE = 1 << 1;
const ATTR_INDEX_SHIFT = 2;
const ATTR_INDEX_MASK = 7 << ATTR_INDEX_SHIFT;
const AP_UNPRIVILEGED = 1 << 6;
const AP_READ_ONLY = 1 << 7;
const SH_OUTER = 2 << 8;
const SH_INNER = 3 << 8;
const SH_MASK = 3 << 8;
const ACCESS_FLAG = 1 << 10;
const NOT_GLOBAL = 1 << 11;
// Bits of the high half.
const PXN = 1 << (53 - 32);
const XN = 1 << (54 - 32);
const SW_SYNCED = 1 << (55 - 32);

const ATTR_UNCACHED = 0;
const ATTR_CACHED = 1;
const ATTR_DEVICE = 2;

const PAGE_LEVEL = 3;
const ADDRESS_TOP = 47;
const ADDRESS_LO = maskLo(12);
const ADDRESS_HI = maskHi(ADDRESS_TOP, 12);

/**
 * Low half of a leaf's attributes at `level` (1 or 2: block, 3: page) for `prot` (IOMMU_READ and so on), as
 * `io-pgtable-arm.c` sets them; add the address's low half. Compute it once per bind.
 */
export function lpaeLeafLo(level: number, prot: number): number {
  let lo = VALID | ACCESS_FLAG | NOT_GLOBAL;
  if (level === PAGE_LEVEL) lo |= TABLE_OR_PAGE;
  if ((prot & IOMMU_WRITE) === 0) lo |= AP_READ_ONLY;
  if ((prot & IOMMU_PRIV) === 0) lo |= AP_UNPRIVILEGED;
  const attr = prot & IOMMU_MMIO ? ATTR_DEVICE : prot & IOMMU_CACHE ? ATTR_CACHED : ATTR_UNCACHED;
  return lo | (attr << ATTR_INDEX_SHIFT) | (prot & IOMMU_CACHE ? SH_INNER : SH_OUTER);
}

/** High half of a leaf's attributes for `prot`; add the address's high half. */
export function lpaeLeafHi(prot: number): number {
  return prot & IOMMU_NOEXEC ? PXN | XN : 0;
}

/** The `prot` that a leaf's halves stand for: the inverse of {@link lpaeLeafLo} and {@link lpaeLeafHi}. */
export function lpaeProt(lo: number, hi: number): number {
  let prot = IOMMU_READ;
  if ((lo & AP_READ_ONLY) === 0) prot |= IOMMU_WRITE;
  if ((lo & AP_UNPRIVILEGED) === 0) prot |= IOMMU_PRIV;
  if ((lo & ATTR_INDEX_MASK) >>> ATTR_INDEX_SHIFT === ATTR_DEVICE) prot |= IOMMU_MMIO;
  if ((lo & SH_MASK) === SH_INNER) prot |= IOMMU_CACHE;
  if ((hi & XN) !== 0) prot |= IOMMU_NOEXEC;
  return prot;
}

/** Low half of a directory entry to the table at physical address `pa`. */
export function lpaeTableLo(pa: number): number {
  return addressLo(pa) | TABLE_OR_PAGE | VALID;
}

/**
 * High half of a directory entry to the table at physical address `pa`; without coherent walks `io-pgtable-arm.c` marks
 * it as synced (bit 55, which the hardware leaves to software).
 */
export function lpaeTableHi(pa: number, coherentWalk: boolean): number {
  return coherentWalk ? addressHi(pa) : addressHi(pa) | SW_SYNCED;
}

/**
 * The MAIR register as `io-pgtable-arm.c` of Linux 7.3-rc7 computes it: attributes 4 to 7 are never used, and come out as ones
 * from a 32-bit sign extension.
 */
export const LPAE_MAIR = 0xffff_ffff_f404_ff44n;

/**
 * The AS_MEMATTR register of a Mali GPU for a MAIR: each byte translated to the GPU's own encoding (`panthor_mmu.c`,
 * Linux 7.3-rc7).
 */
export function maliMemattr(mair: bigint, coherent: boolean): bigint {
  let memattr = 0n;
  for (let i = 0n; i < 8n; i++) {
    memattr |= BigInt(memattrByte(Number((mair >> (8n * i)) & 0xffn), coherent)) << (8n * i);
  }
  return memattr;
}

/** Normal memory that is write-back inside and outside is cached; anything else the GPU sees as not cacheable. */
function memattrByte(mairByte: number, coherent: boolean): number {
  const outer = mairByte >> 4;
  const inner = mairByte & 15;
  if ((outer & 3) === 0 || (outer & 4) === 0 || (inner & 4) === 0) return 0x4c;
  return 0x8c | (inner & 3) | (coherent ? 0x10 : 0);
}

/** The AS_TRANSCFG register of a Mali GPU for virtual addresses of `vaBits` bits (`panthor_mmu.c`, Linux 7.3-rc7). */
export function maliTranscfg(vaBits: number, coherent: boolean): number {
  return 0x4200_0006 + (55 - vaBits) * 0x40 + (coherent ? 0x2000_0000 : 0);
}

/**
 * The format for an input address of `ias` bits; `io-pgtable-arm.c` clamps wider ones to 48 with this granule.
 * @throws Error unless `ias` is an integer from 22 to 48.
 */
export function lpae4k(ias = 48): PageTableFormat {
  if (!Number.isInteger(ias) || ias < 22 || ias > 48)
    throw new Error(`lpae4k: expected ias 22..48, got ${ias}`);
  const rootLevel = 4 - Math.ceil((ias - 12) / 9);
  const levels: LevelGeometry[] = [];
  for (let level = PAGE_LEVEL; level >= rootLevel; level--) {
    const shift = 39 - 9 * level;
    levels.unshift(
      lpaeLevel(level, shift, level === rootLevel ? 1 << (ias - shift) : 512, levels[0] ?? null),
    );
  }
  return { name: "lpae-4k", tableBytes: 4096, vaBits: ias, vaEnd: 2 ** ias, levels, paired: false, fields };
}

const TYPE = (meaning: string): EntryField => ({ name: "type", top: 1, bottom: 0, means: () => meaning });

/** Fields of a table descriptor (Arm ARM, VMSAv8-64: table descriptor format). */
const TABLE_FIELDS: readonly EntryField[] = [
  TYPE("table"),
  { name: "next-level table", top: ADDRESS_TOP, bottom: 12 },
  flag(
    "software (SW_SYNC)",
    55,
    "not marked as synced",
    "synced: written back for a walk that is not coherent",
  ),
  flag("PXNTable", 59, "no limit for what is below", "nothing below is executable when privileged"),
  flag("XNTable", 60, "no limit for what is below", "nothing below is executable"),
  choice("APTable", 62, 61, [
    "no limit for what is below",
    "no unprivileged access below",
    "read-only below",
    "read-only, no unprivileged access below",
  ]),
];

/** Fields of a block or page descriptor, but for the address, whose lowest bit depends on the level. */
const LEAF_FIELDS: readonly EntryField[] = [
  { name: "AttrIndx", top: 4, bottom: 2, means: attrMeans },
  flag("NS", 5, "secure", "non-secure"),
  choice("AP[2:1]", 7, 6, ["privileged: read, write", "read, write", "privileged: read", "read"]),
  choice("SH", 9, 8, ["non-shareable", "reserved", "outer shareable", "inner shareable"]),
  flag("AF", 10, "not accessed: grants nothing", "accessed"),
  flag("nG", 11, "global: in every address space", "not global: of this address space"),
  flag("PXN", 53, "executable when privileged", "never executable when privileged"),
  flag("XN", 54, "executable", "never executable"),
  flag("software (SW_SYNC)", 55, "not marked as synced", "synced"),
];

function attrMeans(index: number): string {
  const [uncached, cached, device] = ["not cached", "cached", "device registers"];
  return `MAIR attribute ${index}: ${[uncached, cached, device][index] ?? "not used by the driver"}`;
}

function fields({ level, shift }: LevelGeometry, kind: EntryKind): readonly EntryField[] {
  if (kind === "empty") return [TYPE("not present: nothing else counts")];
  if (kind === "table") return TABLE_FIELDS;
  const type = TYPE(level === PAGE_LEVEL ? "page" : "block");
  return [type, { name: "output address", top: ADDRESS_TOP, bottom: shift }, ...LEAF_FIELDS];
}

function lpaeLevel(
  level: number,
  shift: number,
  entries: number,
  below: LevelGeometry | null,
): LevelGeometry {
  const isPage = level === PAGE_LEVEL;
  const mayBeBlock = level === 1 || level === 2;
  return {
    level,
    shift,
    entries,
    entryBytes: 2 ** shift,
    mayBeLeaf: isPage || mayBeBlock,
    mayBeDirectory: !isPage,
    // Where blocks do not exist, and at level 3, type 1 is reserved; elsewhere bit 1 tells tables from blocks.
    presentMask: mayBeBlock ? VALID : VALID | TABLE_OR_PAGE,
    presentBits: mayBeBlock ? VALID : VALID | TABLE_OR_PAGE,
    directoryMask: isPage ? 0 : VALID | TABLE_OR_PAGE,
    directoryBits: isPage ? 1 : VALID | TABLE_OR_PAGE,
    leafAddressLo: ADDRESS_LO,
    leafAddressHi: ADDRESS_HI,
    tableAddressLo: ADDRESS_LO,
    tableAddressHi: ADDRESS_HI,
    nullMask: 0,
    nullBits: 1,
    compactMask: 0,
    below,
    belowCompact: null,
    isCompact: false,
    highHalf: null,
    addresses: null,
    kinds: null,
    rights: lpaeRights,
  };
}

/** A shader is unprivileged; an entry whose access flag is clear grants nothing. */
function lpaeRights(lo: number, hi: number): number {
  if ((lo & (AP_UNPRIVILEGED | ACCESS_FLAG)) !== (AP_UNPRIVILEGED | ACCESS_FLAG)) return 0;
  return RIGHT_READ | (lo & AP_READ_ONLY ? 0 : RIGHT_WRITE) | (hi & XN ? 0 : RIGHT_EXEC);
}
