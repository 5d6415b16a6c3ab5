/** The contents of an object whose memory goes, against the bytes themselves. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { copyPages, DataPages, PhysicalMemory, SavedPages, ScatterList } from "../src/index.ts";

const PAGE = 4096;
const PAGES = 40;
/** New memory, clear of the old. */
const ELSEWHERE = 0x8000_0000;

/** An object of 40 pages in pieces, and bytes that are stored to it: some of them zeros. */
const drawn = fc.record({
  pieces: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 }),
  newPieces: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 }),
  stores: fc.array(fc.record({ at: fc.nat(PAGES * PAGE - 1), byte: fc.nat(3) }), { maxLength: 30 }),
  ownBacking: fc.boolean(),
});

/** Pieces of an object, the last first, with gaps between. */
function segments(base: number, pieces: readonly number[]): ScatterList {
  const lengths: number[] = [];
  for (let left = PAGES, i = 0; left > 0; i++) {
    const pages = Math.min(left, pieces[i % pieces.length] as number);
    lengths.push(pages);
    left -= pages;
  }
  return ScatterList.of(
    lengths.map((pages, i) => ({ pa: base + (lengths.length - i) * 32 * PAGE, bytes: pages * PAGE })),
  );
}

function bytesOf(memory: PhysicalMemory, list: ScatterList): Uint8Array {
  const all = new Uint8Array(list.totalBytes);
  for (let i = 0; i < list.count; i++) {
    const start = list.offset[i] as number;
    memory.read(list.pa[i] as number, all.subarray(start, start + (list.bytes[i] as number)));
  }
  return all;
}

/** Offset of the first byte that differs, or -1. */
function differs(is: Uint8Array, should: Uint8Array): number {
  return is.findIndex((byte, at) => byte !== should[at]);
}

describe("the contents of an object", () => {
  test("are the same in other memory, and after they were kept aside", () => {
    fc.assert(
      fc.property(drawn, ({ pieces, newPieces, stores, ownBacking }) => {
        const pages = new DataPages();
        // A backing of somebody else's does not say what was stored to.
        const { read, write, discard } = pages;
        const other = { read: read.bind(pages), write: write.bind(pages), discard: discard.bind(pages) };
        const memory = new PhysicalMemory({ backing: ownBacking ? pages : other });
        const from = segments(0x4000_0000, pieces);
        const expected = new Uint8Array(PAGES * PAGE);
        for (const { at, byte } of stores) {
          memory.write(from.addressAt(at), Uint8Array.of(byte));
          expected[at] = byte;
        }
        const to = segments(ELSEWHERE, newPieces);
        copyPages(memory, from, to);
        expect(differs(bytesOf(memory, to), expected)).toBe(-1);

        const saved = new SavedPages(memory, from);
        for (let i = 0; i < from.count; i++) memory.zero(from.pa[i] as number, from.bytes[i] as number);
        const back = segments(2 * ELSEWHERE, newPieces);
        saved.restore(memory, back);
        expect(differs(bytesOf(memory, back), expected)).toBe(-1);
      }),
      { numRuns: 60 },
    );
  });

  test("take no place where nothing was stored, or only zeros", () => {
    const memory = new PhysicalMemory();
    const size = 8 * 2 ** 30;
    const from = ScatterList.of([{ pa: 2 ** 40, bytes: size }]);
    const to = ScatterList.of([{ pa: 2 ** 41, bytes: size }]);
    memory.write(2 ** 40 + size - PAGE, Uint8Array.of(1));
    memory.write(2 ** 40 + PAGE, Uint8Array.of(0));
    const before = memory.residentBytes;
    copyPages(memory, from, to);
    expect(memory.residentBytes - before).toBe(PAGE);
    const last = new Uint8Array(1);
    memory.read(2 ** 41 + size - PAGE, last);
    expect(last[0]).toBe(1);
  });
});
