/**
 * GCVM: the page tables of AMD GPUs (the VM of the graphics core, GC), as the `amdgpu` driver of Linux 7.3-rc7 writes them for
 * GFX9 to GFX12. Four levels of 512 entries, 48 bits of VA; a sign-extended address is used without its upper 16 bits.
 *
 * ```text
 *   VA  47..39    38..30    29..21    20..12   11..0
 *       root (1)     2         3         4      byte
 *       512 GiB    1 GiB     2 MiB     4 KiB
 * ```
 *
 * An entry of *every* level may be a leaf. Above level 4 one bit says so (the driver calls it PDE-as-PTE), and an entry with
 * that bit and nothing else is what an empty table is filled with: the hardware stops there. So the low half of an entry does
 * not tell what it is, and the levels say it with a function ({@link LevelGeometry.kinds}).
 *
 * *PRT* is a bit of a leaf that is not valid: loads give 0, stores are dropped. Its address means nothing. The *fragment* of
 * a leaf is a hint to the TLB, log2 of how many 4 KiB pages go on like it; it never changes a translation. A larger leaf need
 * not have an aligned address: the byte in the page is added, not put in.
 */

import { addressHi, addressLo } from "./address.ts";
import { type EntryField, flag } from "./entry-field.ts";
import type { EntryKind, LevelGeometry, PageTableFormat } from "./format.ts";
import { RIGHT_EXEC, RIGHT_READ, RIGHT_WRITE } from "./format.ts";

/** Generations that differ in where bits are. GFX11 is as GFX10. */
export type GcvmGeneration = "gfx9" | "gfx10" | "gfx12";

/** Low half: there is memory (`AMDGPU_PTE_VALID` of `amdgpu_vm.h`, Linux 7.3-rc7). */
export const GCVM_VALID: number = 1 << 0;
/** Low half: the address is one of system memory, not of VRAM (`AMDGPU_PTE_SYSTEM`). */
export const GCVM_SYSTEM: number = 1 << 1;
/** Low half: accesses snoop the CPU's caches (`AMDGPU_PTE_SNOOPED`). */
export const GCVM_SNOOPED: number = 1 << 2;
/** Low half: encrypted memory (`AMDGPU_PTE_TMZ`). */
export const GCVM_TMZ: number = 1 << 3;
/** Low half: instructions may be fetched (`AMDGPU_PTE_EXECUTABLE`); alone it also fills empty tables of the last level. */
export const GCVM_EXECUTABLE: number = 1 << 4;
/** Low half: loads (`AMDGPU_PTE_READABLE`). */
export const GCVM_READABLE: number = 1 << 5;
/** Low half: stores (`AMDGPU_PTE_WRITEABLE`). */
export const GCVM_WRITEABLE: number = 1 << 6;
/** Low half: where the five bits of the fragment begin (`AMDGPU_PTE_FRAG`). */
export const GCVM_FRAGMENT_SHIFT = 7;

/** Bits of the high half, which move from generation to generation; 0 where a generation has none. */
export interface GcvmHighBits {
  /** No memory, no fault: loads give 0, stores are dropped. */
  readonly prt: number;
  /** Set beside {@link GcvmHighBits.prt} (GFX10 and GFX11). */
  readonly log: number;
  /** Above the last level: this entry is a leaf. */
  readonly leaf: number;
  /** In leaves of the last level, too. */
  readonly isPte: number;
  /** Where the caching policy (MTYPE) begins. */
  readonly mtypeShift: number;
  /** Do not allocate in the last-level cache. */
  readonly noAlloc: number;
  /** Compressed. */
  readonly dcc: number;
}

/** The high half by generation (`amdgpu_vm.h`, Linux 7.3-rc7). */
export const GCVM_HIGH: Readonly<Record<GcvmGeneration, GcvmHighBits>> = {
  gfx9: { prt: 1 << 19, log: 0, leaf: 1 << 22, isPte: 0, mtypeShift: 25, noAlloc: 0, dcc: 0 },
  gfx10: { prt: 1 << 19, log: 1 << 23, leaf: 1 << 22, isPte: 0, mtypeShift: 16, noAlloc: 1 << 26, dcc: 0 },
  gfx12: {
    prt: 1 << 24,
    log: 0,
    leaf: 1 << 31,
    isPte: 1 << 31,
    mtypeShift: 22,
    noAlloc: 1 << 26,
    dcc: 1 << 26,
  },
};

/** Number of the level of the root. */
export const GCVM_ROOT_LEVEL = 1;
/** Number of the level of 4 KiB pages. */
export const GCVM_LAST_LEVEL = 4;

/** Bits 47:12. */
const ADDRESS_LO = -0x1000;
const ADDRESS_HI = 0xffff;

/** Low half of a directory entry to the table at physical address `pa`. */
export function gcvmTableLo(pa: number): number {
  return addressLo(pa) | GCVM_VALID;
}

/** High half of a directory entry to the table at physical address `pa`. */
export function gcvmTableHi(pa: number): number {
  return addressHi(pa);
}

/** Low half of what an empty table of a level is filled with. */
export function gcvmEmptyLo(level: number): number {
  return level === GCVM_LAST_LEVEL ? GCVM_EXECUTABLE : 0;
}

/** High half of what an empty table of a level is filled with. */
export function gcvmEmptyHi(generation: GcvmGeneration, level: number): number {
  return level === GCVM_LAST_LEVEL ? 0 : GCVM_HIGH[generation].leaf;
}

/**
 * The format of one generation.
 *
 * @throws RangeError for a generation that there is not
 */
