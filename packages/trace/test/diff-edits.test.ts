/** The shortest list of edits, against a naive one that tries every way. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { editsOf } from "../src/diff/edits.ts";

/** Length of the longest common subsequence, by the table. */
function commonLength(a: readonly string[], b: readonly string[]): number {
  const row = new Array<number>(b.length + 1).fill(0);
  for (const item of a) {
    let corner = 0;
    for (const [j, other] of b.entries()) {
      const above = row[j + 1] as number;
      row[j + 1] = item === other ? corner + 1 : Math.max(above, row[j] as number);
      corner = above;
    }
  }
  return row[b.length] as number;
}

const SEQUENCE = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 30 });

test("what is left of both is the same, and nothing shorter would do", () => {
  fc.assert(
    fc.property(SEQUENCE, SEQUENCE, (a, b) => {
      const { gone, come } = editsOf(a, b);
      const left = a.filter((_, i) => !gone.includes(i));
      expect(left).toEqual(b.filter((_, i) => !come.includes(i)));
      expect(left).toHaveLength(commonLength(a, b));
    }),
  );
});

test("sequences that have nothing in common are compared regardless of order", () => {
  const a = Array.from({ length: 3000 }, (_, i) => String(i));
  const b = [...a].reverse();
  expect(editsOf(a, b)).toEqual({ gone: [], come: [] });
  expect(editsOf([...a, "x"], ["y", ...b])).toEqual({ gone: [3000], come: [0] });
});
