import { describe, expect, it } from "vitest";
import { Random } from "../../../test/random.ts";
import { GemObject, GemObjects, Gpuvm } from "../src/index.ts";

const UNIT = 0x10000;
/** Bytes a mapping after every 4096th of a million inserts. */
function footprint(addr: (i: number) => number): number[] {
  const gems = new GemObjects();
  const vm = new Gpuvm({ gems, range: 2 ** 47 });
  const gem = new GemObject(gems, 2 ** 47);
  const bytes: number[] = [];
  for (let i = 1; i <= 1_000_000; i++) {
    vm.insert(addr(i), UNIT, gem, 0);
    if (i % 4096 === 0 && i > 65536) bytes.push(vm.memoryBytes / vm.count);
  }
  expect(vm.count).toBe(1_000_000);
  bytes.push(vm.memoryBytes / vm.count);
  return bytes;
}

describe("memory of many mappings, none of them announced", () => {
  it("is at most 64 bytes each when they come in random order", () => {
    // Over slots of the window; a slot that is taken is refused, so draw again.
    const { word } = new Random(0x12345678);
    const seen = new Set<number>();
    const draw = (): number => {
      let slot = word() >>> 2;
      while (seen.has(slot)) slot = word() >>> 2;
      seen.add(slot);
      return slot * UNIT;
    };
    expect(Math.max(...footprint(draw))).toBeLessThanOrEqual(64);
  });

  it("is at most 71 bytes each when they come in descending order, which leaves nodes half full", () => {
    expect(Math.max(...footprint((i) => (1_000_000 - i) * UNIT))).toBeLessThanOrEqual(71);
  });

  it("is at most 60 bytes each when they come in ascending order", () => {
    expect(Math.max(...footprint((i) => i * UNIT))).toBeLessThanOrEqual(60);
  });
});
