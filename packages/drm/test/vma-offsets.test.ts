import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { DRM_FILE_PAGE_OFFSET_SIZE, DRM_FILE_PAGE_OFFSET_START, DrmError, VmaOffsets } from "../src/index.ts";

const PAGE = 4096;
const START = DRM_FILE_PAGE_OFFSET_START * PAGE;

/** A space of so many pages as an array: who has each page. */
class Naive {
  readonly owner: (number | null)[];

  constructor(pages: number) {
    this.owner = new Array<number | null>(pages).fill(null);
  }

  /** Page of the smallest hole that fits, -1 when none does. */
  add(object: number, pages: number): number {
    let best = -1;
    let bestSize = Number.POSITIVE_INFINITY;
    for (let start = 0; start < this.owner.length; start++) {
      if (this.owner[start] !== null || (start > 0 && this.owner[start - 1] === null)) continue;
      let end = start;
      while (end < this.owner.length && this.owner[end] === null) end++;
      if (end - start >= pages && end - start < bestSize) [best, bestSize] = [start, end - start];
    }
    if (best >= 0) this.owner.fill(object, best, best + pages);
    return best;
  }

  remove(object: number): void {
    for (const [page, owner] of this.owner.entries()) if (owner === object) this.owner[page] = null;
  }
}

describe("offsets for mmap", () => {
  it("are those of an array of pages, whatever is added and removed", () => {
    const step = fc.record({ pages: fc.integer({ min: 1, max: 9 }), remove: fc.nat(), frees: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 80 }), (steps) => {
        const offsets = new VmaOffsets<number>(40);
        const naive = new Naive(40);
        const live = new Map<number, number>();
        for (const [object, { pages, remove, frees }] of steps.entries()) {
          const victim = [...live.keys()][remove % Math.max(1, live.size)];
          if (frees && victim !== undefined) {
            offsets.remove(live.get(victim) as number);
            naive.remove(victim);
            live.delete(victim);
          }
          const expected = naive.add(object, pages);
          if (expected < 0) expect(() => offsets.add(object, pages * PAGE)).toThrow("ENOSPC");
          else {
            live.set(object, START + expected * PAGE);
            expect(offsets.add(object, pages * PAGE - (object % 2))).toBe(START + expected * PAGE);
          }
          const found = naive.owner.map((_, page) => offsets.lookup(START + page * PAGE + 7));
          expect(found.map((f) => f?.object ?? null)).toEqual(naive.owner);
          for (const [page, f] of found.entries()) {
            if (f && f.offset !== START + page * PAGE + 7 - (live.get(f.object) as number))
              throw new Error(`${page}`);
          }
        }
      }),
    );
  });

  it("begin at 4 GiB and have room for 268435200 pages", () => {
    const offsets = new VmaOffsets<string>();
    expect([START, DRM_FILE_PAGE_OFFSET_SIZE]).toEqual([2 ** 32, 268435200]);
    expect(() => offsets.add("too large", (268435200 + 1) * PAGE)).toThrow(DrmError);
    expect(() => offsets.add("nothing", 0)).toThrow("ENOSPC: mmap: no offsets for 0x0 bytes");
    expect(offsets.add("all", 268435200 * PAGE)).toBe(START);
    expect(() => offsets.add("one more", 1)).toThrow("ENOSPC");
    expect([offsets.lookup(START - 1), offsets.lookup(START + 268435200 * PAGE)]).toEqual([
      undefined,
      undefined,
    ]);
    expect(() => offsets.remove(START + PAGE)).toThrow("nothing begins at");
    offsets.remove(START);
    expect(offsets.lookup(START)).toBeUndefined();
  });
});

test("with a step no offset is used twice, until nothing is in use and a fresh stand-in begins", () => {
  const offsets = new VmaOffsets<string>(undefined, 0x20_0000);
  const first = offsets.add("a", 4096);
  const second = offsets.add("b", 0x20_1000);
  offsets.remove(first);
  offsets.startOver();
  expect([second - first, offsets.add("c", 4096) - second]).toEqual([0x20_0000, 0x40_0000]);
  offsets.remove(second);
  offsets.remove(second + 0x40_0000);
  offsets.startOver();
  expect(offsets.add("d", 4096)).toBe(first);
});
