import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { leavesDigest, sha256 } from "../src/conformance.ts";

const ascii = fc.string({ maxLength: 200 });
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
      fc.property(fc.array(leaf, { maxLength: 12 }), (leaves) => {
        const lines = leaves.map(
          ({ va, level, entry }) => `${va.toString(16)} ${level} ${entry.toString(16)}\n`,
        );
        expect(leavesDigest(leaves)).toBe(sha256(lines));
      }),
    );
  });
});
