import { describe, expect, test } from "vitest";
import {
  addressHi,
  addressLo,
  decodeEntry,
  descriptor,
  IOMMU_CACHE,
  IOMMU_MMIO,
  IOMMU_NOEXEC,
  IOMMU_PRIV,
  IOMMU_READ,
  IOMMU_WRITE,
  LPAE_MAIR,
  lpae4k,
  lpaeLeafHi,
  lpaeLeafLo,
  lpaeProt,
  lpaeTableHi,
  lpaeTableLo,
  maliMemattr,
  maliTranscfg,
  ppgtt,
  rootGeometry,
  withLevels,
} from "../src/index.ts";

/** VM_BIND flags READONLY 1, NOEXEC 2, UNCACHED 4 as the driver turns them into a prot. */
function protOf(bindFlags: number): number {
  const access = bindFlags & 1 ? IOMMU_READ : IOMMU_READ | IOMMU_WRITE;
  return access | (bindFlags & 2 ? IOMMU_NOEXEC : 0) | (bindFlags & 4 ? 0 : IOMMU_CACHE);
}

function leaf(level: number, pa: number, prot: number): bigint {
  return descriptor(addressLo(pa) | lpaeLeafLo(level, prot), addressHi(pa) | lpaeLeafHi(prot));
}

describe("LPAE descriptors", () => {
  test.each([
    [0, 0x0000000000000f47n, 0x0000000000000f45n],
    [1, 0x0000000000000fc7n, 0x0000000000000fc5n],
    [2, 0x0060000000000f47n, 0x0060000000000f45n],
    [3, 0x0060000000000fc7n, 0x0060000000000fc5n],
    [4, 0x0000000000000e43n, 0x0000000000000e41n],
    [5, 0x0000000000000ec3n, 0x0000000000000ec1n],
    [6, 0x0060000000000e43n, 0x0060000000000e41n],
    [7, 0x0060000000000ec3n, 0x0060000000000ec1n],
  ])("attributes for bind flags %i", (flags, page, block) => {
    expect(leaf(3, 0, protOf(flags))).toBe(page);
    expect(leaf(2, 0, protOf(flags))).toBe(block);
  });

  test("device memory wins over cached for the attribute, not for the shareability", () => {
    const readWrite = IOMMU_READ | IOMMU_WRITE;
    expect(leaf(3, 0, readWrite | IOMMU_MMIO)).toBe(0xe4bn);
    expect(leaf(3, 0, readWrite | IOMMU_MMIO | IOMMU_CACHE)).toBe(0xf4bn);
    expect(leaf(3, 0, readWrite | IOMMU_PRIV)).toBe(0xe03n);
  });

  test.each([
    [3, 0x8_1234_5000, 0, 0x0000000812345f47n],
    [3, 0x8_1234_5000, 3, 0x0060000812345fc7n],
    [2, 0x1_0020_0000, 2, 0x0060000100200f45n],
    [3, 0x1000, 4, 0x0000000000001e43n],
    [3, 0x801f_f000, 0, 0x00000000801fff47n],
  ])("level %i leaf of %i, bind flags %i", (level, pa, flags, expected) => {
    expect(leaf(level, pa, protOf(flags))).toBe(expected);
  });

  test("every prot survives the way through a descriptor", () => {
    for (let bits = 0; bits < 32; bits++) {
      const prot = IOMMU_READ | (bits << 1);
      for (const level of [1, 2, 3]) {
        expect(lpaeProt(lpaeLeafLo(level, prot), lpaeLeafHi(prot)), `level ${level}, prot ${prot}`).toBe(
          prot,
        );
      }
    }
  });

  test("a directory entry is marked as synced when the walk is not coherent", () => {
    expect(descriptor(lpaeTableLo(0x1234_5000), lpaeTableHi(0x1234_5000, true))).toBe(0x0000000012345003n);
    const [lo, hi] = [lpaeTableLo(0x1234_5000), lpaeTableHi(0x1234_5000, false)];
    expect(descriptor(lo, hi)).toBe(0x0080000012345003n);
    expect(decodeEntry(rootGeometry(lpae4k()), lo, hi)).toMatchObject({
      kind: "table",
      address: 0x1234_5000,
    });
  });
});

describe("LPAE geometry", () => {
  test.each([
    [48, 0, 512],
    [40, 0, 2],
    [39, 1, 512],
    [31, 1, 2],
    [30, 2, 512],
    [22, 2, 2],
  ])("ias %i starts at level %i with %i entries", (ias, level, entries) => {
    const format = lpae4k(ias);
    expect(format.levels[0]).toMatchObject({ level, entries });
    expect(format.levels.at(-1)).toMatchObject({ level: 3, shift: 12, entryBytes: 4096 });
    expect((format.levels[0]?.entryBytes as number) * entries).toBe(2 ** ias);
  });

  test.each([21, 49, 32.5, Number.NaN])("ias %d is refused", (ias) => {
    expect(() => lpae4k(ias)).toThrow("expected ias 22..48");
  });
});

describe("Mali address-space registers", () => {
  test("memory attributes", () => {
    expect(maliMemattr(LPAE_MAIR, false)).toBe(0x8f8f8f8f8c4c8f4cn);
    expect(maliMemattr(LPAE_MAIR, true)).toBe(0x9f9f9f9f9c4c9f4cn);
  });

  test("translation configuration", () => {
    expect(maliTranscfg(48, false)).toBe(0x420001c6);
    expect(maliTranscfg(48, true)).toBe(0x620001c6);
  });
});

describe("a format with other levels", () => {
  const plain = lpae4k(48);
  const changed = withLevels(plain, ({ level }) => (level === 3 ? { nullMask: 7, nullBits: 7 } : {}));

  test("differs where it was told, all the way down from the root", () => {
    const below = [rootGeometry(changed)];
    for (let level = below[0]?.below; level; level = level.below) below.push(level);
    expect(below).toEqual(changed.levels);
    expect(changed.levels.map(({ nullMask }) => nullMask)).toEqual([0, 0, 0, 7]);
    const [last] = changed.levels.slice(-1);
    if (!last) throw new Error("no level");
    expect([decodeEntry(last, 7, 0).kind, decodeEntry(last, 3, 0).kind]).toEqual(["null", "page"]);
  });

  test("leaves the format that it was made of alone", () => {
    expect(plain).toEqual(lpae4k(48));
    expect({ ...changed, levels: 0 }).toEqual({ ...plain, levels: 0 });
  });

  test("is not made of one with two kinds of tables", () => {
    expect(() => withLevels(ppgtt(3), () => ({}))).toThrow(/^ppgtt: level 1 points to two kinds of tables$/);
  });
});
