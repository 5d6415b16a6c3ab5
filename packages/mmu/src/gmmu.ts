/**
 * GMMU: the page tables of NVIDIA GPUs, as the `nouveau` driver of Linux 7.3-rc7 writes them (its VMM back ends GP100, GV100,
 * TU102 and GH100). Version 2 is that of Pascal to Ada: five levels, 49 bits. Version 3 is that of Hopper and Blackwell: six
 * levels, 57 bits.
 *
 * ```text
 *   VA  56   55..47   46..38   37..29   28..21   20..16   15..12   11..0
 *       PD4    PD3      PD2      PD1      PD0      LPT              byte
 *       (v3)                             dual      SPT ...........
 * ```
 *
 * An entry of PD0 covers 2 MiB and has 16 bytes: the first eight point to a table of 64 KiB pages (LPT), the second eight to
 * one of 4 KiB pages (SPT), and both may be there, side by side, for the same addresses. The LPT is asked first; zero in it
 * means "ask the SPT", and a special value means "fault, without asking". In place of both the first half may be a 2 MiB page.
 *
 * *Sparse* is an entry that is not valid and yet translates: loads give 0, stores are dropped. Every level has it, so one entry
 * may be sparse for 128 TiB. Directory entries have no valid bit: an aperture that is not 0 says that there is a table.
 */

import { addressHi, addressLo, addressOf } from "./address.ts";
import { choice, type EntryField, flag } from "./entry-field.ts";
import type { EntryAddresses, EntryKind, LevelGeometry, PageTableFormat } from "./format.ts";
import { RIGHT_EXEC, RIGHT_READ, RIGHT_WRITE } from "./format.ts";

/** Version of the format: 2 from GP100 to Ada, 3 from GH100 on. */
export type GmmuVersion = 2 | 3;

/** The names of {@link GmmuAperture}. */
export const GMMU_APERTURES = ["vram", "coherent", "noncoherent"] as const;

/** Where memory is: on the card, or in the system with or without snooping of the CPU's caches. */
export type GmmuAperture = (typeof GMMU_APERTURES)[number];

/** An entry of any level that reads as zero and takes no memory; the high half is 0 (`vmmgp100.c`, `vmmgh100.c`, Linux 7.3-rc7). */
export const GMMU_SPARSE: number = 1 << 3;

const VALID = 1 << 0;
const APERTURE_SHIFT = 1;
const APERTURE_MASK = 3 << APERTURE_SHIFT;
/** Version 2: past the L2 cache. */
const VOLATILE = 1 << 3;
/** Version 2: no stores. */
const READ_ONLY = 1 << 6;
/** Version 2, an LPT entry that is not valid: fault, there are no small pages here. */
const NO_SMALL_2 = 1 << 5;
/** Version 3: page control field 3, which says the same. */
const NO_SMALL_3 = 3 << 3;
/** Version 2: the kind of a leaf is its top byte; version 3: bits 11:8. */
const KIND_SHIFT_2 = 56 - 32;
const KIND_SHIFT_3 = 8;
/** Version 3: page control field of a leaf, regular and cached; one more is uncached. */
const PCF_CACHED = 0x10 << 3;
const PCF_UNCACHED = 0x11 << 3;

const LEAF_APERTURE: Readonly<Record<GmmuAperture, number>> = { vram: 0, coherent: 2, noncoherent: 3 };
const TABLE_APERTURE: Readonly<Record<GmmuAperture, number>> = { vram: 1, coherent: 2, noncoherent: 3 };
/** Version 3: page control field of a directory entry. */
const TABLE_PCF: Readonly<Record<GmmuAperture, number>> = { vram: 2, coherent: 1, noncoherent: 0 };

/** Bits that the address stands lower in an entry of version 2 than in memory. */
const SHIFT_2 = 16;
/** Version 2: VRAM addresses of leaves have bits 35:8, above are compression tags; those of system memory have bits 53:8. */
const VRAM_HI_2 = 0xf;
const SYSTEM_HI_2 = 0x3f_ffff;
/** Version 3: addresses have bits 51:12, of LPTs from bit 8 on. */
const ADDRESS_HI_3 = 0xf_ffff;

const LPT_SHIFT = 16;

/**
 * Low half of a leaf's attributes; add the address's half, {@link gmmuAddressLo}.
 *
 * @param version - of the format
 * @param kind - PTE kind: 0..255 in version 2, 0..15 in version 3
 * @param aperture - where the page is; in system memory it is volatile (version 2), where coherent uncached (version 3)
 */
export function gmmuLeafLo(version: GmmuVersion, kind: number, aperture: GmmuAperture): number {
  const lo = VALID | (LEAF_APERTURE[aperture] << APERTURE_SHIFT);
  if (version === 2) return lo | (aperture === "vram" ? 0 : VOLATILE);
  return lo | (aperture === "coherent" ? PCF_UNCACHED : PCF_CACHED) | (kind << KIND_SHIFT_3);
}

/** High half of a leaf's attributes; add the address's half, {@link gmmuAddressHi}. */
export function gmmuLeafHi(version: GmmuVersion, kind: number): number {
  return version === 2 ? kind << KIND_SHIFT_2 : 0;
}

