/** Entries taken apart, over the table of formats: every bit has one name, and what is told is what the walker reads. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  AddressSpace,
  type DescribedField,
  decodeEntry,
  describeEntry,
  descriptor,
  hexAddress,
  type LevelGeometry,
  lpae4k,
  ppgtt,
  Walk,
  walkPath,
} from "../src/index.ts";
import { addressHalves, leafLevels, SUBJECTS, Tree } from "./tree.ts";

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

function descriptorOf(fields: readonly DescribedField[]): bigint {
  return fields.reduce((sum, { value, bottom }) => sum + (BigInt(value) << BigInt(bottom)), 0n);
}

function named(fields: readonly DescribedField[], name: string): string | undefined {
  return fields.find((field) => field.name === name)?.means;
}

describe.each(SUBJECTS)("$name", (subject) => {
  const { format } = subject;
  const compact = format.levels.flatMap((level) => level.belowCompact ?? []);
  const halves = format.levels.flatMap((level) => level.highHalf ?? []);
  const all = [...format.levels, ...compact, ...halves];

  test("any 64 bits are the sum of their fields, which go down and do not overlap", () => {
    fc.assert(
      fc.property(fc.constantFrom(...all), int32, int32, (level, lo, hi) => {
        const fields = describeEntry(format, level, lo, hi);
        let above = 64;
        for (const { top, bottom } of fields) {
          expect(top).toBeLessThan(above);
          expect(bottom).toBeLessThanOrEqual(top);
          above = bottom;
        }
        expect(descriptorOf(fields)).toBe(descriptor(lo, hi));
      }),
      { numRuns: 300 },
    );
  });

  test("a leaf has no bit without a name, and its address is that of its page", () => {
    for (const level of leafLevels(subject)) {
      for (let variant = 0; variant < subject.variants; variant++) {
        const [lo, hi] = subject.leaf(level.level, variant);
        const pa = 0x20_0000_0000 + 2 * Math.max(level.entryBytes, 4096);
        const [paLo, paHi] = subject.isNull(variant) ? [0, 0] : addressHalves(subject, pa);
        const fields = describeEntry(format, level, lo | paLo, hi | paHi);
        expect(named(fields, "not named"), `level ${level.level}, variant ${variant}`).toBeUndefined();
        const { kind, address } = decodeEntry(level, lo | paLo, hi | paHi);
        if (kind === "page") expect(fields.map(({ means }) => means)).toContain(hexAddress(address));
      }
    }
  });

  test("a directory entry has no bit without a name, and leads to its table", () => {
    for (const level of format.levels.filter(({ mayBeDirectory }) => mayBeDirectory)) {
      for (const small of level.belowCompact === null ? [false] : [false, true]) {
        const geometry = level.highHalf !== null && !small ? level.highHalf : level;
        const [lo, hi] = subject.table(0x1234_5000 - (0x1234_5000 % format.tableBytes), small);
        const fields = describeEntry(format, geometry, lo, hi);
        expect(named(fields, "not named"), `level ${level.level}`).toBeUndefined();
        expect(fields.map(({ means }) => means)).toContain(hexAddress(decodeEntry(geometry, lo, hi).address));
      }
    }
  });

  test("a walk written down reads what the walk reads, and ends where it ends", () => {
    const tree = new Tree(subject);
    const { memory, space } = tree;
    const targets = leafLevels(subject).filter(({ level }) => level !== format.levels[0]?.level);
    for (const [i, level] of targets.entries()) {
      for (const nth of [1, 3]) {
        // Far enough apart that no leaf meets a table of another one.
        const va = (i * 2 + 1) * 2 ** 36 * (format.vaBits >= 48 ? 8 : 0) + nth * level.entryBytes;
        if (va >= format.vaEnd || format.vaBits < 48) continue;
        tree.map(level, va, 0x20_0000_0000 + nth * Math.max(level.entryBytes, 2 ** 21), 0);
      }
    }
    const inside = format.vaEnd - 1;
    fc.assert(
      fc.property(
        fc.oneof(
          fc.nat({ max: 2 ** 31 - 1 }).map((n) => (n * 4096) % inside),
          fc
            .tuple(fc.nat({ max: 2 * targets.length }), fc.nat({ max: 5 * 2 ** 21 }))
            .map(([n, at]) => (n * 2 ** 39 + at) % inside),
        ),
        (va) => {
          const walked = space.walk(va, new Walk());
          const before = memory.counters.walkSteps;
          const path = walkPath(memory, format, space.root, va);
          expect(memory.counters.walkSteps).toBe(before);
          const last = path.at(-1);
          expect([last?.geometry.level, last?.lo, last?.hi]).toEqual([walked.level, walked.lo, walked.hi]);
          expect(path.slice(0, -1).every(({ kind, half }) => kind === "table" || half !== null)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
    expect(walkPath(memory, format, space.root, format.vaEnd)).toEqual([]);
    expect(space).toBeInstanceOf(AddressSpace);
  });
});

describe("words", () => {
  test("a block of panvk's, as docs/read-a-page-table.md has it", () => {
    const format = lpae4k(48);
    const fields = describeEntry(format, format.levels[2] as LevelGeometry, 0x0340_0f45, 0x0060_0001);
    expect(fields.map(({ name, top, bottom, value, means }) => [name, top, bottom, value, means])).toEqual([
      ["software (SW_SYNC)", 55, 55, 0, "not marked as synced"],
      ["XN", 54, 54, 1, "never executable"],
      ["PXN", 53, 53, 1, "never executable when privileged"],
      ["output address", 47, 21, 0x81a, "0x103400000"],
      ["nG", 11, 11, 1, "not global: of this address space"],
      ["AF", 10, 10, 1, "accessed"],
      ["SH", 9, 8, 3, "inner shareable"],
      ["AP[2:1]", 7, 6, 1, "read, write"],
      ["NS", 5, 5, 0, "secure"],
      ["AttrIndx", 4, 2, 1, "MAIR attribute 1: cached"],
      ["type", 1, 0, 1, "block"],
    ]);
  });

  test("a bit that has no name is said to have none", () => {
    const format = ppgtt(3);
    const leaf = format.levels[3] as LevelGeometry;
    expect(describeEntry(format, leaf, 0x1003 | (1 << 5), 0)).toContainEqual({
      name: "not named",
      top: 5,
      bottom: 5,
      value: 1,
      means: "set, and not a field of this entry",
    });
  });
});
