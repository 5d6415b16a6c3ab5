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

describe("a run of records", () => {
  it("is what single ones are, whatever they measure, and is found and given back as such", () => {
    const bytes = fc.oneof(fc.constantFrom(4096, 2 ** 21), fc.integer({ min: 1, max: 2 ** 45 }));
    fc.assert(
      fc.property(bytes, bytes, fc.integer({ min: 1, max: 20 }), fc.nat(3), (range, offset, n, spare) => {
        const [run, single] = [new GpuvaPool(4), new GpuvaPool(4)];
        for (const pool of [run, single]) {
          const freed = Array.from({ length: spare + 1 }, () => pool.alloc());
          for (const va of freed.slice(1)) pool.free(va);
        }
        const vas = new Int32Array(n);
        run.allocRun(vas, n);
        run.fillRun(vas, n, 2 ** 40, range, offset, 7, 9, 1);
        let prev = 1;
        for (let i = 0; i < n; i++) {
          const va = single.alloc();
          const addr = 2 ** 40 + i * range;
          single.fill(va, addr, addr + range, offset, 7, 9);
          single.setPrev(va, prev);
          single.setNext(va, 0);
          single.setNext(prev, va);
          prev = va;
        }
        const list = [...vas];
        const seen = (pool: GpuvaPool) =>
          [1, ...list].map((va) => [
            ...[pool.addr(va), pool.end(va), pool.offset(va), pool.object(va), pool.flags(va)],
            ...[pool.next(va), pool.prev(va)],
          ]);
        expect(seen(run)).toEqual(seen(single));
        expect(run.chainedFrom(list, 0, n)).toBe(n);
        const inPages = range % 4096 === 0 && range / 4096 < 2 ** 31;
        expect(run.alikeFrom(list, 0, n, 1)).toBe(1);
        expect(run.alikeFrom(list, 0, n, 2)).toBe(inPages ? n : 1);
        run.freeRun(list, 0, n, -3);
        for (const va of list) {
          single.setObject(va, -3);
          single.free(va);
        }
        expect(list.map((va) => run.object(va))).toEqual(list.map((va) => single.object(va)));
        expect(list.map(() => run.alloc())).toEqual(list.map(() => single.alloc()));
      }),
    );
  });
});
