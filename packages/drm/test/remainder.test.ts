import { remainder } from "@vmbind/drm";
import fc from "fast-check";
import { expect, test } from "vitest";

/** Whole numbers that a double holds, up to 2^64: also those at which quotients are rounded. */
const values = fc.oneof(
  fc.maxSafeNat(),
  fc.bigInt({ min: 0n, max: 2n ** 52n - 1n }).map((n) => Number(n * 4096n)),
);

test("the remainder is that of the exact quotient", () => {
  const divisors = fc.oneof(
    fc.integer({ min: 1, max: 2 ** 32 }),
    fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  );
  fc.assert(
    fc.property(values, divisors, (value, of) => {
      expect(remainder(value, of)).toBe(Number(BigInt(value) % BigInt(of)));
    }),
  );
});

test("the remainder beside a multiple is right", () => {
  const nearby = fc.tuple(fc.integer({ min: 1, max: 2 ** 32 }), fc.maxSafeNat(), fc.constantFrom(-1, 0, 1));
  fc.assert(
    fc.property(nearby, ([of, big, apart]) => {
      const value = Math.max(0, (Math.floor(big / of) - 1) * of + apart);
      expect(remainder(value, of)).toBe(Number(BigInt(value) % BigInt(of)));
    }),
  );
});

test("what no double holds has no remainder", () => {
  expect(remainder(Number.NaN, 4096)).toBeNaN();
});
