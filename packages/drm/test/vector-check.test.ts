import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { u64Of } from "../src/conformance.ts";

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

  it("says the field of what is none", () => {
    for (const wrong of ["0x", "0xG", "0X1", "1", "0x12345678123456781", 7, null]) {
      expect(() => u64Of(wrong, "ops[3].va")).toThrow("ops[3].va: expected a u64 in hex");
    }
  });
});
