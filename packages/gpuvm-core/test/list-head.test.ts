import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ListEntry, ListHead } from "../src/list-head.ts";

describe("a list in the order of joining", () => {
  it("holds what a set does that keeps the order in which its members came", () => {
    fc.assert(
      fc.property(fc.array(fc.record({ who: fc.nat(7), joins: fc.boolean() })), (steps) => {
        const entries = Array.from({ length: 8 }, (_, i) => new ListEntry(i));
        const list = new ListHead<number>();
        const model = new Set<number>();
        for (const { who, joins } of steps) {
          const entry = entries[who] as ListEntry<number>;
          if (joins) {
            list.add(entry);
            model.add(who);
          } else {
            list.delete(entry);
            model.delete(who);
          }
          expect(list.toArray()).toEqual([...model]);
          expect(list.isEmpty).toBe(model.size === 0);
        }
      }),
    );
  });

  it("takes the leaving of one that never joined for nothing", () => {
    const list = new ListHead<string>();
    list.delete(null);
    expect(list.isEmpty).toBe(true);
  });
});
