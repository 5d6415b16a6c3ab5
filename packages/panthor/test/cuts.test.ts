/** A chunk of 2 MiB that is cut again and again: what is behind each cut stays where it is, as if it had been mapped anew. */
import { leaves } from "@vmbind/mmu";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BLOCK_2M,
  checkDeviceInvariants,
  OP_UNMAP,
  PAGE_BYTES,
  PageTable,
  PanthorDevice,
  type PanthorParts,
} from "../src/index.ts";
import { map, sparse } from "./operations.ts";
import { bind, createBo, type DeviceOptions, type Fixture, openWithVm, type TestOp } from "./support.ts";

const BASE = 2 ** 30 - 2 * BLOCK_2M;
const CHUNKS = 4;

/** Maps and unmaps as the driver's, but is not asked whether something can stay. */
class AnotherTable extends PageTable {}

interface Cut {
  what: "sparse" | "memory" | "blocks" | "unmap";
  chunk: number;
  page: number;
  pages: number;
}

const cut: fc.Arbitrary<Cut> = fc.record({
  what: fc.constantFrom("sparse", "memory", "memory", "blocks", "unmap"),
  chunk: fc.nat(CHUNKS - 1),
  page: fc.oneof(fc.constantFrom(0, 1, 510, 511), fc.nat(511)),
  pages: fc.oneof(fc.constantFrom(1, 16, 511, 512), fc.integer({ min: 1, max: 700 })),
});

function operation({ what, chunk, page, pages }: Cut, [small = 0, large = 0]: readonly number[]): TestOp {
  const va = BASE + chunk * BLOCK_2M + page * PAGE_BYTES;
  const size = pages * PAGE_BYTES;
  if (what === "sparse") return sparse({ va, size });
  if (what === "unmap") return { flags: OP_UNMAP, va, size };
  if (what === "blocks") return map(large, { va, size, boOffset: page * PAGE_BYTES });
  return map(small, { va, size: Math.min(size, 16 * PAGE_BYTES) });
}

/** Two whole mappings to be cut: one of the dummy, one of an object. */
function device(options: DeviceOptions, parts: Partial<PanthorParts>) {
  const made = new PanthorDevice({ driverVersion: "1.8", ...options }, parts);
  const fx: Fixture = { device: made, ...openWithVm(made) };
  const locks: number[] = [];
  fx.vm.as.onLock = (lockaddr) => void locks.push(lockaddr);
  const objects = [createBo(fx.file, 16 * PAGE_BYTES, fx.vmId), createBo(fx.file, 4 * BLOCK_2M, fx.vmId)];
  bind(fx, [
    sparse({ va: BASE, size: 2 * BLOCK_2M }),
    map(objects[1] as number, { va: BASE + 2 * BLOCK_2M, size: 2 * BLOCK_2M }),
  ]);
  return { fx, locks, objects };
}

/** All that can be seen of it. */
function state({ device: made, file, vm }: Fixture) {
  checkDeviceInvariants(made, [file]);
  const { memory, format, root } = vm.addressSpace;
  return {
    counters: { ...made.counters },
    mappings: [...vm.mappings()].map(({ gem, ...mapping }) => ({ ...mapping, gem: gem?.id })),
    leaves: [...leaves(memory, format, root)].map(({ va, level, entry }) => [va, level, entry]),
  };
}

describe("a chunk that is cut again and again", () => {
  it.each<[string, DeviceOptions]>([
    ["", { boFragmentation: "huge" }],
    [" on a GPU that does not snoop", { boFragmentation: "huge", coherent: false }],
    [" with memory in scattered pages", { boFragmentation: "scattered" }],
  ])("is as if it had been written anew each time%s", (_, options) => {
    fc.assert(
      fc.property(fc.array(cut, { minLength: 1, maxLength: 12 }), (cuts) => {
        const [kept, anew] = [device(options, {}), device(options, { PageTable: AnotherTable })];
        for (const one of cuts) {
          const results = [kept, anew].map(({ fx, objects }) => bind(fx, [operation(one, objects)]));
          expect(results[0]).toEqual(results[1]);
        }
        expect(state(kept.fx)).toEqual(state(anew.fx));
        expect(kept.locks).toEqual(anew.locks);
      }),
      { numRuns: 25 },
    );
  });

  it("writes no more than the cut, and counts what the driver writes", () => {
    const { fx, objects } = device({ boFragmentation: "huge" }, {});
    const small = objects[0] as number;
    const table = fx.vm.pageTable;
    const unmapInFront = table.unmapInFront.bind(table);
    const done: boolean[] = [];
    table.unmapInFront = (...cutAt) => {
      const is = unmapInFront(...cutAt);
      done.push(is);
      return is;
    };
    // The first cut breaks the block up, so there is nothing that could stay.
    bind(fx, [map(small, { va: BASE + PAGE_BYTES })]);
    const before = { ...fx.device.counters };
    bind(fx, [map(small, { va: BASE + 3 * PAGE_BYTES })]);
    expect(done).toEqual([true]);
    expect(fx.device.counters.pteClears - before.pteClears).toBe(512 - 3);
    expect(fx.device.counters.pteWrites - before.pteWrites).toBe(512 - 3);
    expect(fx.device.counters.ioMapCalls - before.ioMapCalls).toBe(2);
    checkDeviceInvariants(fx.device, [fx.file]);
  });
});