export function gcvm(generation: GcvmGeneration): PageTableFormat {
  if (!Object.hasOwn(GCVM_HIGH, generation))
    throw new RangeError(
      `gcvm: ${JSON.stringify(generation)} is none of ${Object.keys(GCVM_HIGH).join(", ")}`,
    );
  const { prt, leaf } = GCVM_HIGH[generation];
  const page = (lo: number, hi: number): EntryKind =>
    (lo & GCVM_VALID) !== 0 ? "page" : (hi & prt) !== 0 ? "null" : "empty";
  const upper = (lo: number, hi: number): EntryKind =>
    (hi & leaf) !== 0 ? page(lo, hi) : (lo & GCVM_VALID) !== 0 ? "table" : "empty";
  const levels: LevelGeometry[] = [];
  for (let level = GCVM_LAST_LEVEL; level >= GCVM_ROOT_LEVEL; level--) {
    const shift = 12 + 9 * (GCVM_LAST_LEVEL - level);
    const last = level === GCVM_LAST_LEVEL;
    levels.unshift({
      level,
      shift,
      entries: 512,
      entryBytes: 2 ** shift,
      mayBeLeaf: true,
      mayBeDirectory: !last,
      presentMask: GCVM_VALID,
      presentBits: GCVM_VALID,
      directoryMask: last ? 0 : GCVM_VALID,
      directoryBits: 1,
      leafAddressLo: ADDRESS_LO,
      leafAddressHi: ADDRESS_HI,
      tableAddressLo: ADDRESS_LO,
      tableAddressHi: ADDRESS_HI,
      nullMask: 0,
      nullBits: 1,
      compactMask: 0,
      below: levels[0] ?? null,
      belowCompact: null,
      isCompact: false,
      highHalf: null,
      addresses: null,
      kinds: last ? page : upper,
      rights: gcvmRights,
    });
  }
  return {
    name: `gcvm-${generation}`,
    tableBytes: 4096,
    vaBits: 48,
    vaEnd: 2 ** 48,
    levels,
    paired: false,
    fields: (geometry, kind) => gcvmFields(generation, geometry, kind),
  };
}

/** Bits of the caching policy (`AMDGPU_PTE_MTYPE_*` of `amdgpu_vm.h`). */
const MTYPE_BITS: Readonly<Record<GcvmGeneration, number>> = { gfx9: 2, gfx10: 3, gfx12: 2 };

function gcvmFields(
  generation: GcvmGeneration,
  { level }: LevelGeometry,
  kind: EntryKind,
): readonly EntryField[] {
  const { prt, log, leaf, isPte, mtypeShift, noAlloc, dcc } = GCVM_HIGH[generation];
  const bitOf = (mask: number): number => 63 - Math.clz32(mask);
  const valid = flag("valid", 0, "no memory behind it", "valid");
  const last = level === GCVM_LAST_LEVEL;
  const isLeaf = last
    ? isPte === 0
      ? []
      : [flag("is a PTE", bitOf(isPte), "not marked", "a PTE")]
    : [
        flag(
          generation === "gfx12" ? "is a PTE" : "PDE as PTE",
          bitOf(leaf),
          "points to a table",
          "the walk ends here",
        ),
      ];
  if (kind === "table") {
    return [
      valid,
      flag("system", 1, "the table is in VRAM", "the table is in system memory"),
      flag("snooped", 2, "does not snoop the CPU's caches", "snoops the CPU's caches"),
      { name: "table address", top: 47, bottom: 12 },
      ...isLeaf,
    ];
  }
  const noMemory = kind === "page" ? {} : { means: () => "means nothing: no memory" };
  return [
    valid,
    flag("system", 1, "VRAM", "system memory"),
    flag("snooped", 2, "does not snoop the CPU's caches", "snoops the CPU's caches"),
    flag("TMZ", 3, "not encrypted", "encrypted"),
    flag("executable", 4, "no instruction fetches", "instructions may be fetched"),
    flag("readable", 5, "no loads", "loads"),
    flag("writeable", 6, "no stores", "stores"),
    {
      name: "fragment",
      top: 11,
      bottom: GCVM_FRAGMENT_SHIFT,
      means: (value) => `2^${value} pages of 4 KiB go on like this: a hint to the TLB`,
    },
    { name: "page address", top: 47, bottom: 12, ...noMemory },
    flag(
      "PRT",
      bitOf(prt),
      kind === "empty" ? "an access faults" : "not partially resident",
      "no memory: loads give 0, stores are dropped",
    ),
    ...(log === 0 ? [] : [flag("log", bitOf(log), "not logged", "set beside PRT: faults are not logged")]),
    {
      name: "MTYPE",
      top: 31 + mtypeShift + MTYPE_BITS[generation],
      bottom: 32 + mtypeShift,
      means: (value) => `caching policy ${value}`,
    },
    ...(dcc !== 0
      ? [flag("DCC", bitOf(dcc), "not compressed", "compressed")]
      : noAlloc !== 0
        ? [
            flag(
              "no alloc",
              bitOf(noAlloc),
              "may fill the last-level cache",
              "does not fill the last-level cache",
            ),
          ]
        : []),
    ...isLeaf,
  ];
}

function gcvmRights(lo: number): number {
  return (
    (lo & GCVM_READABLE ? RIGHT_READ : 0) |
    (lo & GCVM_WRITEABLE ? RIGHT_WRITE : 0) |
    (lo & GCVM_EXECUTABLE && lo & GCVM_VALID ? RIGHT_EXEC : 0)
  );
}