/** Low half of the address `pa` as leaves have it. */
export function gmmuAddressLo(version: GmmuVersion, pa: number): number {
  return version === 2 ? addressLo(pa / SHIFT_2) : addressLo(pa);
}

/** High half of the address `pa` as leaves have it. */
export function gmmuAddressHi(version: GmmuVersion, pa: number): number {
  return version === 2 ? addressHi(pa / SHIFT_2) : addressHi(pa);
}

/** The kind in a leaf's halves. */
export function gmmuKind(version: GmmuVersion, lo: number, hi: number): number {
  return version === 2 ? hi >>> KIND_SHIFT_2 : (lo >>> KIND_SHIFT_3) & 15;
}

/** Where a leaf's page is. */
export function gmmuAperture(lo: number): GmmuAperture {
  const aperture = (lo & APERTURE_MASK) >>> APERTURE_SHIFT;
  return aperture === LEAF_APERTURE.vram
    ? "vram"
    : aperture === LEAF_APERTURE.coherent
      ? "coherent"
      : "noncoherent";
}

/** An LPT entry that faults and does not send the walk to the SPT; the high half is 0. */
export function gmmuNoSmall(version: GmmuVersion): number {
  return version === 2 ? NO_SMALL_2 : NO_SMALL_3;
}

/** Low half of a directory entry to the table at physical address `pa`, which is in `aperture`. */
export function gmmuTableLo(version: GmmuVersion, pa: number, aperture: GmmuAperture): number {
  const low = TABLE_APERTURE[aperture] << APERTURE_SHIFT;
  if (version === 2) return addressLo(pa / SHIFT_2) | low | (aperture === "coherent" ? VOLATILE : 0);
  return addressLo(pa) | low | (TABLE_PCF[aperture] << 3);
}

/** High half of a directory entry to the table at physical address `pa`. */
export function gmmuTableHi(version: GmmuVersion, pa: number): number {
  return gmmuAddressHi(version, pa);
}

const ADDRESSES_2: EntryAddresses = {
  leaf: (lo, hi) =>
    addressOf(lo & -0x100, hi & ((lo & APERTURE_MASK) === 0 ? VRAM_HI_2 : SYSTEM_HI_2)) * SHIFT_2,
  table: (lo, hi) => addressOf(lo & -0x10, hi & SYSTEM_HI_2) * SHIFT_2,
};
const ADDRESSES_3: EntryAddresses = {
  leaf: (lo, hi) => addressOf(lo & -0x1000, hi & ADDRESS_HI_3),
  table: (lo, hi) => addressOf(lo & -0x100, hi & ADDRESS_HI_3),
};

/**
 * The format of one version, with tables in one aperture.
 *
 * @param version - 2 or 3
 * @param tables - where the page tables are
 */
export function gmmu(version: GmmuVersion, tables: GmmuAperture): PageTableFormat {
  const isV2 = version === 2;
  const common: Omit<LevelGeometry, "level" | "shift" | "entries" | "entryBytes"> = {
    mayBeLeaf: true,
    mayBeDirectory: false,
    presentMask: VALID,
    presentBits: VALID,
    directoryMask: 0,
    directoryBits: 1,
    leafAddressLo: 0,
    leafAddressHi: 0,
    tableAddressLo: 0,
    tableAddressHi: 0,
    // Version 2: not valid, no aperture, volatile. Version 3: not valid, no aperture, page control field 1.
    nullMask: isV2 ? VALID | APERTURE_MASK | VOLATILE : 0xff,
    nullBits: GMMU_SPARSE,
    compactMask: 0,
    below: null,
    belowCompact: null,
    isCompact: false,
    highHalf: null,
    addresses: isV2 ? ADDRESSES_2 : ADDRESSES_3,
    kinds: null,
    rights: (lo) => RIGHT_READ | RIGHT_EXEC | (isV2 && lo & READ_ONLY ? 0 : RIGHT_WRITE),
  };
  const directory = {
    ...common,
    mayBeDirectory: true,
    directoryMask: VALID | APERTURE_MASK,
    directoryBits: TABLE_APERTURE[tables] << APERTURE_SHIFT,
  };
  const small: LevelGeometry = { ...common, level: 0, shift: 12, entries: 512, entryBytes: 2 ** 12 };
  const large: LevelGeometry = {
    ...common,
    level: 0,
    shift: LPT_SHIFT,
    entries: 32,
    entryBytes: 2 ** LPT_SHIFT,
    isCompact: true,
  };
  const place = { level: 1, shift: 21, entries: 256, entryBytes: 2 ** 21, below: small };
  const levels: LevelGeometry[] = [
    {
      ...directory,
      ...place,
      compactMask: APERTURE_MASK,
      belowCompact: large,
      highHalf: {
        ...directory,
        ...place,
        mayBeLeaf: false,
        presentMask: 0,
        presentBits: 1,
        nullMask: 0,
        nullBits: 1,
      },
    },
    small,
  ];
  for (let level = 2; level <= (isV2 ? 4 : 5); level++) {
    const shift = 11 + 9 * level;
    const entries = level === 5 ? 2 : isV2 && level === 4 ? 4 : 512;
    const below = levels[0] as LevelGeometry;
    // Of these only sparse leaves are made; the 512 MiB page of version 3 is declared, and never written.
    levels.unshift({ ...directory, level, shift, entries, entryBytes: 2 ** shift, mayBeLeaf: false, below });
  }
  const vaBits = isV2 ? 49 : 57;
  return {
    name: `gmmu-v${version}`,
    tableBytes: 4096,
    vaBits,
    vaEnd: 2 ** vaBits,
    levels,
    paired: true,
    fields: isV2 ? fields2 : fields3,
  };
}

