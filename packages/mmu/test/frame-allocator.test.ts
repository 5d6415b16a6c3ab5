/** Frames for objects: how they are spread, given back, and cleared. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Fragmentation,
  type FrameOptions,
  OutOfFrames,
  PhysicalMemory,
  ScatterList,
} from "../src/index.ts";

const MIB = 0x10_0000;

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

function read(memory: PhysicalMemory, pa: number, count: number): number[] {
  const into = new Uint8Array(count).fill(0xaa);
  memory.read(pa, into);
  return [...into];
}

describe("frame allocation", () => {
  const frames = (options: FrameOptions = {}) => new PhysicalMemory({ frames: options });

  test.each([
    [0x1000, 0x1000],
    [0x1_0000, 0x1_0000],
    [2 * MIB, 2 * MIB],
    [1500 * MIB, 1024 * MIB],
  ])("a contiguous run of %i bytes is aligned to %i", (size, align) => {
    const memory = frames();
    memory.frames.alloc(0x1000);
    const list = memory.frames.alloc(size, "contiguous");
    expect(list.count).toBe(1);
    expect((list.pa[0] as number) % align).toBe(0);
  });

  test("half of a memory in which no run is left comes as the largest blocks that there are", () => {
    const GIB = 1024 * MIB;
    const { frames: allocator } = frames({ limit: 8 * GIB });
    const pieces = Array.from({ length: 2048 }, () => allocator.alloc(2 * MIB, "contiguous"));
    for (let i = 0; i < 2048; i += 2) allocator.free(pieces[i] as ScatterList);
    const list = allocator.alloc(2 * GIB, "contiguous");
    expect([list.totalBytes, list.count]).toEqual([2 * GIB, 1024]);
    expect(list.bytes.every((bytes) => bytes === 2 * MIB)).toBe(true);
    expect(() => allocator.alloc(4096, "contiguous")).toThrow(OutOfFrames);
  });

  test("several blocks are the largest aligned ones first, the lowest of a size first", () => {
    const { frames: allocator } = frames({ base: 0, limit: 16 * MIB });
    const [first, , third] = [MIB, MIB, 13 * MIB, MIB].map((bytes) => allocator.alloc(bytes));
    allocator.free(first as ScatterList);
    allocator.free(third as ScatterList);
    // Free: [0, 1) and [2, 15) MiB.
    const list = allocator.alloc(14 * MIB);
    const segments = Array.from(list.pa, (pa, i) => [pa / MIB, (list.bytes[i] as number) / MIB]);
    expect(segments).toEqual([
      [4, 8],
      [2, 2],
      [12, 2],
      [0, 1],
      [14, 1],
    ]);
  });

  test("contiguous memory is found as long as there is any, the same in every run, and all of it comes back", () => {
    const step = fc.record({ pages: fc.integer({ min: 1, max: 300 }), free: fc.nat(12) });
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 60 }),
        fc.constantFrom(4096, 16384),
        (steps, pageBytes) => {
          const limit = 1024 * pageBytes;
          const run = () => {
            const { frames: allocator } = frames({ base: 0, limit, pageBytes });
            // The naive model: one flag a page.
            const taken = new Uint8Array(1024);
            const live: ScatterList[] = [];
            const mark = (list: ScatterList, value: number) => {
              list.pa.forEach((pa, i) => {
                const first = pa / pageBytes;
                const range = taken.subarray(first, first + (list.bytes[i] as number) / pageBytes);
                expect(range.every((flag) => flag !== value)).toBe(true);
                range.fill(value);
              });
            };
            const trace: unknown[] = [];
            for (const { pages, free } of steps) {
              const victim = live[free];
              if (victim !== undefined) {
                allocator.free(victim);
                mark(victim, 0);
                live.splice(free, 1);
              }
              const left = taken.filter((flag) => flag === 0).length;
              if (pages > left) {
                expect(() => allocator.alloc(pages * pageBytes)).toThrow(OutOfFrames);
                continue;
              }
              const list = allocator.alloc(pages * pageBytes);
              expect(list.totalBytes).toBe(pages * pageBytes);
              mark(list, 1);
              live.push(list);
              trace.push([...list.pa], [...list.bytes]);
            }
            for (const list of live) allocator.free(list);
            expect(allocator.alloc(limit).count).toBe(1);
            return trace;
          };
          expect(run()).toEqual(run());
        },
      ),
      { numRuns: 150 },
    );
  });

  test("huge pages are 2 MiB, aligned, not adjacent, and end in one shorter run", () => {
    const list = frames().frames.alloc(100e6, "huge");
    expect(list.count).toBe(48);
    expect([...list.bytes.subarray(0, 47)].every((length) => length === 2 * MIB)).toBe(true);
    expect(list.bytes[47]).toBe(Math.ceil(100e6 / 4096) * 4096 - 47 * 2 * MIB);
    expect([...list.pa].every((pa) => pa % (2 * MIB) === 0)).toBe(true);
    for (let i = 1; i < 47; i++) {
      expect(Math.abs((list.pa[i] as number) - (list.pa[i - 1] as number))).toBeGreaterThan(2 * MIB);
    }
  });

  test.each([4096, 16384])("scattered pages of %i bytes are never adjacent to the next", (pageBytes) => {
    const list = frames({ pageBytes }).frames.alloc(8 * MIB, "scattered");
    expect(list.count).toBe((8 * MIB) / pageBytes);
    for (let i = 1; i < list.count; i++) {
      expect(Math.abs((list.pa[i] as number) - (list.pa[i - 1] as number))).toBeGreaterThan(pageBytes);
    }
  });

  test("freed memory is zero when it is used again", () => {
    for (const kind of ["contiguous", "huge", "scattered"] as const) {
      const memory = frames();
      const first = memory.frames.alloc(3 * MIB, kind);
      for (const pa of first.pa) memory.write(pa, bytes(1));
      memory.frames.free(first);
      expect(memory.residentBytes).toBe(0);
      const second = memory.frames.alloc(3 * MIB, kind);
      expect([...second.pa]).toEqual([...first.pa]);
      for (const pa of second.pa) expect(read(memory, pa, 1)).toEqual([0]);
      expect(memory.counters).toMatchObject({ backingBytes: 3 * MIB, backingPeakBytes: 3 * MIB });
    }
  });

  test("a double free, and a foreign list, are errors", () => {
    const { frames: allocator } = frames();
    const list = allocator.alloc(4096);
    allocator.free(list);
    expect(() => allocator.free(list)).toThrow("double free");
    expect(() => allocator.free(ScatterList.of([{ pa: 0, bytes: 4096 }]))).toThrow("not allocated");
  });

  test("the output address size is a limit", () => {
    for (const kind of ["contiguous", "huge", "scattered"] as const) {
      const memory = frames({ base: 0, limit: 256 * MIB, fragmentation: kind });
      const list = memory.frames.alloc(100 * MIB);
      expect(list.pa.every((pa) => pa < 256 * MIB)).toBe(true);
      expect(() => memory.frames.alloc(200 * MIB)).toThrow(OutOfFrames);
      memory.frames.free(list);
      expect(() => memory.frames.alloc(100 * MIB)).not.toThrow();
    }
  });

  test("a request too large takes nothing", () => {
    const memory = frames({ base: 0, limit: 256 * MIB });
    for (const kind of ["huge", "scattered", "contiguous"] as const) {
      for (const size of [255 * MIB + 1, 2 ** 50]) {
        expect(() => memory.frames.alloc(size + 4 * MIB, kind), kind).toThrow(OutOfFrames);
      }
    }
    expect(memory.counters.backingBytes).toBe(0);
    expect(memory.frames.alloc(256 * MIB, "contiguous").pa[0]).toBe(0);
  });

  test("huge pages are given back when there is no room for the rest", () => {
    const memory = frames({ base: 0, limit: 64 * MIB + 4096 });
    expect(() => memory.frames.alloc(2 * MIB + 8192, "huge")).toThrow(OutOfFrames);
    expect(memory.counters.backingBytes).toBe(0);
    expect(memory.frames.alloc(29 * 2 * MIB, "huge").count).toBe(29);
  });

  test("options that describe no memory are refused", () => {
    expect(() => frames({ pageBytes: 8192 })).toThrow("frames.pageBytes");
    expect(() => frames({ base: 4096 })).toThrow("2 MiB-aligned base");
    expect(() => frames({ base: 4 * MIB, limit: 4 * MIB })).toThrow("below limit");
    expect(() => frames().frames.alloc(0)).toThrow("size above 0");
    expect(() => new ScatterList(Float64Array.of(0), Float64Array.of())).toThrow("1 addresses, 0 lengths");
  });

  test("a request that fails for want of whole groups takes none", () => {
    const memory = frames({ base: 0, limit: 12 * MIB });
    const pieces = Array.from({ length: 8 }, () => memory.frames.alloc(MIB, "contiguous"));
    for (const i of [0, 2, 4, 6]) memory.frames.free(pieces[i] as ScatterList);
    // 8 MiB are free, but only one group of 4 MiB in one piece.
    expect(() => memory.frames.alloc(5 * MIB, "scattered")).toThrow(OutOfFrames);
    expect(memory.frames.alloc(4 * MIB, "contiguous").pa[0]).toBe(8 * MIB);
  });

  test("freed runs grow together again, in whatever order they are freed", () => {
    const order = fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 });
    fc.assert(
      fc.property(order, (indices) => {
        const memory = frames({ base: 0, limit: 8 * MIB });
        const pieces = indices.map(() => memory.frames.alloc(MIB, "contiguous"));
        expect(() => memory.frames.alloc(4096)).toThrow(OutOfFrames);
        for (const i of indices) memory.frames.free(pieces[i] as ScatterList);
        expect(memory.frames.alloc(8 * MIB, "contiguous").totalBytes).toBe(8 * MIB);
      }),
      { numRuns: 50 },
    );
  });

  test("a run lies at the lowest aligned address that has room, whatever was asked for and freed before", () => {
    const pages = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(1, 4, 16, 512, 513, 700));
    const step = fc.record({ pages, free: fc.option(fc.nat(30), { nil: null }) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 120 }), (steps) => {
        const base = 2 ** 32;
        const { frames } = new PhysicalMemory({ frames: { base, limit: base + 2 ** 30 } });
        const live: { start: number; end: number; list: ScatterList }[] = [];
        for (const { pages: count, free } of steps) {
          const [victim] = free === null ? [] : live.splice(free, 1);
          if (victim !== undefined) frames.free(victim.list);
          const size = count * 4096;
          const align = size >= 2 * MIB ? 2 * MIB : size >= 0x1_0000 ? 0x1_0000 : 4096;
          let lowest = base;
          for (const { start, end } of live) {
            if (lowest + size <= start) break;
            lowest = Math.ceil(end / align) * align;
          }
          const list = frames.alloc(size);
          expect([...list.pa]).toEqual([lowest]);
          live.push({ start: lowest, end: lowest + size, list });
          live.sort((a, b) => a.start - b.start);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("no two live allocations overlap, nor meet the page tables", () => {
    const kind = fc.constantFrom<Fragmentation>("contiguous", "huge", "scattered");
    const step = fc.record({ kind, pages: fc.integer({ min: 1, max: 1500 }), free: fc.nat(9) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const tableBase = 0x400_0000;
        const memory = new PhysicalMemory({
          tableBase,
          tableLimitBytes: 512 * 4096,
          frames: { base: 0, limit: 0x2000_0000 },
        });
        const live: ScatterList[] = [];
        for (const { kind, pages, free } of steps) {
          const victim = live[free];
          if (victim !== undefined) {
            memory.frames.free(victim);
            live.splice(free, 1);
          }
          live.push(memory.frames.alloc(pages * 4096, kind));
        }
        const segments = live.flatMap((list) =>
          Array.from(list.pa, (pa, i) => ({ pa, bytes: list.bytes[i] as number })),
        );
        segments.push({ pa: tableBase, bytes: memory.tables.end - tableBase });
        segments.sort((a, b) => a.pa - b.pa);
        segments.reduce((before, segment) => {
          expect(segment.pa).toBeGreaterThanOrEqual(before.pa + before.bytes);
          return segment;
        });
        const total = live.reduce((sum, list) => sum + list.totalBytes, 0);
        expect(memory.counters.backingBytes).toBe(total);
      }),
      { numRuns: 40 },
    );
  });

  test("memory that nobody has is not to be touched where it is poisoned", () => {
    const memory = new PhysicalMemory({ poison: true });
    const list = memory.frames.alloc(MIB);
    const pa = list.pa[0] as number;
    memory.write(pa, bytes(1, 2));
    expect(read(memory, pa, 3)).toEqual([1, 2, 0]);
    expect(() => read(memory, pa + MIB - 1, 2)).toThrow("freed-frame: data memory at 0x100100000 is read");
    memory.frames.free(list);
    expect(() => read(memory, pa, 1)).toThrow("is read, and is nobody's");
    expect(() => memory.write(pa, bytes(1))).toThrow("is written, and is nobody's");
    // Outside the window of the frames memory is somebody else's.
    expect(read(memory, 0x1000, 1)).toEqual([0]);
    expect(memory.frames.alloc(MIB).pa[0]).toBe(pa);
    expect(read(memory, pa, 2)).toEqual([0, 0]);
  });
});
