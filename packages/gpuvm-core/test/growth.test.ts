import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { grown } from "../src/growth.ts";

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
