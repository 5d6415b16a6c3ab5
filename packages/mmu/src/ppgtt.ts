/**
 * PPGTT: the per-process page tables of Intel GPUs, as the `xe` driver of Linux 7.3-rc7 writes them. Four or five levels
 * of 512 entries, counted down to 0: the root is level 3 or 4, whatever the width of the addresses. Leaves of 4 KiB
 * (level 0), 2 MiB (level 1) and 1 GiB (level 2). The bits have their names from the driver's register header,
 * `xe_gtt_defs.h`; which of them an entry gets, from the driver's PTE and PDE encode functions.
 *
 * Three peculiarities. A *null* leaf is present but has no memory: loads give 0, stores are dropped; sparse resources
 * rest on it. A level-1 directory entry may say that the table below is *compact*: 32 entries of 64 KiB. And the
 * index into the table of caching policies (PAT) is spread over five bits which are not at the same places everywhere:
 *
 *     index bit     0   1   2                      3    4
 *     entry bit     3   4   7, or 12 if huge      62   61
 */

import { addressHi, addressLo } from "./address.ts";
import { type EntryField, flag } from "./entry-field.ts";
import type { EntryKind, LevelGeometry, PageTableFormat } from "./format.ts";
import { maskHi, maskLo, RIGHT_EXEC, RIGHT_READ, RIGHT_WRITE } from "./format.ts";

/** Entry bit: present (`XE_PAGE_PRESENT` of `xe_gtt_defs.h`, Linux 7.3-rc7). Every entry that is made here has it. */
export const PPGTT_PRESENT: number = 1 << 0;
/** Leaf flag: the GPU may store (`XE_PAGE_RW`). */
export const PPGTT_WRITE: number = 1 << 1;
/**
 * Leaf flag, level 0 of a normal table: one of 16 entries of an aligned, contiguous block of 64 KiB (`XE_PTE_PS64`). A hint
 * to the TLB, except for VRAM of DG2 and Ponte Vecchio, which must have it.
 */
export const PPGTT_PS64: number = 1 << 8;
/** Leaf flag: a null page (`XE_PTE_NULL`). */
export const PPGTT_NULL: number = 1 << 9;
/** Leaf flag: atomics are enabled (`XE_USM_PPGTT_PTE_AE`); Ponte Vecchio, and every GPU from Xe2 on. */
export const PPGTT_ATOMIC: number = 1 << 10;
/** Leaf flag: device-local memory (`XE_PPGTT_PTE_DM`), VRAM or stolen. */
export const PPGTT_DEVICE_MEMORY: number = 1 << 11;

const COMPACT_TABLE = 1 << 6;
const HUGE = 1 << 7;
const LEAF_FLAGS = PPGTT_WRITE | PPGTT_PS64 | PPGTT_NULL | PPGTT_ATOMIC | PPGTT_DEVICE_MEMORY;

const PAT0 = 1 << 3;
const PAT1 = 1 << 4;
const PAT2_LEVEL_0 = 1 << 7;
const PAT2_HUGE = 1 << 12;
const PAT3 = 1 << (62 - 32);
const PAT4 = 1 << (61 - 32);

const ADDRESS_TOP = 51;
const MAX_HUGE_LEVEL = 2;
const COMPACT_PAGE_LG2 = 16;
const COMPACT_LEVEL = ppgttLevel(0, COMPACT_PAGE_LG2, 32, null);

/**
 * Low half of a leaf's attributes at `level` (0..2) for PAT index `pat` (0..31) and `flags`
 * ({@link PPGTT_WRITE} and so on, ORed); add the address's low half. Compute it once per bind. Compact tables take
 * the same as level 0.
 */
export function ppgttLeafLo(level: number, pat: number, flags: number): number {
  const pat2 = level === 0 ? PAT2_LEVEL_0 : PAT2_HUGE;
  return PPGTT_PRESENT | flags | (level === 0 ? 0 : HUGE) | patLow(pat) | (pat & 4 ? pat2 : 0);
}

/** High half of a leaf's attributes for PAT index `pat`; add the address's high half. Bits 3 and 4 of the index change places. */
export function ppgttLeafHi(pat: number): number {
  return (pat & 8 ? PAT3 : 0) | (pat & 16 ? PAT4 : 0);
}

/** The PAT index in a leaf's halves: the inverse of the encode functions. */
export function ppgttPat(level: number, lo: number, hi: number): number {
  const pat2 = level === 0 ? PAT2_LEVEL_0 : PAT2_HUGE;
  return (
    (lo & PAT0 ? 1 : 0) |
    (lo & PAT1 ? 2 : 0) |
    (lo & pat2 ? 4 : 0) |
    (hi & PAT3 ? 8 : 0) |
    (hi & PAT4 ? 16 : 0)
  );
}

/** The flags ({@link PPGTT_WRITE} and so on) in a leaf's low half: the inverse of {@link ppgttLeafLo}. */
export function ppgttFlags(lo: number): number {
  return lo & LEAF_FLAGS;
}

/**
 * Low half of a directory entry to the table at physical address `pa`; `pat` is the driver's index for table memory, 0..3
 * (`xe_pat.c`, Linux 7.3-rc7).
 */
export function ppgttTableLo(pa: number, pat: number, compact: boolean): number {
  return addressLo(pa) | PPGTT_PRESENT | PPGTT_WRITE | patLow(pat) | (compact ? COMPACT_TABLE : 0);
}

/** High half of a directory entry to the table at physical address `pa`. */
export function ppgttTableHi(pa: number): number {
  return addressHi(pa);
}

