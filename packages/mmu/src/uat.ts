/**
 * UAT: the page tables of Apple's AGX GPUs. All facts are those of the driver (the downstream asahi driver, branches of
 * 2025). An Arm table with a 16 KiB granule: three levels, a root with 8 used entries of 64 GiB, then 2048 entries of
 * 32 MiB, then 2048 pages of 16 KiB. No blocks. Levels have their Arm names here: the root is 1, the pages are at level 3
 * (2 and 0 in the driver).
 *
 * The bits that on a CPU mean "privileged", "read-only" and "execute never" have another meaning when bit 55 is set:
 * together they pick a row of a table that gives the rights of the firmware's CPU and of the GPU. Reading and
 * executing are one right.
 */

import { addressHi, addressLo } from "./address.ts";
import { choice, type EntryField, flag } from "./entry-field.ts";
import type { EntryKind, LevelGeometry, PageTableFormat } from "./format.ts";
import { maskHi, maskLo, RIGHT_EXEC, RIGHT_READ, RIGHT_WRITE } from "./format.ts";

/** Memory attribute index of a leaf: cached. */
export const UAT_CACHED = 0;
/** Memory attribute index of a leaf: device registers. */
export const UAT_DEVICE = 1;
/** Memory attribute index of a leaf: uncached, which is coherent with the CPU; all user memory. */
export const UAT_UNCACHED = 2;

/** What a leaf says about its page besides the address. */
export interface UatProt {
  /** Memory attribute index, 0..7: {@link UAT_CACHED}, {@link UAT_DEVICE} or {@link UAT_UNCACHED}. */
  readonly attr: number;
  /** Access permission field, 0..3: which columns of the table of rights count. */
  readonly ap: number;
  /** Bit 54, UXN on an Arm CPU. */
  readonly uxn: boolean;
  /** Bit 53, PXN on an Arm CPU. */
  readonly pxn: boolean;
}

/** The protections that the driver uses; VM_BIND makes the first three. */
export const UAT_PROT: Readonly<
  Record<
    | "gpuReadWrite"
    | "gpuReadOnly"
    | "gpuWriteOnly"
    | "sharedReadWrite"
    | "sharedReadWriteCached"
    | "firmwareReadWriteGpuReadCached"
    | "firmwareReadWriteCached"
    | "firmwareReadWrite"
    | "firmwareReadOnly"
    | "firmwareReadWriteDevice"
    | "firmwareReadOnlyDevice",
    UatProt
  >
> = {
  gpuReadWrite: { attr: UAT_UNCACHED, ap: 2, uxn: true, pxn: false },
  gpuReadOnly: { attr: UAT_UNCACHED, ap: 2, uxn: false, pxn: false },
  gpuWriteOnly: { attr: UAT_UNCACHED, ap: 2, uxn: false, pxn: true },
  sharedReadWrite: { attr: UAT_UNCACHED, ap: 0, uxn: true, pxn: true },
  sharedReadWriteCached: { attr: UAT_CACHED, ap: 0, uxn: true, pxn: true },
  firmwareReadWriteGpuReadCached: { attr: UAT_CACHED, ap: 1, uxn: true, pxn: true },
  firmwareReadWriteCached: { attr: UAT_CACHED, ap: 1, uxn: true, pxn: false },
  firmwareReadWrite: { attr: UAT_UNCACHED, ap: 1, uxn: true, pxn: false },
  firmwareReadOnly: { attr: UAT_UNCACHED, ap: 1, uxn: false, pxn: false },
  firmwareReadWriteDevice: { attr: UAT_DEVICE, ap: 1, uxn: true, pxn: false },
  firmwareReadOnlyDevice: { attr: UAT_DEVICE, ap: 1, uxn: false, pxn: false },
};

