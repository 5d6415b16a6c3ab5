/** The interval tree against a sorted list. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { IntervalTree } from "../src/interval-tree.ts";
import { Mappings } from "../src/mappings.ts";

interface Interval {
  first: number;
  last: number;
}

const PAGES = 4096;

describe("the tree", () => {
  const step = fc.record({
    kind: fc.constantFrom("insert", "insert", "insert", "remove", "look"),
    first: fc.nat(PAGES),
    length: fc.integer({ min: 1, max: 64 }),
  });

  test("has, finds and gives up what a sorted list does, and stays balanced", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 200 }), (steps) => {
        const tree = new Mappings();
        let list: Interval[] = [];
        for (const { kind, first, length } of steps) {
          const last = first + length - 1;
          const met = list.filter((one) => one.first <= last && one.last >= first);
          expect(tree.firstOverlap(first, last) === 0).toBe(met.length === 0);
          expect(tree.overlapping(first, last)).toBe(met.length);
          met.forEach((one, i) => {
            expect(tree.first[tree.overlap(i)]).toBe(one.first);
          });
          if (kind === "insert" && met.length === 0) {
            tree.insert(tree.add(first, last, 0, 0, 0));
            list = [...list, { first, last }].sort((a, b) => a.first - b.first);
          } else if (kind === "remove" && met.length > 0) {
            tree.removeRange((met[0] as Interval).first, last, met.length);
            list = list.filter((one) => !met.includes(one));
          }
          expect(tree.size).toBe(list.length);
          tree.checkTree();
        }
        expect(Array.from(tree.ascending(), (id) => [tree.first[id], tree.last[id]])).toEqual(
          list.map((one) => [one.first, one.last]),
        );
      }),
      { numRuns: 60 },
    );
  });

  test("tells when it is out of order or out of balance", () => {
    const tree = new Mappings();
    for (const first of [10, 20, 30]) tree.insert(tree.add(first, first + 5, 0, 0, 0));
    tree.first[2] = 5;
    expect(() => tree.checkTree()).toThrow("interval-tree: page 5 is not behind page 15");
    tree.first[2] = 20;
    expect(() => tree.removeRange(11, 11, 1)).toThrow("interval-tree: no mapping begins at page 11");
    expect(new IntervalTree().size).toBe(0);
  });
});

test("a list of mappings keeps its order, newest first, and splices in front", () => {
  const mappings = new Mappings();
  const [one, other] = [
    { head: 0, tail: 0 },
    { head: 0, tail: 0 },
  ];
  const [a, b, c, d] = [0, 1, 2, 3].map((first) => mappings.add(first, first, 0, 0, 0)) as [
    number,
    number,
    number,
    number,
  ];
  for (const id of [a, b]) mappings.push(one, id, 1);
  for (const id of [c, d]) mappings.push(other, id, 2);
  mappings.splice(one, other, 2);
  expect([...mappings.of(other)]).toEqual([b, a, d, c]);
  expect([...mappings.of(one)]).toEqual([]);
  mappings.unlink(other, a);
  mappings.unlink(other, c);
  expect([...mappings.of(other)]).toEqual([b, d]);
  mappings.splice(other, one, 1);
  expect([mappings.state[b], mappings.state[d], mappings.state[a]]).toEqual([1, 1, 2]);
});
