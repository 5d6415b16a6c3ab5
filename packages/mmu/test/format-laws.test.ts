/** Laws that every format obeys, over one table of formats. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addressOf,
  type DirectoryEntry,
  decodeEntry,
  descriptor,
  directories,
  eachLeaf,
  entryIndex,
  type LeafEntry,
  type LevelGeometry,
  leaves,
  RIGHT_EXEC,
  RIGHT_READ,
  RIGHT_WRITE,
  visitEntries,
  type Walk,
} from "../src/index.ts";
import { addressHalves, leafLevels, SUBJECTS, type Subject, Tree } from "./tree.ts";

/** Output addresses lie between the window of the tables and the smallest output address size. */
const PA_MIN = 0x20_0000_0000;
const PA_MAX = 2 ** 40;

function rightsName(rights: number): string {
  return (
    (rights & RIGHT_READ ? "r" : "") + (rights & RIGHT_WRITE ? "w" : "") + (rights & RIGHT_EXEC ? "x" : "")
  );
}

/** What memory holds at a physical address, so that a wrong translation is visible in the value loaded. */
function hash(pa: number): bigint {
  return BigInt.asUintN(64, (BigInt(pa) ^ 0x5555n) * 0x9e37_79b9_7f4a_7c15n);
}

function alignDown(value: number, bytes: number): number {
  return value - (value % bytes);
}

