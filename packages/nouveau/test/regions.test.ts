import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type SparseRegion, SparseRegions } from "../src/internals.ts";

describe("the sparse regions of a VM", () => {
  it("are found as in a plain list, however they come and go", () => {
    const step = fc.record({ addr: fc.nat(60), range: fc.integer({ min: 1, max: 6 }), remove: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 2, max: 5 }), (steps, runMax) => {
        const regions = new SparseRegions(runMax);
        let plain: SparseRegion[] = [];
        for (const { addr, range, remove } of steps) {
          const met = plain.find((region) => region.addr < addr + range && addr < region.addr + region.range);
          expect(regions.first(addr, range)).toBe(met ?? null);
          expect(regions.at(addr)?.addr).toBe(
            plain.find((region) => region.addr <= addr && addr < region.addr + region.range)?.addr,
          );
          if (met === undefined) {
            const region = { addr, range, dirty: null };
            regions.add(region);
            plain = [...plain, region].sort((a, b) => a.addr - b.addr);
          } else if (remove) {
            regions.remove(met);
            plain = plain.filter((region) => region !== met);
            expect(() => regions.remove(met)).toThrow("it is not among them");
          }
          expect([...regions]).toEqual(plain);
          expect(regions.size).toBe(plain.length);
          expect(regions.first(addr, 0)).toBeNull();
        }
      }),
    );
  });
});
