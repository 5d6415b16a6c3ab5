/**
 * The VMM back ends of the driver, one a generation of page tables: which page sizes there are and what each may be used for,
 * and which PTE kinds (`vmmgp100.c`, `vmmgv100.c`, `vmmtu102.c`, `vmmgh100.c`, Linux 7.3-rc7).
 *
 * @module
 */

import type { GmmuVersion } from "@vmbind/mmu";

/**
 * `gp100`: Pascal, and Volta (GV100), which is the same for VM_BIND; `tu102-turing`: Turing; `tu102`: Ampere and Ada, whose
 * entries have no compression tags; `gh100`: Hopper and Blackwell.
 */
export type BackendName = "gp100" | "tu102-turing" | "tu102" | "gh100";

/** A page size of a back end. */
export interface PageSize {
  /** log2 of its bytes. */
  readonly shift: number;
  /** Whether pages in VRAM may have it. */
  readonly vram: boolean;
  /** Whether pages in system memory may have it. */
  readonly host: boolean;
}

/** What a back end can do. */
export interface Backend {
  /** Its name. */
  readonly name: BackendName;
  /** Version of the page-table format. */
  readonly version: GmmuVersion;
  /** Page sizes, largest first, those included that only sparse entries can have. */
  readonly pages: readonly PageSize[];
  /** By kind: the plain kind that stands for it without compression, itself for a plain one, -1 for one that there is not. */
  readonly kinds: Int16Array;
  /** Whether leaves of 64 KiB and more of compressible kinds carry a tag line. */
  readonly tagLines: boolean;
}

const SPARSE_ONLY = { vram: false, host: false };
const VRAM_ONLY = { vram: true, host: false };
const SMALL: readonly PageSize[] = [
  { shift: 21, ...VRAM_ONLY },
  { shift: 16, ...VRAM_ONLY },
  { shift: 12, vram: true, host: true },
];
const V2_PAGES: readonly PageSize[] = [
  { shift: 47, ...SPARSE_ONLY },
  { shift: 38, ...SPARSE_ONLY },
  { shift: 29, ...SPARSE_ONLY },
  ...SMALL,
];
const V3_PAGES: readonly PageSize[] = [
  { shift: 56, ...SPARSE_ONLY },
  { shift: 47, ...SPARSE_ONLY },
  { shift: 38, ...SPARSE_ONLY },
  { shift: 29, ...VRAM_ONLY },
  ...SMALL,
];

/** Kinds of Pascal and Volta in hex: plain ones, then those with compression by the plain kind that stands for them. */
const GP100_PLAIN = "00-01 11 26-2b 46 7b 8b-8e a7-aa c3 fd-fe";
const GP100_COMPRESSED: Readonly<Record<string, string>> = {
  "01": "02-05 07-0a",
  "11": "17-1a",
  "26": "3a 3e",
  "27": "3b 3f",
  "28": "3c 40",
  "29": "3d 41",
  "46": "51-54",
  "7b": "86-89",
  "8b": "a3",
  "8c": "a4",
  "8d": "a5",
  "8e": "a6",
  a7: "bf",
  a8: "c0",
  a9: "c1",
  aa: "c2",
  c3: "ce-d1",
  fe: "cc-cd d8 db dd df-e0 e2-e6 e9 eb ed-ee f0-fb",
};
/** Kinds from Turing on: 0 to 6 are plain, 8 to 14 compressed. */
const TU102_PLAIN = "00-06";
const TU102_COMPRESSED: Readonly<Record<string, string>> = {
  "06": "08-09",
  "02": "0a",
  "01": "0b",
  "03": "0c",
  "04": "0d",
  "05": "0e",
};

/** The back ends by name. */
export const BACKENDS: Readonly<Record<BackendName, Backend>> = {
  gp100: {
    name: "gp100",
    version: 2,
    pages: V2_PAGES,
    kinds: kindTable(GP100_PLAIN, GP100_COMPRESSED),
    tagLines: false,
  },
  "tu102-turing": {
    name: "tu102-turing",
    version: 2,
    pages: V2_PAGES,
    kinds: kindTable(TU102_PLAIN, TU102_COMPRESSED),
    tagLines: true,
  },
  tu102: {
    name: "tu102",
    version: 2,
    pages: V2_PAGES,
    kinds: kindTable(TU102_PLAIN, TU102_COMPRESSED),
    tagLines: false,
  },
  gh100: {
    name: "gh100",
    version: 3,
    pages: V3_PAGES,
    kinds: kindTable(TU102_PLAIN, TU102_COMPRESSED),
    tagLines: false,
  },
};

function kindTable(plain: string, compressed: Readonly<Record<string, string>>): Int16Array {
  const kinds = new Int16Array(256).fill(-1);
  for (const kind of numbersOf(plain)) kinds[kind] = kind;
  for (const [stand, list] of Object.entries(compressed)) {
    for (const kind of numbersOf(list)) kinds[kind] = Number.parseInt(stand, 16);
  }
  return kinds;
}

/** `02-05 07` as numbers, in hex. */
function numbersOf(list: string): number[] {
  return list.split(" ").flatMap((part) => {
    const [first = "", last = first] = part.split("-");
    const from = Number.parseInt(first, 16);
    return Array.from({ length: Number.parseInt(last, 16) - from + 1 }, (_, i) => from + i);
  });
}