// Bits of the low half.
const TYPE_MASK = 3;
const TYPE_TABLE_OR_PAGE = 3;
const ATTR_SHIFT = 2;
const ATTR_MASK = 7 << ATTR_SHIFT;
const AP_SHIFT = 6;
const AP_MASK = 3 << AP_SHIFT;
const ACCESS_FLAG = 1 << 10;
const NOT_GLOBAL = 1 << 11;
// Bits of the high half.
const PXN = 1 << (53 - 32);
const UXN = 1 << (54 - 32);
const GPU_PERMISSIONS = 1 << (55 - 32);

const PAGE_LG2 = 14;
const LEAF_ADDRESS_TOP = 51;

const NONE = 0;
const R = RIGHT_READ | RIGHT_EXEC;
const W = RIGHT_WRITE;
const RW = R | W;
/** Rights by row `ap * 4 + uxn * 2 + pxn`, for AP 0..2; AP 3 is not used and grants nothing. */
const FIRMWARE_RIGHTS = [NONE, R, W, RW, R, NONE, RW, RW, NONE, NONE, NONE, NONE];
const GPU_RIGHTS = [NONE, R, W, RW, NONE, NONE, NONE, R, R, W, RW, NONE];

/**
 * Low half of a leaf's attributes; add the address's low half. `user`: the leaf is in a tree whose root the driver
 * made (nG is set), not in the kernel's. Compute it once per bind.
 */
export function uatLeafLo(prot: UatProt, user: boolean): number {
  const fields = (prot.attr << ATTR_SHIFT) | (prot.ap << AP_SHIFT);
  return fields | ACCESS_FLAG | TYPE_TABLE_OR_PAGE | (user ? NOT_GLOBAL : 0);
}

/** High half of a leaf's attributes; add the address's high half. */
export function uatLeafHi(prot: UatProt): number {
  return GPU_PERMISSIONS | (prot.uxn ? UXN : 0) | (prot.pxn ? PXN : 0);
}

/** The protection that a leaf's halves stand for: the inverse of {@link uatLeafLo} and {@link uatLeafHi}. */
export function uatProt(lo: number, hi: number): UatProt {
  return {
    attr: (lo & ATTR_MASK) >>> ATTR_SHIFT,
    ap: (lo & AP_MASK) >>> AP_SHIFT,
    uxn: (hi & UXN) !== 0,
    pxn: (hi & PXN) !== 0,
  };
}

/** Low half of a directory entry to the table at physical address `pa`. */
export function uatTableLo(pa: number): number {
  return addressLo(pa) | TYPE_TABLE_OR_PAGE;
}

/** High half of a directory entry to the table at physical address `pa`. */
export function uatTableHi(pa: number): number {
  return addressHi(pa);
}

/**
 * A TTB value of the driver's context table: the root table at physical address `root`, address space number `asid`
 * (0..63), valid.
 */
export function uatTtb(root: number, asid: number): bigint {
  return BigInt(root) | (BigInt(asid) << 48n) | 1n;
}

/** Rights of the firmware's CPU in a leaf with these halves. */
export function uatFirmwareRights(lo: number, hi: number): number {
  return FIRMWARE_RIGHTS[rightsRow(lo, hi)] ?? NONE;
}

/** Rights of the GPU in a leaf with these halves; none when bit 55 is clear, which the driver never writes. */
export function uatGpuRights(lo: number, hi: number): number {
  return GPU_RIGHTS[rightsRow(lo, hi)] ?? NONE;
}

/** Row of the tables of rights, or -1 for entries that grant nothing. */
function rightsRow(lo: number, hi: number): number {
  if ((lo & ACCESS_FLAG) === 0 || (hi & GPU_PERMISSIONS) === 0) return -1;
  const uxnPxn = (hi & UXN ? 2 : 0) | (hi & PXN ? 1 : 0);
  return (((lo & AP_MASK) >>> AP_SHIFT) << 2) | uxnPxn;
}

/**
 * The format of one half of the address space (39 bits), with table addresses of `oas` bits: 40 on M1.
 * @throws Error unless `oas` is an integer from 32 to 48.
 */
