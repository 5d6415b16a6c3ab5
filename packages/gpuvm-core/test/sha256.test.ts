import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FoundLeaves, sha256 } from "../src/conformance.ts";

const ascii = fc.oneof(
  fc.string({ maxLength: 200 }),
  fc.integer({ min: 4000, max: 4200 }).map((length) => "a".repeat(length)),
);
const u64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.nat(64).map((bit) => (1n << BigInt(bit)) - 1n),
);

describe("the digest of the vectors", () => {
  it("is that of other implementations, in whatever pieces the text comes", () => {
    fc.assert(
      fc.property(fc.array(ascii, { maxLength: 8 }), (pieces) => {
        expect(sha256(pieces)).toBe(createHash("sha256").update(pieces.join("")).digest("hex"));
      }),
    );
  });

  it("takes leaves as lines of hex, decimal level and hex", () => {
    const leaf = fc.record({ va: fc.maxSafeNat(), level: fc.nat(4), entry: u64 });
    fc.assert(
      fc.property(fc.array(leaf, { maxLength: 400, size: "max" }), (leaves) => {
        const lines = leaves.map(
          ({ va, level, entry }) => `${va.toString(16)} ${level} ${entry.toString(16)}\n`,
        );
        const found = new FoundLeaves([]);
        for (const { va, level, entry } of leaves) {
          found.take(va, level, Number(BigInt.asIntN(32, entry)), Number(BigInt.asIntN(32, entry >> 32n)));
        }
        expect(found.digest()).toBe(sha256(lines));
      }),
    );
  });
});
