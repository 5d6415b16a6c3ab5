import { describe, expect, it } from "vitest";
import { Random } from "../../../test/random.ts";
import { GemObject, GemObjects, Gpuvm } from "../src/index.ts";

const UNIT = 0x10000;
/** Bytes a mapping after every 4096th insert. */
function footprint(inserts: number, addr: (i: number) => number): number[] {
  const gems = new GemObjects();
  const vm = new Gpuvm({ gems, range: 2 ** 47 });
  const gem = new GemObject(gems, 2 ** 47);
  const bytes: number[] = [];
  for (let i = 1; i <= inserts; i++) {
    vm.insert(addr(i), UNIT, gem, 0);
    if (i % 4096 === 0 && i > 65536) bytes.push(vm.memoryBytes / vm.count);
  }
  expect(vm.count).toBe(inserts);
  bytes.push(vm.memoryBytes / vm.count);
  return bytes;
}

describe("memory of many mappings, none of them announced", () => {
  it("is at most 57 bytes each when they come in random order", () => {
    // Over slots of the window; a slot that is taken is refused, so draw again.
    const { word } = new Random(0x12345678);
    const seen = new Set<number>();
    const draw = (): number => {
      let slot = word() >>> 2;
      while (seen.has(slot)) slot = word() >>> 2;
      seen.add(slot);
      return slot * UNIT;
    };
    expect(Math.max(...footprint(1_000_000, draw))).toBeLessThanOrEqual(57);
  });

  it.each<[order: string, addr: (i: number) => number]>([
    ["ascending order", (i) => i],
    ["descending order", (i) => 1_000_000 - i],
    ["ascending order below others", (i) => (i <= 1024 ? 1_500_000 + i : i)],
    ["descending order above others", (i) => (i <= 1024 ? i : 1_500_000 - i)],
    ["ascending order between others", (i) => (i <= 1024 ? (i % 2) * 1_500_000 + i : i)],
    ["descending order between others", (i) => (i <= 1024 ? (i % 2) * 1_500_000 + i : 1_400_000 - i)],
  ])("is at most 51 bytes each when they come in %s", (_, addr) => {
    expect(Math.max(...footprint(250_000, (i) => addr(i) * UNIT))).toBeLessThanOrEqual(51);
  });

  it("is at most 64 bytes each when four runs come by turns, two of them downwards", () => {
    const addr = (i: number) => (i % 4) * 3_000_000 + (i % 4 < 2 ? i : 2_000_000 - i);
    expect(Math.max(...footprint(250_000, (i) => addr(i) * UNIT))).toBeLessThanOrEqual(64);
  });
});
