/**
 * All formats, as subjects of the same tests: how to encode a leaf or a directory entry with each variant of its
 * attributes, and a plain tree builder on top. Nothing here decodes.
 */

import {
  AddressSpace,
  addressHi,
  addressLo,
  entryIndex,
  GCVM_EXECUTABLE,
  GCVM_FRAGMENT_SHIFT,
  GCVM_HIGH,
  GCVM_LAST_LEVEL,
  GCVM_READABLE,
  GCVM_SNOOPED,
  GCVM_SYSTEM,
  GCVM_VALID,
  GCVM_WRITEABLE,
  type GcvmGeneration,
  GMMU_SPARSE,
  type GmmuAperture,
  type GmmuVersion,
  gcvm,
  gcvmTableHi,
  gcvmTableLo,
  gmmu,
  gmmuAddressHi,
  gmmuAddressLo,
  gmmuAperture,
  gmmuKind,
  gmmuLeafHi,
  gmmuLeafLo,
  gmmuTableHi,
  gmmuTableLo,
  type LevelGeometry,
  lpae4k,
  lpaeLeafHi,
  lpaeLeafLo,
  lpaeProt,
  lpaeTableHi,
  lpaeTableLo,
  type PageTableFormat,
  PhysicalMemory,
  ppgtt,
  ppgttFlags,
  ppgttLeafHi,
  ppgttLeafLo,
  ppgttPat,
  ppgttTableHi,
  ppgttTableLo,
  UAT_PROT,
  uat,
  uatLeafHi,
  uatLeafLo,
  uatProt,
  uatTableHi,
  uatTableLo,
  writeDirectory,
  writeRepeated,
} from "../src/index.ts";

type Halves = readonly [lo: number, hi: number];

export interface Subject {
  name: string;
  format: PageTableFormat;
  /** Number of attribute variants that `leaf` knows. */
  variants: number;
  /** Attribute halves of a leaf. */
  leaf(level: number, variant: number): Halves;
  /** Attribute halves of a leaf, encoded again from what the format's own decoding says of it. */
  again(level: number, lo: number, hi: number): Halves;
  /** What the GPU may do with a leaf of that variant: "rwx". */
  rights(variant: number): string;
  isNull(variant: number): boolean;
  table(pa: number, compact: boolean): Halves;
  /** How entries have a page's address; in place unless given. */
  address?(pa: number): Halves;
  /** Width of a page's address, 48 unless given. */
  paBits?: number;
}

/** The halves that the address of a page adds to its leaf. */
export function addressHalves(subject: Subject, pa: number): Halves {
  return subject.address?.(pa) ?? [addressLo(pa), addressHi(pa)];
}

function lpaeSubject(ias: number): Subject {
  const prots = [1, 3, 5, 7, 9, 11, 13, 15, 19, 35];
  const prot = (variant: number): number => prots[variant] as number;
  return {
    name: `lpae ${ias}`,
    format: lpae4k(ias),
    variants: prots.length,
    leaf: (level, variant) => [lpaeLeafLo(level, prot(variant)), lpaeLeafHi(prot(variant))],
    again: (level, lo, hi) => [lpaeLeafLo(level, lpaeProt(lo, hi)), lpaeLeafHi(lpaeProt(lo, hi))],
    rights: (variant) =>
      prot(variant) & 32 ? "" : `r${prot(variant) & 2 ? "w" : ""}${prot(variant) & 8 ? "" : "x"}`,
    isNull: () => false,
    table: (pa) => [lpaeTableLo(pa), lpaeTableHi(pa, true)],
  };
}

function uatSubject(): Subject {
  const prots = Object.values(UAT_PROT);
  const prot = (variant: number) => prots[variant] as (typeof prots)[number];
  const rights = ["rwx", "rx", "w", "rwx", "rwx", "rx", "", "", "", "", ""];
  return {
    name: "uat",
    format: uat(40),
    variants: prots.length,
    leaf: (_level, variant) => [uatLeafLo(prot(variant), true), uatLeafHi(prot(variant))],
    again: (_level, lo, hi) => [uatLeafLo(uatProt(lo, hi), true), uatLeafHi(uatProt(lo, hi))],
    rights: (variant) => rights[variant] as string,
    isNull: () => false,
    table: (pa) => [uatTableLo(pa), uatTableHi(pa)],
  };
}

function ppgttSubject(rootLevel: number, vaBits: number): Subject {
  // Flags: write 2, null 0x200, atomics 0x400, device memory 0x800; PAT indices over all five bits.
  const kinds: [flags: number, pat: number][] = [
    [2, 0],
    [0, 31],
    [0x202, 4],
    [0x200, 27],
    [0xc02, 20],
    [0x402, 9],
  ];
  const kind = (variant: number) => kinds[variant] as [number, number];
  const encode = (level: number, flags: number, pat: number): Halves => [
    ppgttLeafLo(level, pat, flags),
    ppgttLeafHi(pat),
  ];
  return {
    name: `ppgtt ${rootLevel} ${vaBits}`,
    format: ppgtt(rootLevel, vaBits),
    variants: kinds.length,
    leaf: (level, variant) => encode(level, ...kind(variant)),
    again: (level, lo, hi) => encode(level, ppgttFlags(lo), ppgttPat(level, lo, hi)),
    rights: (variant) => (kind(variant)[0] & 2 ? "rwx" : "rx"),
    isNull: (variant) => (kind(variant)[0] & 0x200) !== 0,
    table: (pa, compact) => [ppgttTableLo(pa, 3, compact), ppgttTableHi(pa)],
  };
}

