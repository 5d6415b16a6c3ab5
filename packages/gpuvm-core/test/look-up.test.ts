import { GemObjects } from "@vmbind/drm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Gpuvm } from "../src/index.ts";
import { compareSum } from "../src/u64-sum.ts";

const U64 = 2n ** 64n;
const PAGE = 0x1000;

const big = (n: number): bigint => BigInt(n);
const wrapped = (n: bigint): bigint => ((n % U64) + U64) % U64;

interface Mapping {
  start: bigint;
  last: bigint;
}

/** The kernel's look-up in bigints: inclusive ends, every sum modulo 2^64. */
function naiveFirst(mappings: readonly Mapping[], addr: bigint, range: bigint): Mapping | undefined {
  const last = wrapped(addr + range - 1n);
  const first = mappings.find((m) => m.last >= addr);
  return first !== undefined && first.start <= last ? first : undefined;
}

function naiveRange(mappings: readonly Mapping[], addr: bigint, range: bigint): Mapping[] {
  const first = naiveFirst(mappings, addr, range);
  if (first === undefined) return [];
  const end = wrapped(addr + range);
  const behind = mappings.slice(mappings.indexOf(first));
  const stop = behind.findIndex((m) => m.start >= end);
  return stop < 0 ? behind : behind.slice(0, stop);
}

/** Any double below 2^64, often close to a power of two or to the end. */
const u64 = fc
  .tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: -3, max: 3 }), fc.constantFrom(1, 2048, PAGE))
  .map(([bit, n, unit]) => Math.min(Math.max(0, 2 ** bit + n * unit), 2 ** 64 - 2048));
const high = fc.integer({ min: 1, max: 40 }).map((pages) => 2 ** 64 - pages * PAGE);
const number = fc.oneof(u64, high, fc.integer({ min: 0, max: 40 * PAGE }));

describe("sums of two u64", () => {
  it("are compared without rounding", () => {
    fc.assert(
      fc.property(number, number, fc.oneof(number, fc.constant(2 ** 64)), (a, b, c) => {
        const exact = big(a) + big(b) - big(c);
        expect(Math.sign(compareSum(a, b, c))).toBe(exact === 0n ? 0 : exact < 0n ? -1 : 1);
      }),
      { numRuns: 3000 },
    );
  });
});

describe("look-ups and checks", () => {
  const vmOf = (edges: readonly number[]): { vm: Gpuvm; mappings: Mapping[] } => {
    const vm = new Gpuvm({ range: 2 ** 64 - 2048, gems: new GemObjects(), nodeCapacity: 4 });
    const mappings: Mapping[] = [];
    const sorted = [...new Set(edges)].sort((a, b) => a - b);
    for (let i = 0; i + 1 < sorted.length; i += 2) {
      const [start, end] = [sorted[i] as number, sorted[i + 1] as number];
      if (start + (end - start) !== end || big(end - start) !== big(end) - big(start)) continue;
      expect(vm.insert(start, end - start, null, 0)).toBeGreaterThan(0);
      mappings.push({ start: big(start), last: big(end) - 1n });
    }
    return { vm, mappings };
  };
  const startOf = (m: Mapping | undefined): number | null => (m === undefined ? null : Number(m.start));

  it("find what the kernel's find, where the range passes 2^64 too", () => {
    fc.assert(
      fc.property(fc.array(number, { maxLength: 14 }), number, number, (edges, addr, range) => {
        const { vm, mappings } = vmOf(edges);
        const first = naiveFirst(mappings, big(addr), big(range));
        const found = vm.findFirst(addr, range);
        expect(found === 0 ? null : vm.addr(found)).toBe(startOf(first));
        expect(vm.intervalEmpty(addr, range)).toBe(first === undefined);
        const listed = vm.prefetchOps(addr, range).map((op) => op.kind === "prefetch" && vm.addr(op.va));
        expect(listed).toEqual(naiveRange(mappings, big(addr), big(range)).map(startOf));
      }),
      { numRuns: 3000 },
    );
  });

  it("find a mapping that holds both ends of a range that passes 2^64", () => {
    const { vm } = vmOf([PAGE, 2 ** 64 - 2 * PAGE]);
    const va = vm.findFirst(2 * PAGE, 2 ** 64 - 2048);
    expect(vm.addr(va)).toBe(PAGE);
    expect(vm.mappingsIn(2 * PAGE, 2 ** 64 - 2048)).toEqual([va]);
    expect(vm.findFirst(2 * PAGE, 2 ** 64 - PAGE)).toBe(0);
    // The last byte is 2^64 - 1; the wrapped end is 0.
    expect(vm.findFirst(2 * PAGE, 2 ** 64 - 2 * PAGE)).toBe(va);
    expect(vm.mappingsIn(2 * PAGE, 2 ** 64 - 2 * PAGE)).toEqual([]);
  });

  it("call a range valid when its exact end is inside", () => {
    const limit = big(2 ** 64 - 2 * PAGE);
    const kernel = { start: 2 ** 62, end: 2 ** 62 + PAGE };
    const vm = new Gpuvm({
      range: Number(limit),
      kernelStart: kernel.start,
      kernelRange: PAGE,
      gems: new GemObjects(),
    });
    fc.assert(
      fc.property(number, number, (addr, range) => {
        const end = big(addr) + big(range);
        const meetsKernel = addr < kernel.end && big(kernel.start) < end;
        expect(vm.rangeValid(addr, range)).toBe(end < U64 && end <= limit && !meetsKernel);
      }),
      { numRuns: 3000 },
    );
    expect(vm.rangeValid(Number(limit) - PAGE, PAGE + 1)).toBe(false);
    expect(vm.rangeValid(kernel.start - PAGE, PAGE + 1)).toBe(false);
  });

  it("refuse a request whose end no double holds, instead of mapping something else", () => {
    const { vm } = vmOf([2 ** 62, 2 ** 62 + PAGE]);
    const ignore = { map: () => 0, remap: () => 0, unmap: () => 0 };
    for (const [addr, range] of [
      [2 ** 62, 1],
      [1, 2 ** 62],
    ] as const) {
      const request = { addr, range, gem: null, offset: 0 };
      expect(() => vm.smUnmap(addr, range, ignore)).toThrow(RangeError);
      expect(() => vm.smMap(request, ignore)).toThrow(RangeError);
      expect(() => vm.madviseOps(request)).toThrow(RangeError);
      expect(() => vm.insert(addr, range, null, 0)).toThrow(RangeError);
    }
  });
});
