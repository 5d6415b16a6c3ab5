import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VaTree } from "../src/va-tree.ts";

/** The naive model: an array of entries, kept in order by a linear search. */
class NaiveTree {
  readonly entries: { key: number; handle: number }[] = [];

  insert(key: number, handle: number): void {
    let at = this.entries.length;
    while (at > 0 && (this.entries[at - 1] as { key: number }).key > key) at--;
    this.entries.splice(at, 0, { key, handle });
  }

  remove(handle: number): void {
    this.entries.splice(
      this.entries.findIndex((e) => e.handle === handle),
      1,
    );
  }
}

function contents(tree: VaTree): number[] {
  const out: number[] = [];
  tree.startWalkAtFirst();
  for (let h = tree.walk(Number.POSITIVE_INFINITY); h !== 0; h = tree.walk(Number.POSITIVE_INFINITY)) {
    out.push(h);
  }
  return out;
}

const keys = fc.integer({ min: 0, max: 60 });

describe.each([4, 16, 64])("va tree with %i entries a node", (capacity) => {
  it("keeps the order of a sorted array under inserts and removals", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ insert: fc.boolean(), key: keys }), { minLength: 1, maxLength: 400 }),
        (steps) => {
          const tree = new VaTree(capacity);
          const naive = new NaiveTree();
          let handle = 0;
          for (const step of steps) {
            const victim = naive.entries[step.key % Math.max(1, naive.entries.length)];
            if (step.insert || victim === undefined) {
              tree.seek(step.key);
              tree.insertAtPlace(step.key, ++handle);
              naive.insert(step.key, handle);
            } else {
              tree.remove(victim.key, victim.handle);
              naive.remove(victim.handle);
            }
            tree.validate();
            expect(tree.size).toBe(naive.entries.length);
          }
          expect(contents(tree)).toEqual(naive.entries.map((e) => e.handle));
        },
      ),
      { numRuns: 150 },
    );
  });

  it("finds the neighbours of any key", () => {
    fc.assert(
      fc.property(fc.array(keys, { maxLength: 200 }), keys, (inserted, key) => {
        const tree = new VaTree(capacity);
        const naive = new NaiveTree();
        inserted.forEach((k, i) => {
          tree.seek(k);
          tree.insertAtPlace(k, i + 1);
          naive.insert(k, i + 1);
        });
        tree.seek(key);
        const place = naive.entries.filter((e) => e.key <= key).length;
        expect(tree.before()).toBe(naive.entries[place - 1]?.handle ?? 0);
        expect(tree.floor(key)).toBe(naive.entries[place - 1]?.handle ?? 0);
        expect(tree.at()).toBe(naive.entries[place]?.handle ?? 0);
        expect(tree.keyAt()).toBe(naive.entries[place]?.key ?? Number.POSITIVE_INFINITY);
      }),
    );
  });

  // What split and merge does: remove what the walk meets, replace it, insert in its place.
  it("lets a walk change the tree under its feet", () => {
    const change = fc.constantFrom("keep", "remove", "replace");
    fc.assert(
      fc.property(
        fc.uniqueArray(keys, { maxLength: 60 }),
        keys,
        fc.integer({ min: 1, max: 40 }),
        fc.array(change, { minLength: 60, maxLength: 60 }),
        fc.boolean(),
        (inserted, start, length, changes, insertAfter) => {
          const tree = new VaTree(capacity);
          const naive = new NaiveTree();
          let handle = 0;
          for (const k of inserted) {
            tree.seek(k);
            tree.insertAtPlace(k, ++handle);
            naive.insert(k, handle);
          }
          tree.seek(start - 1);
          tree.startWalk();
          for (const met of naive.entries.filter((e) => e.key >= start && e.key < start + length)) {
            expect(tree.walk(start + length)).toBe(met.handle);
            const what = changes.pop();
            if (what === "keep") continue;
            if (what === "remove") {
              if (!tree.removeWalked(met.handle)) tree.remove(met.key, met.handle);
              naive.remove(met.handle);
            } else {
              tree.replace(met.key, met.handle, met.key + 0.5, ++handle);
              naive.remove(met.handle);
              naive.insert(met.key + 0.5, handle);
            }
          }
          expect(tree.walk(start + length)).toBe(0);
          if (insertAfter) {
            tree.seek(start);
            tree.insertAtPlace(start, ++handle);
            naive.insert(start, handle);
          }
          tree.validate();
          expect(contents(tree)).toEqual(naive.entries.map((e) => e.handle));
        },
      ),
      { numRuns: 300 },
    );
  });

  // Requests that take one neighbour each: the gap of the last stays open for the next.
  it("takes neighbours out one request at a time", () => {
    const request = fc.record({
      at: keys,
      neighbours: fc.integer({ min: 1, max: 12 }),
      insertAfter: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(keys, { maxLength: 60 }),
        fc.array(request, { maxLength: 12 }),
        (inserted, requests) => {
          const tree = new VaTree(capacity);
          const naive = new NaiveTree();
          let handle = 0;
          for (const k of inserted) {
            tree.seek(k);
            tree.insertAtPlace(k, ++handle);
            naive.insert(k, handle);
          }
          for (const { at, neighbours, insertAfter } of requests) {
            const first = naive.entries.findIndex((e) => e.key >= at);
            const victims = first < 0 ? [] : naive.entries.slice(first, first + neighbours);
            for (const { key, handle: victim } of victims) {
              if (!tree.seekBehindGap(key)) tree.seek(key - 0.5);
              expect(tree.at()).toBe(victim);
              expect(tree.keyAt()).toBe(key);
              tree.startWalk();
              expect(tree.walk(key + 0.5)).toBe(victim);
              expect(tree.removeWalked(victim)).toBe(true);
              naive.remove(victim);
            }
            if (insertAfter && !naive.entries.some((e) => e.key === at)) {
              tree.seek(at);
              tree.insertAtPlace(at, ++handle);
              naive.insert(at, handle);
            }
          }
          tree.validate();
          expect(contents(tree)).toEqual(naive.entries.map((e) => e.handle));
        },
      ),
      { numRuns: 300 },
    );
  });

  it("opens a gap at the place that a search finds, under a walk, filled or not", () => {
    const step = fc.record({ key: fc.integer({ min: 0, max: 900 }), fill: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300, size: "max" }), fc.nat({ max: 300 }), (steps, walked) => {
        const tree = new VaTree(capacity);
        const naive = new NaiveTree();
        let opened = 0;
        let handle = 0;
        for (const { key, fill } of steps) {
          if (tree.openGap(key)) {
            opened++;
            const place = naive.entries.filter((e) => e.key <= key).length;
            expect(tree.before()).toBe(naive.entries[place - 1]?.handle ?? 0);
            expect(tree.keyBehindGap()).toBe(naive.entries[place]?.key ?? Number.POSITIVE_INFINITY);
            if (!fill) continue;
            tree.insertInGap(key, ++handle);
          } else {
            tree.seek(key);
            tree.insertAtPlace(key, ++handle);
          }
          naive.insert(key, handle);
        }
        tree.validate();
        expect(contents(tree)).toEqual(naive.entries.map((e) => e.handle));
        // Of so many keys some come to a leaf that is neither full nor the one of the last search.
        if (new Set(steps.map(({ key }) => key)).size > 60 && capacity === 64)
          expect(opened).toBeGreaterThan(0);

        const from = naive.entries[walked]?.key ?? 0;
        tree.seek(from - 0.5);
        tree.startWalk();
        const rest = naive.entries.filter((e) => e.key >= from);
        for (const { handle: next, key } of rest) {
          expect(tree.walk(Number.POSITIVE_INFINITY)).toBe(next);
          const inserted = (next * 7) % 900;
          if (inserted >= key || naive.entries.some((e) => e.key === inserted)) continue;
          if (tree.openGap(inserted) && next % 2 === 0) {
            tree.insertInGap(inserted, ++handle);
            naive.insert(inserted, handle);
          }
        }
        expect(tree.walk(Number.POSITIVE_INFINITY)).toBe(0);
        tree.validate();
        expect(contents(tree)).toEqual(naive.entries.map((e) => e.handle));
      }),
      { numRuns: 200 },
    );
  });

  it("leaves the gap open only for the very next entry", () => {
    const tree = new VaTree(capacity);
    for (const k of [1, 2, 3]) {
      tree.seek(k);
      tree.insertAtPlace(k, k);
    }
    expect(tree.seekBehindGap(2)).toBe(false);
    tree.seek(0.5);
    tree.startWalk();
    expect(tree.removeWalked(tree.walk(2))).toBe(true);
    expect(tree.seekBehindGap(3)).toBe(false);
    expect(tree.seekBehindGap(2)).toBe(true);
    expect(tree.at()).toBe(2);
  });

  it("fills leaves when keys ascend, and gives nodes back when they go", () => {
    const tree = new VaTree(capacity);
    for (let k = 1; k <= 1000; k++) {
      tree.seek(k);
      tree.insertAtPlace(k, k);
    }
    tree.validate();
    const bytes = tree.memoryBytes;
    for (let round = 0; round < 3; round++) {
      for (let k = 1; k <= 1000; k++) tree.remove(k, k);
      expect(tree.size).toBe(0);
      tree.validate();
      for (let k = 1; k <= 1000; k++) {
        tree.seek(k);
        tree.insertAtPlace(k, k);
      }
    }
    expect(tree.memoryBytes).toBe(bytes);
  });
});

