/** Zero-length mappings, which the kernel does not refuse, may share their start with another mapping. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkGpuvm, GemObjects, Gpuvm, type StepHandlers } from "../src/index.ts";

function open(): { vm: Gpuvm; handlers: Required<StepHandlers> } {
  const vm = new Gpuvm({ gems: new GemObjects(), range: 2 ** 20, nodeCapacity: 4 });
  const handlers: Required<StepHandlers> = {
    map: (op) => Math.min(0, vm.map(op)),
    remap(op) {
      const { va } = op.unmap;
      vm.remap(op);
      vm.free(va);
      return 0;
    },
    unmap(op) {
      vm.unmap(op);
      vm.free(op.va);
      return 0;
    },
  };
  return { vm, handlers };
}

const map = ({ vm, handlers }: ReturnType<typeof open>, addr: number, range: number): number =>
  vm.smMap({ addr, range, gem: null, offset: 0 }, handlers);
const list = (vm: Gpuvm): number[][] => vm.mappings().map((va) => [vm.addr(va), vm.end(va)]);

describe("a zero-length mapping in front of a longer one", () => {
  it("keeps its place when the longer one is cut in two", () => {
    const t = open();
    for (const [addr, range] of [
      [0, 0x5b],
      [0x35, 0],
      [0x36, 1],
    ] as const)
      expect(map(t, addr, range)).toBe(0);
    checkGpuvm(t.vm);
    expect(list(t.vm)).toEqual([
      [0, 0x35],
      [0x35, 0x35],
      [0x35, 0x36],
      [0x36, 0x37],
      [0x37, 0x5b],
    ]);
  });

  it("keeps its place when the longer one loses its head, and is not met by what begins behind it", () => {
    const t = open();
    for (const [addr, range] of [
      [0, 0x10],
      [8, 0],
    ] as const)
      expect(map(t, addr, range)).toBe(0);
    expect(t.vm.smUnmap(9, 3, t.handlers)).toBe(0);
    checkGpuvm(t.vm);
    expect(list(t.vm)).toEqual([
      [0, 8],
      [8, 8],
      [8, 9],
      [0xc, 0x10],
    ]);
  });
});

it("any sequence of requests, empty ones among them, leaves a VM in which everything holds", () => {
  const request = fc.tuple(fc.boolean(), fc.nat(15), fc.nat(5));
  fc.assert(
    fc.property(fc.array(request, { maxLength: 30 }), (requests) => {
      const t = open();
      // What each page shows: the request that mapped it, or -1.
      const pages = new Int32Array(32).fill(-1);
      for (const [i, [isMap, addr, range]] of requests.entries()) {
        // The kernel cannot insert an empty mapping at 0 behind another one.
        if (addr === 0 && range === 0) continue;
        expect(isMap ? map(t, addr, range) : t.vm.smUnmap(addr, range, t.handlers)).toBe(0);
        pages.fill(isMap ? i : -1, addr, addr + range);
        checkGpuvm(t.vm);
        const mapped = list(t.vm).flatMap(([from, to]) =>
          Array.from({ length: (to as number) - (from as number) }, (_, k) => (from as number) + k),
        );
        expect(mapped).toEqual([...pages.keys()].filter((page) => pages[page] !== -1));
      }
    }),
    { numRuns: 400, seed: 5 },
  );
});