describe.each(SUBJECTS)("$name", (subject) => {
  const { format } = subject;
  const levels = leafLevels(subject);

  test("each table covers exactly one entry of its parent, and the root the address space", () => {
    format.levels.forEach((level, depth) => {
      const parent = format.levels[depth - 1];
      if (parent !== undefined) {
        expect(level.entries * level.entryBytes).toBe(parent.entryBytes);
        expect(parent.below).toBe(level);
      }
      const { belowCompact: compact } = level;
      if (compact !== null) expect(compact.entries * compact.entryBytes).toBe(level.entryBytes);
      expect(level.mayBeDirectory).toBe(level.below !== null);
    });
    const root = format.levels[0] as LevelGeometry;
    expect(root.entries * root.entryBytes).toBeGreaterThanOrEqual(format.vaEnd);
    expect(format.vaEnd).toBe(2 ** format.vaBits);
  });

  test("zero is not present at any level", () => {
    for (const level of [...format.levels, ...levels]) {
      expect(decodeEntry(level, 0, 0)).toEqual({ kind: "empty", address: 0, rights: 0, compact: false });
    }
  });

  test("a leaf decodes to its address and rights, and encodes to the same entry again", () => {
    const leaf = fc.record({
      level: fc.constantFrom(...levels),
      variant: fc.nat(subject.variants - 1),
      pa: fc.maxSafeNat().map((n) => n % 2 ** 48),
    });
    fc.assert(
      fc.property(leaf, ({ level, variant, pa }) => {
        const within = pa % 2 ** (subject.paBits ?? 48);
        const address = subject.isNull(variant) ? 0 : alignDown(within, level.entryBytes);
        const [addressLow, addressHigh] = addressHalves(subject, address);
        const [attributesLo, attributesHi] = subject.leaf(level.level, variant);
        const lo = attributesLo | addressLow;
        const hi = attributesHi | addressHigh;
        const decoded = decodeEntry(level, lo, hi);
        expect(decoded.kind).toBe(subject.isNull(variant) ? "null" : "page");
        expect(decoded.address).toBe(address);
        expect(rightsName(decoded.rights)).toBe(subject.rights(variant));
        const [againLo, againHi] = subject.again(level.level, lo, hi);
        const [backLo, backHi] = addressHalves(subject, decoded.address);
        expect([againLo | backLo, againHi | backHi]).toEqual([lo, hi]);
      }),
    );
  });

  test("a directory entry decodes to the address of its table", () => {
    const table = fc.record({
      level: fc.constantFrom(...format.levels),
      page: fc.nat(2 ** 26 - 1),
      compact: fc.boolean(),
    });
    fc.assert(
      fc.property(table, ({ level, page, compact }) => {
        fc.pre(level.mayBeDirectory);
        const address = page * format.tableBytes;
        const isCompact = compact && level.belowCompact !== null;
        const [lo, hi] = subject.table(address, isCompact);
        const half = level.highHalf !== null && !isCompact ? level.highHalf : level;
        expect(decodeEntry(half, lo, hi)).toEqual({ kind: "table", address, rights: 0, compact: isCompact });
      }),
    );
  });

  test("an index is the address bits of its level", () => {
    const page = fc.bigInt({ min: 0n, max: BigInt(format.vaEnd) / 4096n - 1n });
    fc.assert(
      fc.property(page, (vaPage) => {
        const va = vaPage * 4096n;
        for (const level of [...format.levels, ...levels]) {
          const expected = Number((va >> BigInt(level.shift)) % BigInt(level.entries));
          expect(entryIndex(level, Number(va))).toBe(expected);
        }
      }),
    );
  });

  test.each(levels)(
    "a walk finds a leaf of $entryBytes bytes at the borders of tables and of the address space",
    (level) => {
      const size = level.entryBytes;
      const table = level.entries * size;
      const borders = [
        0,
        size,
        table - size,
        table,
        2 * table - size,
        format.vaEnd - table,
        format.vaEnd - size,
      ];
      const tree = new Tree(subject);
      const vas = [...new Set(borders)].filter((va) => va >= 0 && va < format.vaEnd).sort((a, b) => a - b);
      vas.forEach((va, i) => {
        tree.map(level, va, PA_MIN + i * 0x4000_0000, 0);
      });
      vas.forEach((va, i) => {
        const pa = PA_MIN + i * 0x4000_0000;
        for (const offset of [0, size / 2, size - 16]) {
          expect(tree.space.walk(va + offset)).toMatchObject({
            kind: "page",
            pa: pa + offset,
            sizeBytes: size,
          });
        }
        // What lies next to a leaf is not mapped, unless it was.
        for (const neighbour of [va - 4096, va + size]) {
          const mapped = vas.some((start) => neighbour >= start && neighbour < start + size);
          expect(tree.space.walk(neighbour).kind).toBe(mapped ? "page" : "fault");
        }
      });
      expect([...leaves(tree.memory, format, tree.space.root)].map((leaf) => leaf.va)).toEqual(vas);
    },
  );

  test("random trees translate as an independent list of intervals does", () => {
    fc.assert(
      fc.property(fc.array(leafAt(subject), { minLength: 1, maxLength: 24 }), (requests) => {
        const tree = new Tree(subject);
        const model: Interval[] = [];
        for (const request of requests) {
          if (fits(model, request)) {
            tree.map(request.level, request.va, request.pa, request.variant);
            model.push(request);
            if (!subject.isNull(request.variant)) fill(tree, request);
          }
        }
        for (const { va, level } of requests) {
          for (const near of [va - 4096, va, va + level.entryBytes - 16, va + level.entryBytes]) {
            expectWalk(tree, model, near);
          }
        }
        expectListing(tree, model);
      }),
      { numRuns: 60 },
    );
  });
});

interface Interval {
  level: LevelGeometry;
  va: number;
  pa: number;
  variant: number;
}

/** A leaf at one of few places, so that leaves meet. */
function leafAt(subject: Subject): fc.Arbitrary<Interval> {
  const { vaEnd } = subject.format;
  const places = [
    0,
    0x1f_0000,
    0x20_0000,
    0x3fff_0000,
    0x4000_0000,
    vaEnd / 2,
    Math.max(vaEnd - 0x4020_0000, 0),
    vaEnd - 0x1_0000,
  ];
  return fc
    .record({
      level: fc.constantFrom(...leafLevels(subject)),
      place: fc.constantFrom(...places),
      page: fc.nat(40),
      pa: fc.maxSafeNat().map((n) => PA_MIN + (n % (PA_MAX - PA_MIN))),
      variant: fc.nat(subject.variants - 1),
    })
    .map(({ level, place, page, pa, variant }) => ({
      level,
      va: alignDown(Math.min(place + page * 4096, vaEnd - 4096), level.entryBytes),
      pa: alignDown(pa, level.entryBytes),
      variant,
    }));
}