describe("va tree", () => {
  it("refuses to remove what it does not hold", () => {
    const tree = new VaTree();
    expect(() => tree.remove(0x1000, 7)).toThrow("no entry 7 at 0x1000");
  });

  it.each([0, 200, 1000, 5000, 20_000])(
    "has room for %i entries in any order where so many are expected",
    (n) => {
      const tree = new VaTree(undefined, n);
      const bytes = tree.memoryBytes;
      // 7919 is prime: every key comes once, far from the one before.
      for (let i = 0; i < n; i++) {
        const key = (i * 7919) % n;
        tree.seek(key);
        tree.insertAtPlace(key, i + 1);
      }
      tree.validate();
      expect(tree.size).toBe(n);
      expect(tree.memoryBytes).toBe(bytes);
    },
  );

  it("keeps leaves short while there are few, and full ones afterwards", () => {
    const tree = new VaTree(16);
    const insert = (key: number): void => {
      tree.seek(key);
      tree.insertAtPlace(key, key);
    };
    const leavesTo = (end: number): number => {
      let leaves = 0;
      let last = 0;
      for (let key = 1; key <= end; key++) {
        tree.seek(key);
        if (tree.leaf !== last) leaves++;
        last = tree.leaf;
      }
      return leaves;
    };
    for (let key = 1; key <= 128; key++) insert(key);
    expect(leavesTo(128)).toBe(16);
    for (let key = 129; key <= 320; key++) insert(key);
    tree.validate();
    // The last of the short ones has filled up, too.
    expect(leavesTo(320)).toBe(16 + Math.ceil(184 / 16));
  });

  it.each([1, 2, 5, 16])(
    "has short leaves again when one of the full ones is left, each %i. entry taken first",
    (stride) => {
      const tree = new VaTree(16);
      // 16 short leaves, the last of which is then filled up, and 12 full ones.
      const full = 17 * 8 + 12 * 16;
      const left = new Set<number>();
      for (let key = 1; key <= full; key++) {
        tree.seek(key);
        tree.insertAtPlace(key, key);
        left.add(key);
      }
      for (let first = 1; first <= stride; first++) {
        for (let key = first; key <= full; key += stride) {
          tree.remove(key, key);
          left.delete(key);
          tree.validate();
          expect(tree.floor(full)).toBe(Math.max(0, ...left));
        }
      }
      expect(tree.size).toBe(0);
    },
  );

  it("takes 4, 16 and 64 as node capacity only", () => {
    expect(() => new VaTree(48)).toThrow(RangeError);
    expect(() => new VaTree(8)).toThrow(RangeError);
    expect(() => new VaTree(256)).toThrow(RangeError);
  });
});
