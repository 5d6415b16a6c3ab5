import { SPARSE_STRATEGIES } from "@vmbind/lab";
import { describe, expect, test } from "vitest";
import type { CutOperation } from "../src/engine/cut-mappings.ts";
import { engineInProcess } from "../src/engine/in-process.ts";
import type { TileAct } from "../src/engine/try-tiles.ts";

const engine = engineInProcess();
const names = SPARSE_STRATEGIES.map(({ name }) => name);

describe("tiles", () => {
  const acts: TileAct[] = [
    { does: "read", tile: 1 },
    { does: "write", tile: 1, word: 7 },
    { does: "bind", tile: 2 },
    { does: "write", tile: 2, word: 9 },
    { does: "read", tile: 2 },
  ];

  test.each(names)("%s: unbound tiles do not fault, a bound one keeps what was written", async (strategy) => {
    const { tiles, results } = await engine.ask("try-tiles", { strategy, sparse: true, tiles: 4, acts });
    expect(tiles.map(({ bound }) => bound)).toEqual([false, false, true, false]);
    expect(tiles[2]?.shows).toBe("memory");
    expect(results.filter(({ fault }) => fault !== null)).toEqual([]);
    expect(results[0]?.word).toBe(0);
    expect(results[4]?.word).toBe(9);
  });

  test("a plain range faults where nothing is bound, unless the VM has a scratch page", async () => {
    const shown = new Set<string>();
    for (const strategy of names) {
      const { tiles, results } = await engine.ask("try-tiles", { strategy, sparse: false, tiles: 4, acts });
      const faults = tiles[0]?.shows === "fault";
      shown.add(tiles[0]?.shows ?? "");
      expect(results[0]?.fault === null).toBe(!faults);
      expect(results[4]).toEqual({ word: 9, fault: null });
    }
    expect([...shown].sort()).toEqual(["fault", "nothing"]);
  });

  test("a tile that was unbound shows what the others show", async () => {
    for (const strategy of names) {
      const { tiles } = await engine.ask("try-tiles", {
        strategy,
        sparse: true,
        tiles: 3,
        acts: [
          { does: "bind", tile: 1 },
          { does: "unbind", tile: 1 },
        ],
      });
      expect(tiles[1]).toEqual(tiles[0]);
    }
  });
});

describe("split and merge", () => {
  const whole: CutOperation = { does: "map", first: 2, pages: 8, object: "A", offset: 0 };

  test("an unmap inside a mapping is one remap with two pieces, which show the bytes that they showed", async () => {
    const hole: CutOperation = { does: "unmap", first: 5, pages: 2, object: "", offset: 0 };
    const [, cut] = await engine.ask("cut-mappings", { pages: 16, operations: [whole, hole] });
    expect(cut?.steps.map(({ kind }) => kind)).toEqual(["remap"]);
    expect(cut?.steps[0]).toMatchObject({
      front: { first: 2, pages: 3, offset: 0 },
      behind: { first: 7, pages: 3, offset: 5 },
    });
    expect(cut?.steps[0]?.after).toEqual([cut?.steps[0]?.front, cut?.steps[0]?.behind]);
  });

  test("the same map again keeps the entries; two neighbours are never joined", async () => {
    const behind: CutOperation = { does: "map", first: 10, pages: 2, object: "A", offset: 8 };
    const results = await engine.ask("cut-mappings", { pages: 16, operations: [whole, whole, behind] });
    expect(results[1]?.steps.map(({ kind, keep }) => [kind, keep])).toEqual([
      ["unmap", true],
      ["map", false],
    ]);
    expect(results[2]?.steps.at(-1)?.after).toHaveLength(2);
  });

  test("what does not fit is refused with its errno, and nothing happens", async () => {
    const out: CutOperation = { ...whole, first: 12 };
    const results = await engine.ask("cut-mappings", { pages: 16, operations: [whole, out] });
    expect(results[1]).toMatchObject({ steps: [], refused: expect.stringMatching(/^EINVAL: ./) });
  });
});

test("a page a time costs an operation for every page, whatever the size", async () => {
  const bytes = 40_000_000;
  for (const strategy of names) {
    const cost = await engine.ask("count-creation", { strategy, bytes });
    expect(cost.bytes).toBeGreaterThanOrEqual(bytes);
    expect(cost.operations).toBeGreaterThan(0);
    expect(cost.leaves).toBeGreaterThan(0);
  }
  const all = await Promise.all(names.map((strategy) => engine.ask("count-creation", { strategy, bytes })));
  expect(Math.max(...all.map(({ operations }) => operations))).toBe(Math.ceil(bytes / 4096));
});

test("the books have every moment, and an invalidation count for each thing that was done", async () => {
  for (const strategy of names) {
    const books = await engine.ask("keep-books", { strategy, bytes: 4_000_000 });
    expect(books.moments.map(({ moment }) => moment)).toContain("destroyed");
    expect(books.invalidations.map(({ did }) => did)).toEqual(["create", "bind", "unbind", "destroy"]);
    expect(books.sparse.sparseVaBytes).toBeGreaterThan(0);
  }
});

describe("walks by hand", () => {
  test("every format of the drivers is there once, and each place ends as the models say", async () => {
    const formats = await engine.ask("walk-formats", undefined);
    expect(new Set(formats.map(({ format }) => format)).size).toBe(formats.length);
    expect(formats.length).toBeGreaterThanOrEqual(5);
    for (const { strategy, format } of formats) {
      const bound = await engine.ask("walk-by-hand", { strategy, place: "bound" });
      expect(bound).toMatchObject({ format, kind: "page" });
      expect(bound.pa % 4096).toBe(bound.va % 4096);
      expect(bound.entries.at(-1)?.kind).toBe("page");
      const unbound = await engine.ask("walk-by-hand", { strategy, place: "unbound" });
      expect(unbound.kind).not.toBe("fault");
      const outside = await engine.ask("walk-by-hand", { strategy, place: "outside" });
      expect(outside.kind).not.toBe("page");
    }
  });

  test("the numbers of the entries are the bits of the address that are said to pick them", async () => {
    for (const { strategy } of await engine.ask("walk-formats", undefined)) {
      const { va, entries } = await engine.ask("walk-by-hand", { strategy, place: "bound" });
      for (const { index, indexBits } of entries) {
        const [high = 0, low = 0] = indexBits.split(":").map(Number);
        expect(index).toBe(Number((BigInt(va) >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n)));
      }
    }
  });
});
