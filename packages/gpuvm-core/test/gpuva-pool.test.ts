import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GpuvaPool } from "../src/gpuva-pool.ts";

/** Whole numbers of every size below 2^64 that a double can hold, many of them multiples of pages, many beside one. */
const u64 = fc
  .tuple(
    fc.integer({ min: 0, max: 63 }),
    fc.double({ min: 1, max: 2, maxExcluded: true }),
    fc.integer({ min: -1, max: 1 }),
  )
  .chain(([lg2, mantissa, beside]) =>
    fc.constantFrom(1, 4096, 2 ** 21).map((unit) => {
      const near = Math.floor((2 ** lg2 * mantissa) / unit) * unit;
      return Math.max(0, near + beside);
    }),
  );

describe("a record of a mapping", () => {
  it("gives back range and offset to the byte, whatever their size, after the pool has grown and when it is used again", () => {
    const mappings = fc.array(fc.record({ addr: u64, range: u64, offset: u64, moved: u64 }), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(mappings, mappings, (first, second) => {
        const pool = new GpuvaPool(4);
        for (const kept of [first, second]) {
          const made = kept.map(({ addr, range, offset, moved }, i) => {
            const va = pool.alloc();
            pool.fill(va, addr, addr + range, offset, i, ~i);
            if (i % 2 === 1) pool.setOffset(va, moved);
            return va;
          });
          for (const [i, va] of made.entries()) {
            const { addr, range, offset, moved } = kept[i] as (typeof kept)[number];
            const seen = [pool.addr(va), pool.end(va), pool.offset(va), pool.object(va), pool.flags(va)];
            expect(seen).toEqual([addr, addr + range, i % 2 === 1 ? moved : offset, i, ~i]);
          }
          for (const va of made) pool.free(va);
        }
      }),
    );
  });
});