function patLow(pat: number): number {
  return (pat & 1 ? PAT0 : 0) | (pat & 2 ? PAT1 : 0);
}

/**
 * The format with its root at `rootLevel` (3 or 4). `vaBits`, 30 or more, narrows the address space below what the levels
 * reach (48 bits with four levels, 57 with five). Which GPU has which of the two: `xe_pci.c`, Linux 7.3-rc7.
 * @throws Error when the levels cannot reach so far.
 */
export function ppgtt(rootLevel: number, vaBits: number = 21 + 9 * rootLevel): PageTableFormat {
  if (rootLevel !== 3 && rootLevel !== 4)
    throw new Error(`ppgtt: expected root level 3 or 4, got ${rootLevel}`);
  const reach = 21 + 9 * rootLevel;
  if (!Number.isInteger(vaBits) || vaBits < 30 || vaBits > reach) {
    throw new Error(`ppgtt: expected 30..${reach} address bits for root level ${rootLevel}, got ${vaBits}`);
  }
  const levels: LevelGeometry[] = [];
  for (let level = 0; level <= rootLevel; level++) {
    levels.unshift(ppgttLevel(level, 12 + 9 * level, 512, levels[0] ?? null));
  }
  return { name: "ppgtt", tableBytes: 4096, vaBits, vaEnd: 2 ** vaBits, levels, paired: false, fields };
}

const PRESENT_FIELD = flag("present", 0, "not present: nothing else counts", "present");
const WRITE_FIELD = flag("writable", 1, "no stores", "loads and stores");

function fields(geometry: LevelGeometry, kind: EntryKind, lo: number, hi: number): readonly EntryField[] {
  const { level, shift } = geometry;
  if (kind === "empty") return [PRESENT_FIELD];
  const common = [PRESENT_FIELD, WRITE_FIELD];
  const patBit = (index: number, bit: number, pat: number): EntryField =>
    flag(`PAT[${index}]`, bit, `of PAT index ${pat}`, `of PAT index ${pat}`);
  if (kind === "table") {
    const pat = (lo & PAT0 ? 1 : 0) | (lo & PAT1 ? 2 : 0);
    return [
      ...common,
      patBit(0, 3, pat),
      patBit(1, 4, pat),
      ...(geometry.compactMask === 0
        ? []
        : [
            flag(
              "compact (PDE_64K)",
              6,
              "a table of 512 entries of 4 KiB",
              "a compact table: 32 entries of 64 KiB",
            ),
          ]),
      ...(level === 1 || level === MAX_HUGE_LEVEL ? [flag("PS", 7, "points to a table", "a huge page")] : []),
      { name: "table address", top: ADDRESS_TOP, bottom: 12 },
    ];
  }
  const pat = ppgttPat(level, lo, hi);
  const sizeName = level === 2 ? "PS1G" : "PS2M";
  return [
    ...common,
    patBit(0, 3, pat),
    patBit(1, 4, pat),
    ...(level === 0
      ? [
          patBit(2, 7, pat),
          flag("PS64", 8, "one page of its own", "one of 16 entries of an aligned block of 64 KiB"),
        ]
      : [flag(sizeName, 7, "points to a table", "a huge page"), patBit(2, 12, pat)]),
    flag("null (PTE_NULL)", 9, "has memory", "no memory: loads give 0, stores are dropped"),
    flag("atomics (AE)", 10, "not enabled", "enabled"),
    flag("device memory (DM)", 11, "system memory", "VRAM, or stolen memory"),
    // A null page has no address, and some GPUs have the address of a null page all the same.
    {
      name: "page address",
      top: ADDRESS_TOP,
      bottom: shift,
      ...(kind === "null" && { means: () => "means nothing: no memory" }),
    },
    patBit(4, 61, pat),
    patBit(3, 62, pat),
  ];
}

function ppgttLevel(
  level: number,
  shift: number,
  entries: number,
  below: LevelGeometry | null,
): LevelGeometry {
  const mayBeHuge = level === 1 || level === MAX_HUGE_LEVEL;
  return {
    level,
    shift,
    entries,
    entryBytes: 2 ** shift,
    mayBeLeaf: level <= MAX_HUGE_LEVEL,
    mayBeDirectory: level > 0,
    presentMask: PPGTT_PRESENT,
    presentBits: PPGTT_PRESENT,
    // Bit 7 means "huge" at levels 1 and 2 only: below it is a PAT bit, above it means nothing.
    directoryMask: level === 0 ? 0 : mayBeHuge ? PPGTT_PRESENT | HUGE : PPGTT_PRESENT,
    directoryBits: PPGTT_PRESENT,
    leafAddressLo: maskLo(shift),
    leafAddressHi: maskHi(ADDRESS_TOP, shift),
    tableAddressLo: maskLo(12),
    tableAddressHi: maskHi(ADDRESS_TOP, 12),
    nullMask: PPGTT_PRESENT | PPGTT_NULL,
    nullBits: PPGTT_PRESENT | PPGTT_NULL,
    compactMask: level === 1 ? COMPACT_TABLE : 0,
    below,
    belowCompact: level === 1 ? COMPACT_LEVEL : null,
    isCompact: shift === COMPACT_PAGE_LG2,
    highHalf: null,
    addresses: null,
    kinds: null,
    rights: ppgttRights,
  };
}

/** There is no right to fetch instructions apart from the right to load. */
function ppgttRights(lo: number): number {
  return RIGHT_READ | RIGHT_EXEC | (lo & PPGTT_WRITE ? RIGHT_WRITE : 0);
}
