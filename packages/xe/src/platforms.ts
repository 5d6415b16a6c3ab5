/**
 * What differs from one Intel GPU to the next, as a table of facts (`xe_pci.c`, `xe_pat.c`, Linux 7.3-rc7).
 *
 * Two numbers look alike and are not: `vaBits` bounds the address space, `rootLevel` says how many tables a walk
 * reads. Battlemage has 48-bit addresses and five levels; only entry 0 of its root is ever used.
 *
 * @module
 */

/** How far the GPU's caches see what the CPU writes, as a PAT entry selects it. */
export type Coherency = "reserved" | "none" | "one-way" | "two-way";

/** One entry of a platform's page-attribute table. */
export interface PatEntry {
  /** `reserved` entries are refused by VM_BIND. */
  readonly coherency: Coherency;
  /** The entry turns compression on. */
  readonly compressed: boolean;
}

/**
 * A GPU that the model can be. One of them, Ponte Vecchio (`pvc`), is not probed by mainline's driver, which has the code
 * for it. A graphics IP 35.00 is not in the driver's list at all (35.00 is a media IP), 35.10 and 35.11 are (Linux 7.3-rc7).
 *
 * Facts of `xe_pci.c`, the last three members of `xe_pat.c` (Linux 7.3-rc7). Only the bytes of
 * VRAM are the model's choice, since the driver reads them from the hardware.
 */
export interface Platform {
  /** Key in {@link PLATFORMS}. */
  readonly name: string;
  /** For people. */
  readonly title: string;
  /** Version of the graphics IP times 100, e.g. 2001 for 20.01. */
  readonly graphics: number;
  /** PCI device id that DEVICE_QUERY reports. */
  readonly deviceId: number;
  /**
   * GTs of the one tile that is modelled: the primary one, whose `gt_id` is 0, and from Meteor Lake on the media GT, 1.
   * Both walk the page tables of a VM, each with a TLB of its own.
   */
  readonly gts: number;
  /** Width of virtual addresses: the VM is `[0, 2 ** vaBits)`. */
  readonly vaBits: number;
  /** Level of the root table: 3 or 4. */
  readonly rootLevel: number;
  /** Bytes of VRAM (one region, instance 1), 0 on integrated parts. */
  readonly vramBytes: number;
  /** VRAM must be mapped in 64 KiB pages. */
  readonly vram64kOnly: boolean;
  /** Page tables in system memory are CPU-cached, so directory entries use the WB index. */
  readonly cachedPageTables: boolean;
  /** Unified shared memory, and with it fault-mode VMs. */
  readonly usm: boolean;
  /** Leaf entries have an atomics-enable bit. */
  readonly atomicEnableBit: boolean;
  /** Device atomics work on system memory. */
  readonly systemAtomics: boolean;
  /** A fault-mode VM may have a scratch page. */
  readonly scratchWithFaults: boolean;
  /** VM_CREATE gives every VM a scratch page, asked for or not (workaround 22014953428 of DG2-G10, Linux 7.3-rc7). */
  readonly forcedScratch: boolean;
  /** Compression state lives beside the data, so DECOMPRESS exists. */
  readonly flatCcs: boolean;
  /** The platform can invalidate a range of the TLB; the others forget all of an address space. */
  readonly rangedInvalidation: boolean;
  /** Index of the driver's uncached PAT entry. */
  readonly patUc: number;
  /** Index of the driver's write-back PAT entry. */
  readonly patWb: number;
  /** The page-attribute table; a `pat_index` from its length on is refused. */
  readonly pat: readonly PatEntry[];
}

/** Expand `"N1 2C"`-like rows: one token an entry, coherency `-` `N` `1` `2`, then `C` when compressing. */
function patTable(row: string): readonly PatEntry[] {
  const coherencies: Record<string, Coherency> = { "-": "reserved", N: "none", 1: "one-way", 2: "two-way" };
  return row.split(" ").map((token) => ({
    coherency: coherencies[token.charAt(0)] ?? "reserved",
    compressed: token.endsWith("C"),
  }));
}

const PAT_XELP = patTable("1 N N N");
const PAT_XEHPC = patTable("N N N 1 N 1 N 1");
const PAT_XELPG = patTable("N N N 1 2");
const PAT_XE2 = patTable("N 1 2 N 1 1 N 2 N NC NC NC NC N NC NC - - - - N NC 1 2 N NC 1 2 N NC 1 2");
const PAT_XE3 = PAT_XE2.map(
  (entry, i): PatEntry => (i === 16 ? { coherency: "one-way", compressed: true } : entry),
);
/** 35.10: Xe3 with two entries of its own: 19 is what process memory and imported objects must use there. */
const PAT_XE3P = PAT_XE3.map(
  (entry, i): PatEntry =>
    i === 18
      ? { coherency: "none", compressed: false }
      : i === 19
        ? { coherency: "one-way", compressed: false }
        : entry,
);
/** 35.11: a table of its own, without compression. */
const PAT_XE3P_XPC = patTable("N 1 2 N 1 N 1 2 N 1 2 - - - - - - - - - - - - N 1 2 N 1 2 N 1 2");

