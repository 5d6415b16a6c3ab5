import { cutInterval, type Hits, IntervalMap, noHits, PlainSpace } from "@vmbind/trace";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

/** One cell per address: the number of the mapping that owns it, and the byte of its object; 0 = none. */
class Cells {
  readonly owner = new Array<number>(64).fill(0);
  readonly byte = new Array<number>(64).fill(0);
  readonly object = new Map<number, number>();
  #next = 0;

  /** What a range meets: each piece of a mapping counts, by how it sticks out. */
  hits(addr: number, end: number): Hits {
    const hits = noHits();
    for (const [from, to] of this.pieces()) {
      if (from >= end || to <= addr) continue;
      hits[from < addr && to > end ? "split" : from < addr || to > end ? "oneSide" : "covered"]++;
    }
    return hits;
  }

  clear(addr: number, end: number): void {
    this.owner.fill(0, addr, end);
  }

  map(addr: number, end: number, object: number, offset: number): void {
    // Pieces of a mapping that was cut must not look like one again.
    const right = this.owner[end] as number;
    if (right !== 0 && right === this.owner[addr - 1]) this.#rename(end, right);
    this.clear(addr, end);
    const id = ++this.#next;
    this.object.set(id, object);
    for (let i = addr; i < end; i++) {
      this.owner[i] = id;
      this.byte[i] = offset + i - addr;
    }
  }

  unmap(addr: number, end: number): void {
    const right = this.owner[end] as number;
    if (right !== 0 && right === this.owner[addr - 1]) this.#rename(end, right);
    this.clear(addr, end);
  }

  /** Runs of cells with one owner: first, end, object, byte of the first. */
  pieces(): [number, number, number, number][] {
    const found: [number, number, number, number][] = [];
    for (let i = 0; i < 64; ) {
      const id = this.owner[i] as number;
      let end = i + 1;
      while (end < 64 && this.owner[end] === id) end++;
      if (id !== 0) found.push([i, end, this.object.get(id) as number, this.byte[i] as number]);
      i = end;
    }
    return found;
  }

  #rename(from: number, id: number): void {
    const fresh = ++this.#next;
    this.object.set(fresh, this.object.get(id) as number);
    for (let i = from; this.owner[i] === id; i++) this.owner[i] = fresh;
  }
}

const operation = fc.record({
  kind: fc.constantFrom("map", "map behind the last", "unmap", "remove"),
  addr: fc.integer({ min: 0, max: 63 }),
  length: fc.integer({ min: 1, max: 20 }),
  object: fc.integer({ min: 0, max: 3 }),
  offset: fc.integer({ min: 0, max: 100 }),
});

describe("the plain interval model", () => {
  it("agrees with one cell per address: pieces, offsets, hits, counts", () => {
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 40 }),
        fc.constantFrom(2, 3, 256),
        (operations, runMax) => {
          const map = new IntervalMap(cutInterval, runMax);
          const cells = new Cells();
          let lastEnd = 0;
          for (const { kind, addr: anywhere, length, object, offset } of operations) {
            const addr = kind === "map behind the last" && lastEnd < 64 ? lastEnd : anywhere;
            const end = Math.min(addr + length, 64);
            const hits = noHits();
            if (kind === "remove") {
              map.removeObject(object);
              for (const [from, to, of] of cells.pieces()) if (of === object) cells.clear(from, to);
            } else {
              const expected = cells.hits(addr, end);
              const met = expected.covered + expected.oneSide + expected.split;
              expect(map.in(addr, end).length).toBe(met);
              if (kind === "unmap") {
                expect(map.unmap(addr, end, hits)).toBe(met);
                cells.unmap(addr, end);
              } else {
                map.map({ addr, end, kind, object, offset }, hits);
                cells.map(addr, end, object, offset);
                lastEnd = end;
              }
              expect(hits).toEqual(expected);
            }
            const pieces = cells.pieces();
            expect(map.intervals.map((i) => [i.addr, i.end, i.object, i.offset])).toEqual(pieces);
            expect(map.size).toBe(pieces.length);
            expect(map.withoutObject).toBe(pieces.filter(([, , of]) => of === 0).length);
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it("is the same in typed arrays", () => {
    const one = fc.record({
      kind: fc.constantFrom("map", "map", "follow", "unmap", "unmap at", "remove"),
      addr: fc.integer({ min: 0, max: 120 }),
      length: fc.oneof(
        { weight: 4, arbitrary: fc.integer({ min: 1, max: 6 }) },
        fc.integer({ min: 0, max: 90 }),
      ),
      object: fc.integer({ min: 0, max: 3 }),
      offset: fc.integer({ min: 0, max: 100 }),
    });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 80 }), fc.constantFrom(2, 3, 8, 256), (operations, runMax) => {
        const map = new IntervalMap(cutInterval, runMax);
        const space = new PlainSpace(runMax);
        let lastEnd = 0;
        for (const { kind, addr: anywhere, length, object, offset } of operations) {
          const addr = kind === "follow" ? lastEnd : anywhere;
          const end = addr + length;
          const [hits, own] = [noHits(), noHits()];
          if (kind === "remove") {
            map.removeObject(object);
            space.removeObject(object);
          } else if (kind === "unmap at") {
            map.unmapAt(addr, object, hits);
            space.unmapAt(addr, object, own);
          } else if (kind === "unmap") {
            expect(space.unmap(addr, end, own)).toBe(map.unmap(addr, end, hits));
          } else {
            map.map({ addr, end, kind, object, offset }, hits);
            space.map(addr, end, kind, object, offset, own);
            lastEnd = end;
          }
          expect(own).toEqual(hits);
          expect(space.intervals).toEqual(map.intervals);
          const shown = space.cursor();
          for (const { addr, end, offset } of map.intervals) {
            expect(shown.next()).toBe(true);
            expect([shown.addr, shown.end, shown.offset]).toEqual([addr, end, offset]);
          }
          expect(shown.next()).toBe(false);
          expect([space.size, space.withoutObject]).toEqual([map.size, map.withoutObject]);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