/** Whether a leaf can be written without touching another: no overlap, and no compact table beside a normal one. */
function fits(model: readonly Interval[], { level, va }: Interval): boolean {
  return model.every((other) => {
    const apart = va >= other.va + other.level.entryBytes || other.va >= va + level.entryBytes;
    const sameKind = level.level !== other.level.level || level.isCompact === other.level.isCompact;
    const sameTable = alignDown(va, 0x20_0000) === alignDown(other.va, 0x20_0000);
    return apart && (sameKind || !sameTable);
  });
}

/** Hashes at the first and last 16 bytes of a leaf's memory. */
function fill(tree: Tree, { pa, level }: Interval): void {
  for (const at of [pa, pa + level.entryBytes - 16]) {
    const word = new DataView(new ArrayBuffer(8));
    word.setBigUint64(0, hash(at), true);
    tree.memory.write(at, new Uint8Array(word.buffer));
  }
}

function expectWalk(tree: Tree, model: readonly Interval[], va: number): void {
  const { subject, space } = tree;
  const found: Walk = space.walk(va);
  const expected = model.find((leaf) => va >= leaf.va && va < leaf.va + leaf.level.entryBytes);
  if (expected === undefined) {
    expect(found.kind).toBe("fault");
    return;
  }
  const { level, variant } = expected;
  const isNull = subject.isNull(variant);
  const pa = isNull ? 0 : expected.pa + (va - expected.va);
  expect(found).toMatchObject({
    kind: isNull ? "null" : "page",
    pa,
    sizeBytes: level.entryBytes,
    level: level.level,
  });
  expect(rightsName(found.rights)).toBe(subject.rights(variant));
  const offset = va - expected.va;
  if (offset !== 0 && offset !== level.entryBytes - 16) return;
  if (isNull) expect(space.load64(va)).toBe(0n);
  else if (found.readable) expect(space.load64(va)).toBe(hash(pa));
  else expect(() => space.load64(va)).toThrow("read-permission");
}

function expectListing(tree: Tree, model: readonly Interval[]): void {
  const { memory, space, subject } = tree;
  const sorted = [...model].sort((a, b) => a.va - b.va);
  const expected = sorted.map(({ level, va, pa, variant }) => {
    const [lo, hi] = subject.leaf(level.level, variant);
    const [addressLow, addressHigh] = addressHalves(subject, subject.isNull(variant) ? 0 : pa);
    const entry = addressOf(lo | addressLow, (hi & 0xfffff) | addressHigh);
    return [va, level.level, level.entryBytes, level.isCompact, entry];
  });
  const listed = [...leaves(memory, subject.format, space.root)].map((leaf) => [
    leaf.va,
    leaf.level,
    leaf.sizeBytes,
    leaf.compact,
    // Without the attributes above bit 51, which other tests hold.
    Number(leaf.entry & 0xf_ffff_ffff_ffffn),
  ]);
  expect(listed).toEqual(expected);
  const seen: [number, number][] = [];
  eachLeaf(memory, subject.format, space.root, {}, (va, bytes) => seen.push([va, bytes]));
  expect(seen).toEqual(expected.map(([va, , bytes]) => [va, bytes]));
  const above = [...directories(memory, subject.format, space.root)];
  expect(above).toHaveLength(memory.tables.live - 1);
  const told: { leaves: unknown[]; directories: unknown[] } = { leaves: [], directories: [] };
  visitEntries(memory, subject.format, space.root, {
    leaf: (va, level, lo, hi) => told.leaves.push([va, level, descriptor(lo, hi)]),
    directory: (va, level, lo, hi) => told.directories.push([va, level, descriptor(lo, hi)]),
  });
  const asTold = (entries: Iterable<LeafEntry | DirectoryEntry>): unknown[] =>
    Array.from(entries, ({ va, level, entry }) => [va, level, entry]);
  expect(told.leaves).toEqual(asTold(leaves(memory, subject.format, space.root)));
  expect(told.directories).toEqual(asTold(above));
}