export function uat(oas = 40): PageTableFormat {
  if (!Number.isInteger(oas) || oas < 32 || oas > 48) throw new Error(`uat: expected oas 32..48, got ${oas}`);
  const pages = uatLevel(3, PAGE_LG2, 2048, oas, null);
  const middle = uatLevel(2, 25, 2048, oas, pages);
  const levels = [uatLevel(1, 36, 8, oas, middle), middle, pages];
  return { name: "uat", tableBytes: 16384, vaBits: 39, vaEnd: 2 ** 39, levels, paired: false, fields };
}

const TYPE = (meaning: string): EntryField => ({ name: "type", top: 1, bottom: 0, means: () => meaning });

const LEAF_FIELDS: readonly EntryField[] = [
  TYPE("page"),
  choice("attribute", 4, 2, ["0: cached", "1: device registers", "2: not cached, coherent with the CPU"]),
  { name: "AP", top: 7, bottom: 6, means: (ap) => `${ap}: columns of the table of rights` },
  flag("AF", 10, "not accessed: grants nothing", "accessed"),
  flag("nG", 11, "the kernel's tree: in every address space", "a user's tree: of this address space"),
  { name: "page address", top: LEAF_ADDRESS_TOP, bottom: PAGE_LG2 },
];

function fields(geometry: LevelGeometry, kind: EntryKind, lo: number, hi: number): readonly EntryField[] {
  if (kind === "empty") return [TYPE("not present: nothing else counts")];
  if (kind === "table") {
    const top = geometry.tableAddressHi === 0 ? 31 : 63 - Math.clz32(geometry.tableAddressHi);
    return [TYPE("table"), { name: "next-level table", top, bottom: PAGE_LG2 }];
  }
  const gpu = rightsText(uatGpuRights(lo, hi));
  const firmware = rightsText(uatFirmwareRights(lo, hi));
  return [
    ...LEAF_FIELDS,
    flag("PXN", 53, `with AP and UXN: GPU ${gpu}`, `with AP and UXN: GPU ${gpu}`),
    flag("UXN", 54, `with AP and PXN: firmware ${firmware}`, `with AP and PXN: firmware ${firmware}`),
    flag(
      "GPU rights",
      55,
      "AP, UXN and PXN are those of a CPU: the GPU has none",
      "AP, UXN and PXN pick the GPU's rights",
    ),
  ];
}

function rightsText(rights: number): string {
  const words = [rights & RIGHT_READ ? "read, execute" : "", rights & RIGHT_WRITE ? "write" : ""].filter(
    Boolean,
  );
  return words.join(", ") || "nothing";
}

function uatLevel(
  level: number,
  shift: number,
  entries: number,
  oas: number,
  below: LevelGeometry | null,
): LevelGeometry {
  const isPage = below === null;
  return {
    level,
    shift,
    entries,
    entryBytes: 2 ** shift,
    mayBeLeaf: isPage,
    mayBeDirectory: !isPage,
    presentMask: TYPE_MASK,
    presentBits: TYPE_TABLE_OR_PAGE,
    // Pages and tables have the same type bits: the level alone tells which it is.
    directoryMask: isPage ? 0 : TYPE_MASK,
    directoryBits: isPage ? 1 : TYPE_TABLE_OR_PAGE,
    leafAddressLo: maskLo(PAGE_LG2),
    leafAddressHi: maskHi(LEAF_ADDRESS_TOP, PAGE_LG2),
    tableAddressLo: maskLo(PAGE_LG2),
    tableAddressHi: maskHi(oas - 1, PAGE_LG2),
    nullMask: 0,
    nullBits: 1,
    compactMask: 0,
    below,
    belowCompact: null,
    isCompact: false,
    highHalf: null,
    addresses: null,
    kinds: null,
    rights: uatGpuRights,
  };
}
