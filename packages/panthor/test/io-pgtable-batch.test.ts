import { EEXIST } from "@vmbind/drm";
import { directories, IOMMU_READ, leaves, lpae4k, lpaeLeafHi, lpaeLeafLo, PhysicalMemory } from "@vmbind/mmu";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BLOCK_2M, PAGE_BYTES, panthorCounters } from "../src/index.ts";
import { IoPgtableBatch } from "../src/internals.ts";

const VA = 0x40000000;
const PA = 0x1_0000_0000;
const LO = [lpaeLeafLo(3, IOMMU_READ), lpaeLeafLo(2, IOMMU_READ)] as const;
const HI = lpaeLeafHi(IOMMU_READ);

function table(coherent: boolean) {
  const counters = panthorCounters();
  const memory = new PhysicalMemory({ counters });
  const io = new IoPgtableBatch(memory, counters, 48, 40, coherent);
  io.reserved = 64;
  const state = () => ({
    counters: { ...counters },
    leaves: [...leaves(memory, lpae4k(48), io.rootAddress)].map(({ va, level, entry }) => [va, level, entry]),
    tables: [...directories(memory, lpae4k(48), io.rootAddress)].length,
  });
  return { io, counters, state };
}

/** Leaves that are there before: blocks and pages by 2 MiB chunk. */
const before = fc.array(fc.record({ chunk: fc.nat(5), page: fc.option(fc.nat(511), { nil: null }) }), {
  maxLength: 6,
});

function prepare(io: IoPgtableBatch, there: { chunk: number; page: number | null }[]): void {
  for (const { chunk, page } of there) {
    const va = VA + chunk * BLOCK_2M;
    if (page === null) io.mapBlocks(va, PA, 1, LO[1], HI);
    else io.mapLeaves(va + page * PAGE_BYTES, PA, 1, LO[0], HI);
  }
}

describe("runs of calls", () => {
  it("write and count what the single calls do: one page over and over", () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        before,
        fc.nat(3000),
        fc.integer({ min: 1, max: 1200 }),
        (coherent, there, page, calls) => {
          const [run, single] = [table(coherent), table(coherent)];
          for (const { io } of [run, single]) prepare(io, there);
          const start = VA + page * PAGE_BYTES;
          let done = 0;
          let ret = 0;
          while (done < calls && ret >= 0) {
            ret = run.io.mapSamePage(start + done * PAGE_BYTES, PA, calls - done, LO[0], HI);
            if (ret > 0) done += ret;
          }
          let alone = 0;
          let last = 0;
          while (alone < calls && last === 0) {
            last = single.io.mapLeaves(start + alone * PAGE_BYTES, PA, 1, LO[0], HI);
            if (last === 0) alone++;
          }
          expect([done, Math.min(ret, 0)]).toEqual([alone, last]);
          expect(run.state()).toEqual(single.state());
        },
      ),
      { numRuns: 60 },
    );
  });

  it("write and count what the single calls do: one block over and over", () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        before,
        fc.nat(6),
        fc.integer({ min: 1, max: 8 }),
        (coherent, there, chunk, calls) => {
          const [run, single] = [table(coherent), table(coherent)];
          for (const { io } of [run, single]) prepare(io, there);
          const start = VA + chunk * BLOCK_2M;
          const n = run.io.mapSameBlock(start, PA, calls, LO[1], HI);
          for (let i = 0; i < n; i++) single.io.mapBlocks(start + i * BLOCK_2M, PA, 1, LO[1], HI);
          // A run that finds the first entry taken leaves the call to the general way, which makes the tables on its way.
          if (n > 0) expect(run.state()).toEqual(single.state());
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("a 4 KiB call that meets a block", () => {
  it("cleans the level-2 entry once before EEXIST, where the walker does not snoop", () => {
    for (const coherent of [true, false]) {
      for (const call of ["single", "many pages", "same page"] as const) {
        const { io, counters } = table(coherent);
        io.mapBlocks(VA, PA, 1, LO[1], HI);
        const { cacheCleans, cacheCleanBytes, kernelWarnings } = { ...counters };
        const at = VA + 0x5000;
        const ret =
          call === "same page"
            ? io.mapSamePage(at, PA, 40, LO[0], HI)
            : io.mapLeaves(at, PA, call === "single" ? 1 : 40, LO[0], HI);
        expect(ret).toBe(-EEXIST);
        expect([
          counters.cacheCleans - cacheCleans,
          counters.cacheCleanBytes - cacheCleanBytes,
          counters.kernelWarnings - kernelWarnings,
        ]).toEqual(coherent ? [0, 0, 1] : [1, 8, 1]);
      }
    }
  });

  it("leaves the entries of a table alone that a page is in the way of", () => {
    const { io, counters } = table(false);
    io.mapLeaves(VA, PA, 1, LO[0], HI);
    const { cacheCleans } = { ...counters };
    expect(io.mapLeaves(VA, PA, 1, LO[0], HI)).toBe(-EEXIST);
    expect(counters.cacheCleans).toBe(cacheCleans);
  });
});