const LEAF_APERTURES = ["VRAM", "peer GPU", "system memory, coherent", "system memory, not coherent"];
const TABLE_APERTURES = ["none: no table", "VRAM", "system memory, coherent", "system memory, not coherent"];

/** What an entry without valid bit and aperture says. */
function withoutPage(kind: EntryKind, geometry: LevelGeometry, isNoSmall: boolean): string {
  if (kind === "null") return "sparse: loads give 0, stores are dropped";
  if (isNoSmall) return "an access faults, the table of small pages is not asked";
  return geometry.isCompact ? "nothing: the table of small pages is asked" : "an access faults";
}

function fields2(geometry: LevelGeometry, kind: EntryKind, lo: number): readonly EntryField[] {
  if (kind === "table") {
    return [
      flag("valid", 0, "a directory entry", "a page"),
      choice("aperture", 2, 1, TABLE_APERTURES),
      flag("volatile", 3, "cached in L2", "past the L2 cache"),
      // The table of 64 KiB pages is small, and lies at a multiple of 256 bytes.
      { name: "table address >> 4", top: 53, bottom: geometry.compactMask !== 0 ? 4 : 8 },
    ];
  }
  if (kind !== "page") {
    const means = withoutPage(kind, geometry, geometry.isCompact && (lo & NO_SMALL_2) !== 0);
    return [
      flag("valid", 0, "not valid", "valid"),
      choice("aperture", 2, 1, TABLE_APERTURES),
      flag("volatile: sparse", 3, kind === "null" ? "not sparse" : means, means),
      ...(geometry.isCompact
        ? [flag("privileged: no small pages", 5, "small pages may be here", "no small pages here")]
        : []),
    ];
  }
  const inVram = (lo & APERTURE_MASK) === 0;
  return [
    flag("valid", 0, "not valid", "valid"),
    choice("aperture", 2, 1, LEAF_APERTURES),
    flag("volatile", 3, "cached in L2", "past the L2 cache"),
    flag("encrypted", 4, "not encrypted", "encrypted"),
    flag("privileged", 5, "for everybody", "for privileged accesses"),
    flag("read-only", 6, "loads and stores", "loads"),
    flag("no atomics", 7, "atomics allowed", "no atomics"),
    { name: "page address >> 4", top: inVram ? 35 : 53, bottom: 8 },
    ...(inVram
      ? [
          {
            name: "compression tag",
            top: 53,
            bottom: 36,
            means: (tag: number) => (tag === 0 ? "none" : `line ${tag}`),
          },
        ]
      : []),
    { name: "kind", top: 63, bottom: 56, means: kindMeans },
  ];
}

function fields3(geometry: LevelGeometry, kind: EntryKind, lo: number): readonly EntryField[] {
  const valid = flag("valid", 0, "not valid", "valid");
  if (kind === "table") {
    return [
      flag("is a PTE", 0, "a directory entry", "a page"),
      choice("aperture", 2, 1, TABLE_APERTURES),
      {
        name: "PCF",
        top: 5,
        bottom: 3,
        means: (pcf) =>
          `page control field ${pcf}: ${["valid, cached, address translation allowed", "valid, not cached", "valid, cached, no ATS", "valid, not cached, no ATS"][pcf] ?? "reserved"}`,
      },
      { name: "table address", top: 51, bottom: geometry.compactMask !== 0 ? 8 : 12 },
    ];
  }
  if (kind !== "page") {
    const noSmall = (lo & 0xf8) === NO_SMALL_3;
    return [
      valid,
      choice("aperture", 2, 1, TABLE_APERTURES),
      {
        name: "PCF",
        top: 7,
        bottom: 3,
        means: (pcf) => `page control field ${pcf}: ${withoutPage(kind, geometry, noSmall)}`,
      },
    ];
  }
  return [
    valid,
    choice("aperture", 2, 1, LEAF_APERTURES),
    {
      name: "PCF",
      top: 7,
      bottom: 3,
      means: (pcf) =>
        `page control field ${pcf}: ${pcf === 0x10 ? "regular, cached" : pcf === 0x11 ? "regular, not cached" : "not written by the driver"}`,
    },
    { name: "kind", top: 11, bottom: 8, means: kindMeans },
    { name: "page address", top: 51, bottom: 12 },
  ];
}

function kindMeans(kind: number): string {
  return kind === 0 ? "0: pitch, not compressed" : `${kind}: layout and compression of the memory`;
}
