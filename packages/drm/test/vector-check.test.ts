import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { u64, u64Halves, u64Of } from "../src/conformance.ts";

describe("a u64 of a vector file", () => {
  it("is the number, or NaN where a double does not hold it", () => {
    const u64 = fc.oneof(
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc
        .tuple(fc.bigInt({ min: 0n, max: 2n ** 53n - 1n }), fc.nat(11))
        .map(([value, shift]) => value << BigInt(shift)),
    );
    fc.assert(
      fc.property(u64, (value) => {
        const exact = BigInt(Number(value)) === value;
        expect(u64Of(`0x${value.toString(16)}`)).toBe(exact ? Number(value) : Number.NaN);
      }),
      { numRuns: 500 },
    );
  });

  it("has two halves, with a sign in front those of its complement", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n - 2n ** 64n, max: 2n ** 64n - 1n }), (value) => {
        const { lo, hi } = u64Halves(value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`);
        expect([lo, hi]).toEqual([
          Number(BigInt.asIntN(32, value)),
          Number(BigInt.asIntN(32, BigInt.asUintN(64, value) >> 32n)),
        ]);
      }),
    );
    expect(u64Halves("-0x100000000")).toEqual({ lo: 0, hi: -1 });
  });

  it("says the field of what is none", () => {
    for (const wrong of ["0x", "0xG", "0X1", "1", "0x12345678123456781", 7, null]) {
      expect(() => u64Of(wrong, "ops[3].va")).toThrow("ops[3].va: expected a u64 in hex");
    }
  });

  it("is what the form says, and nothing else", () => {
    const near = fc.string({ unit: fc.constantFrom(..."0x19afgAF:`/-"), maxLength: 19 });
    fc.assert(
      fc.property(
        fc.oneof(
          near,
          near.map((text) => `0x${text}`),
        ),
        (text) => {
          expect(u64(text) === null).toBe(/^0x[0-9a-f]{1,16}$/.test(text));
        },
      ),
      { numRuns: 500 },
    );
  });
});
