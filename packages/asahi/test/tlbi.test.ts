import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeTlbi, encodeTlbi, PAGE_BYTES, type TlbiReach } from "../src/index.ts";
import { isExactTlbi } from "../src/tlbi.ts";

const GIB = 2 ** 30;

function reaches(asid: number, va: number, bytes: number, stuckStart = false): TlbiReach[] {
  const out: TlbiReach[] = [];
  encodeTlbi(asid, va, bytes, stuckStart, (form, high, low) => {
    const reach = { asid: -1, va: -1, bytes: -1 };
    decodeTlbi(form, high, low, reach);
    out.push(reach);
  });
  return out;
}

test("what the instructions cover begins at the range, has no gaps and holds all of it", () => {
  const pages = fc.oneof(fc.nat(100), fc.nat(1 << 16), fc.nat(1 << 25));
  fc.assert(
    fc.property(fc.nat(63), fc.nat(2 ** 25 - 1), pages, (asid, first, count) => {
      const va = first * PAGE_BYTES;
      let end = va;
      for (const reach of reaches(asid, va, count * PAGE_BYTES)) {
        expect([reach.asid, reach.va]).toEqual([asid, end]);
        end += reach.bytes;
      }
      const asked = count * PAGE_BYTES;
      expect(end - va).toBeGreaterThanOrEqual(asked);
      // Less than one unit too much, and the unit is at most twice the range (31 pages make 64).
      expect(end - va).toBeLessThan(3 * asked + 4 * PAGE_BYTES);
    }),
    { numRuns: 2000 },
  );
});

test("up to 32 GiB one instruction is enough, beyond it they add up", () => {
  expect(reaches(1, 0, 32 * GIB)).toEqual([{ asid: 1, va: 0, bytes: 32 * GIB }]);
  expect(reaches(1, 0, 40 * GIB)).toEqual([
    { asid: 1, va: 0, bytes: 32 * GIB },
    { asid: 1, va: 32 * GIB, bytes: 8 * GIB },
  ]);
});

test("the driver's defect: every instruction names the first page", () => {
  expect(reaches(1, PAGE_BYTES, 40 * GIB, true).map((reach) => reach.va)).toEqual([PAGE_BYTES, PAGE_BYTES]);
});

test("what needs no encoding is covered to the byte by one instruction", () => {
  const exact = Array.from({ length: 200 }, (_, i) => (i + 1) * PAGE_BYTES).filter(isExactTlbi);
  expect(exact).toContain(PAGE_BYTES);
  expect(exact).toContain(30 * PAGE_BYTES);
  for (const bytes of exact) {
    for (const va of [PAGE_BYTES, 2 ** 38 + 3 * PAGE_BYTES])
      expect(reaches(7, va, bytes)).toEqual([{ asid: 7, va, bytes }]);
  }
});
