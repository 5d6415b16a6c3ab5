/** Sets of bytes against a naive set. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Ranges } from "../src/ranges.ts";

const SPACE = 64;
const at = fc.nat(SPACE - 1);
const step = fc.record({ add: fc.boolean(), at, bytes: fc.nat(16) });

test("what was added and not deleted is in it, in the fewest pieces", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), at, fc.nat(16), (steps, from, bytes) => {
      const ranges = new Ranges();
      const naive = new Set<number>();
      for (const { add, at: first, bytes: count } of steps) {
        if (add) ranges.add(first, count);
        else ranges.delete(first, count);
        for (let i = first; i < first + count; i++) add ? naive.add(i) : naive.delete(i);
      }
      const spans = [...ranges.spans()];
      const all = spans.flatMap((span) => Array.from({ length: span.bytes }, (_, i) => span.at + i));
      expect(all).toEqual([...naive].sort((a, b) => a - b));
      expect(ranges.bytes).toBe(naive.size);
      for (const [i, span] of spans.entries()) {
        const next = spans[i + 1];
        if (next !== undefined) expect(next.at).toBeGreaterThan(span.at + span.bytes);
      }
      const window = Array.from({ length: bytes }, (_, i) => from + i).filter((byte) => naive.has(byte));
      expect(ranges.meets(from, bytes)).toBe(window.length > 0);
      const within = ranges.within(from, bytes);
      expect(within.flatMap((span) => Array.from({ length: span.bytes }, (_, i) => span.at + i))).toEqual(
        window,
      );
    }),
  );
});
