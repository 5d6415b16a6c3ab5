import { describe, expect, it } from "vitest";
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
    // xorshift32 over slots of the window; a slot that is taken is refused, so draw again.
    const seen = new Set<number>();
    let x = 0x12345678;
    const draw = (): number => {
      do {
        x ^= x << 13;
        x ^= x >>> 17;
        x ^= x << 5;
      } while (seen.has(x >>> 2));
      seen.add(x >>> 2);
      return (x >>> 2) * UNIT;
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
