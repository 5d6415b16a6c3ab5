import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { grown } from "../src/growth.ts";
import { GemObject, GemObjects, Gpuvm } from "../src/index.ts";

const MANY = 65536;
const step = (capacity: number): number => grown(capacity, MANY) - capacity;

describe("arrays that hold mappings", () => {
  it("always get longer, and never leave more unused than a share that falls with their length", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 29 }), (capacity) => {
        expect(step(capacity)).toBeGreaterThan(0);
        if (capacity >= MANY) expect(step(capacity)).toBeLessThanOrEqual(capacity / 8 + 1);
        if (capacity >= MANY * 16) expect(step(capacity)).toBeLessThanOrEqual(capacity / 16 + 1);
        if (capacity >= MANY * 64) expect(step(capacity)).toBeLessThanOrEqual(capacity / 32 + 1);
      }),
    );
  });

  it("are copied less than a hundred times on the way to ten million", () => {
    let copies = 0;
    for (let capacity = 64; capacity < 1e7; capacity = grown(capacity, MANY)) copies++;
    expect(copies).toBeLessThan(100);
  });
});

describe("room for mappings that are expected", () => {
  /** Mappings from 0 on, some of them wide or repeated, and what is expected in front of one of them. */
  function mapped(count: number, at: number, expected: number) {
    const gems = new GemObjects();
    const vm = new Gpuvm({ gems, range: 2 ** 47, repeat: "phase" });
    const gem = new GemObject(gems, 2 ** 47);
    for (let i = 0; i < count; i++) {
      if (i === at) vm.expect(expected);
      vm.insert(i * 0x10000, i % 7 === 0 ? 0x1001 : 0x1000, gem, i % 5);
    }
    vm.tree.validate();
    const { pool } = vm;
    return { vm, seen: [...vm.mappings()].map((va) => [va, pool.addr(va), pool.end(va), pool.offset(va)]) };
  }

  it("leaves them as they are, whenever it is made", () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(300), fc.nat(2000), (count, at, expected) => {
        expect(mapped(count, at, expected).seen).toEqual(mapped(count, -1, 0).seen);
      }),
    );
  });

  it("is enough for as many of a run", () => {
    const gems = new GemObjects();
    const vm = new Gpuvm({ gems, range: 2 ** 47 });
    const gem = new GemObject(gems, 2 ** 47);
    vm.expect(100_000);
    const { memoryBytes } = vm;
    for (let i = 0; i < 100_000; i++) vm.insert(i * 0x10000, 0x1000, gem, 0);
    expect(vm.memoryBytes).toBe(memoryBytes);
  });
});