function gmmuSubject(version: GmmuVersion, tables: GmmuAperture): Subject {
  const kinds: [aperture: GmmuAperture, kind: number][] = [
    ["vram", 0],
    ["vram", 6],
    ["coherent", version === 2 ? 0xfe : 15],
    ["noncoherent", 1],
  ];
  // The last variant is sparse.
  const kind = (variant: number) => kinds[variant] as [GmmuAperture, number];
  const encode = (aperture: GmmuAperture, number: number): Halves => [
    gmmuLeafLo(version, number, aperture),
    gmmuLeafHi(version, number),
  ];
  return {
    name: `gmmu v${version}, tables ${tables}`,
    format: gmmu(version, tables),
    variants: kinds.length + 1,
    leaf: (_level, variant) => (variant === kinds.length ? [GMMU_SPARSE, 0] : encode(...kind(variant))),
    again: (_level, lo, hi) =>
      lo === GMMU_SPARSE ? [lo, hi] : encode(gmmuAperture(lo), gmmuKind(version, lo, hi)),
    rights: () => "rwx",
    isNull: (variant) => variant === kinds.length,
    table: (pa) => [gmmuTableLo(version, pa, tables), gmmuTableHi(version, pa)],
    address: (pa) => [gmmuAddressLo(version, pa), gmmuAddressHi(version, pa)],
    // What VRAM leaves of version 2 can hold.
    paBits: version === 2 ? 40 : 48,
  };
}

function gcvmSubject(generation: GcvmGeneration): Subject {
  const high = GCVM_HIGH[generation];
  const kinds = [
    GCVM_VALID | GCVM_READABLE | GCVM_WRITEABLE | GCVM_EXECUTABLE,
    GCVM_VALID | GCVM_READABLE | GCVM_SYSTEM | GCVM_SNOOPED,
    GCVM_VALID | GCVM_WRITEABLE | (9 << GCVM_FRAGMENT_SHIFT),
  ];
  const rights = ["rwx", "r", "w", ""];
  const leafBit = (level: number): number => (level === GCVM_LAST_LEVEL ? high.isPte : high.leaf);
  return {
    name: `gcvm ${generation}`,
    format: gcvm(generation),
    variants: rights.length,
    // The last variant is PRT.
    leaf: (level, variant) =>
      variant === kinds.length
        ? [0, high.prt | high.log | leafBit(level)]
        : [kinds[variant] as number, leafBit(level)],
    again: (_level, lo, hi) => [lo & 0xfff, hi & ~0xffff],
    rights: (variant) => rights[variant] as string,
    isNull: (variant) => variant === kinds.length,
    table: (pa) => [gcvmTableLo(pa), gcvmTableHi(pa)],
  };
}

export const SUBJECTS: readonly Subject[] = [
  lpaeSubject(48),
  lpaeSubject(40),
  lpaeSubject(39),
  lpaeSubject(30),
  uatSubject(),
  ppgttSubject(3, 48),
  ppgttSubject(4, 48),
  ppgttSubject(4, 57),
  gmmuSubject(2, "vram"),
  gmmuSubject(2, "coherent"),
  gmmuSubject(3, "vram"),
  gmmuSubject(3, "noncoherent"),
  gcvmSubject("gfx9"),
  gcvmSubject("gfx10"),
  gcvmSubject("gfx12"),
];

/** Every level of a subject that may hold leaves, compact tables included. */
export function leafLevels(subject: Subject): LevelGeometry[] {
  const compact = subject.format.levels.flatMap((level) => level.belowCompact ?? []);
  return [...subject.format.levels, ...compact].filter((level) => level.mayBeLeaf);
}

/** One tree of one format. */
export class Tree {
  readonly memory: PhysicalMemory;
  readonly space: AddressSpace;
  readonly subject: Subject;
  /** Tables by the entry that points to them: slot and place in it. */
  readonly #children = new Map<string, number>();

  constructor(subject: Subject) {
    this.subject = subject;
    this.memory = new PhysicalMemory({ tableBytes: subject.format.tableBytes });
    const root = this.memory.tables.address(this.memory.tables.alloc());
    this.space = new AddressSpace(this.memory, subject.format, root);
  }

  /** Writes one leaf, making tables on the way. The caller sees to it that nothing else is there. */
  map(target: LevelGeometry, va: number, pa: number, variant: number): void {
    const { tables } = this.memory;
    let slot = 0;
    for (const level of this.subject.format.levels) {
      if (level.level === target.level) break;
      const compact = target.isCompact && level.level === target.level + 1;
      // Of an entry with two halves, the second one leads to the tables that are not compact.
      const wide = level.highHalf !== null;
      const at = entryIndex(level, va) * (wide ? 2 : 1) + (wide && !compact ? 1 : 0);
      const key = `${slot} ${at}`;
      let child = this.#children.get(key);
      if (child === undefined) {
        child = tables.alloc();
        this.#children.set(key, child);
        writeDirectory(tables, slot, at, ...this.subject.table(tables.address(child), compact));
      }
      slot = child;
    }
    const [lo, hi] = this.subject.leaf(target.level, variant);
    const [paLo, paHi] = this.subject.isNull(variant) ? [0, 0] : addressHalves(this.subject, pa);
    const at = entryIndex(target, va) * (target.highHalf === null ? 1 : 2);
    writeRepeated(tables, slot, at, 1, lo | paLo, hi | paHi);
  }
}