const GIB = 2 ** 30;

/** Tiger Lake: the base that the other rows differ from. */
const TGL: Platform = {
  name: "tgl",
  title: "Tiger Lake",
  graphics: 1200,
  deviceId: 0x9a49,
  gts: 1,
  vaBits: 48,
  rootLevel: 3,
  vramBytes: 0,
  vram64kOnly: false,
  cachedPageTables: true,
  usm: false,
  atomicEnableBit: false,
  systemAtomics: true,
  scratchWithFaults: false,
  forcedScratch: false,
  flatCcs: false,
  rangedInvalidation: false,
  patUc: 3,
  patWb: 0,
  pat: PAT_XELP,
};

/** Battlemage: the base of everything from Xe2 on. */
const BMG: Platform = {
  ...TGL,
  name: "bmg",
  title: "Battlemage",
  graphics: 2001,
  deviceId: 0xe20b,
  gts: 2,
  rootLevel: 4,
  vramBytes: 12 * GIB,
  cachedPageTables: false,
  usm: true,
  atomicEnableBit: true,
  scratchWithFaults: true,
  flatCcs: true,
  rangedInvalidation: true,
  patUc: 3,
  patWb: 2,
  pat: PAT_XE2.slice(0, 28),
};
const LNL: Platform = {
  ...BMG,
  name: "lnl",
  title: "Lunar Lake",
  graphics: 2004,
  deviceId: 0x64a0,
  vramBytes: 0,
  pat: PAT_XE2,
};
/** A DG2-G10, as the Arc A770 is. */
const DG2: Platform = {
  ...TGL,
  name: "dg2",
  title: "DG2 / ATS-M",
  graphics: 1255,
  deviceId: 0x56a0,
  forcedScratch: true,
  vramBytes: 16 * GIB,
  vram64kOnly: true,
  cachedPageTables: false,
  flatCcs: true,
  rangedInvalidation: true,
};
const NVLP: Platform = {
  ...LNL,
  name: "nvlp",
  title: "Nova Lake P",
  graphics: 3510,
  deviceId: 0xd750,
  cachedPageTables: true,
  scratchWithFaults: false,
  pat: PAT_XE3P,
};

const ROWS: readonly Platform[] = [
  TGL,
  { ...TGL, name: "rkl", title: "Rocket Lake", deviceId: 0x4c8a },
  { ...TGL, name: "adls", title: "Alder Lake S", deviceId: 0x4680 },
  { ...TGL, name: "adlp", title: "Alder Lake P", deviceId: 0x46a6 },
  { ...TGL, name: "adln", title: "Alder Lake N", deviceId: 0x46d0 },
  {
    ...TGL,
    name: "dg1",
    title: "DG1",
    graphics: 1210,
    deviceId: 0x4905,
    vramBytes: 4 * GIB,
    cachedPageTables: false,
  },
  DG2,
  {
    ...DG2,
    name: "dg2-g11",
    title: "DG2-G11, Arc A380",
    deviceId: 0x56a5,
    // The workaround names other subplatforms of DG2.
    forcedScratch: false,
    vramBytes: 6 * GIB,
  },
  {
    ...TGL,
    name: "mtl",
    title: "Meteor Lake / Arrow Lake",
    graphics: 1270,
    deviceId: 0x7d55,
    gts: 2,
    cachedPageTables: false,
    rangedInvalidation: true,
    patUc: 2,
    patWb: 3,
    pat: PAT_XELPG,
  },
  {
    ...TGL,
    name: "pvc",
    title: "Ponte Vecchio",
    graphics: 1260,
    deviceId: 0x0bd5,
    vaBits: 57,
    rootLevel: 4,
    vramBytes: 64 * GIB,
    vram64kOnly: true,
    cachedPageTables: false,
    usm: true,
    atomicEnableBit: true,
    systemAtomics: false,
    rangedInvalidation: true,
    patUc: 0,
    patWb: 3,
    pat: PAT_XEHPC,
  },
  BMG,
  LNL,
  { ...LNL, name: "ptl", title: "Panther Lake", graphics: 3000, deviceId: 0xb080, pat: PAT_XE3 },
  NVLP,
  {
    ...NVLP,
    name: "cri",
    title: "Crescent Island",
    graphics: 3511,
    deviceId: 0x674c,
    vaBits: 57,
    vramBytes: 160 * GIB,
    cachedPageTables: false,
    flatCcs: false,
    pat: PAT_XE3P_XPC,
  },
];

/** The platforms by name. */
export const PLATFORMS: ReadonlyMap<string, Platform> = new Map(ROWS.map((row) => [row.name, row]));

/** Battlemage, what a device is unless told otherwise. */
export const DEFAULT_PLATFORM: Platform = BMG;

/** Placement bits (`drm_xe_gem_create` of `xe_drm.h`) that exist on a platform: system memory is bit 0, VRAM bit 1. */
export function regionMask(platform: Platform): number {
  return platform.vramBytes === 0 ? 1 : 3;
}
