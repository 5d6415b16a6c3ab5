/** A VM_BIND that repeats one MAP, and one that unmaps them all, leave what as many single steps leave. */
import { EINVAL, UserMemory } from "@vmbind/drm";
import { leaves, ScatterList } from "@vmbind/mmu";
import type { TraceIoctl } from "@vmbind/trace";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BLOCK_2M,
  checkDeviceInvariants,
  IOCTL_VM_BIND,
  MAP_READONLY,
  OP_UNMAP,
  PAGE_BYTES,
  type PanthorBo,
  PanthorDevice,
  VM_BIND,
  VM_BIND_ASYNC,
  VM_BIND_OP,
  VM_BIND_OP_REPEAT,
} from "../src/index.ts";
import { lens } from "../src/trace.ts";
import { map } from "./operations.ts";
import { bind, createBo, type DeviceOptions, type Fixture, openWithVm, type TestOp } from "./support.ts";

/** Two chunks of 2 MiB before the end of a level-2 table, so that runs go from table to table at both levels. */
const BASE = 2 ** 30 - 2 * BLOCK_2M;

interface Piece {
  what: "page" | "block" | "unmap" | "other page" | "refused";
  chunk: number;
  page: number;
  count: number;
  gap: boolean;
}

const piece: fc.Arbitrary<Piece> = fc.record({
  what: fc.constantFrom("page", "page", "page", "block", "unmap", "other page", "refused"),
  chunk: fc.nat(3),
  page: fc.oneof(fc.constantFrom(0, 500, 510, 511), fc.nat(511)),
  count: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(600)),
  gap: fc.boolean(),
});

/** What happens to a device: a VM_BIND, or the shrinker takes an object, or a submit brings all of them back. */
type Event =
  | { what: "bind"; pieces: Piece[]; async: boolean }
  | { what: "evict"; object: number }
  | { what: "submit" };

const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      what: fc.constant("bind" as const),
      pieces: fc.array(piece, { maxLength: 4 }),
      async: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("evict" as const), object: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.constant({ what: "submit" as const }) },
);

/** Let it happen: what came of it. */
function happens(event: Event, { fx, objects }: ReturnType<typeof device>): unknown {
  if (event.what === "bind") {
    const ops = event.pieces.flatMap((one) => operations(one, objects));
    return bind(fx, ops, { async: event.async });
  }
  if (event.what === "evict")
    return fx.device.evict(fx.file.bo(objects[event.object] as number) as PanthorBo);
  try {
    return fx.vm.validate();
  } catch (error) {
    return String(error);
  }
}

/** Every so many allocations one fails, in the one device as in the other. */
function failing(every: number): DeviceOptions {
  let asked = 0;
  return { allocFault: () => ++asked % every === 0 };
}

/** The operations of a piece: pages that follow one another, with a hole in them or not. */
function operations({ what, chunk, page, count, gap }: Piece, [small, huge]: readonly number[]): TestOp[] {
  const size = what === "block" ? BLOCK_2M : PAGE_BYTES;
  const va = BASE + chunk * BLOCK_2M + (what === "block" ? 0 : page * PAGE_BYTES);
  if (what === "unmap") return [{ flags: OP_UNMAP, va, size: count * PAGE_BYTES }];
  const ops = Array.from({ length: what === "block" ? Math.min(count, 4) : count }, (_, i) => {
    const hole = gap && i > count / 2 ? size : 0;
    return map(what === "block" ? (huge as number) : (small as number), { va: va + i * size + hole, size });
  });
  if (what === "other page") for (const op of ops) Object.assign(op, { boOffset: PAGE_BYTES });
  // Beyond the object's end: the array ends here.
  if (what === "refused") Object.assign(ops.at(-1) as TestOp, { boOffset: 4 * PAGE_BYTES });
  return ops;
}

/** All that can be seen of a device with one VM, in which everything holds. */
function state(fx: Fixture) {
  checkDeviceInvariants(fx.device, [fx.file]);
  fx.vm.gpuvm.tree.validate();
  return seen(fx);
}

/** All that can be seen of a device with one VM. */
function seen({ device, vm }: Fixture) {
  const { memory, format, root } = vm.addressSpace;
  return {
    counters: { ...device.counters },
    mappings: [...vm.mappings()].map(({ gem, ...mapping }) => ({ ...mapping, gem: gem?.id })),
    handles: vm.gpuvm.mappings(),
    leaves: [...leaves(memory, format, root)].map(({ va, level, entry }) => [va, level, entry]),
    refs: vm.gpuvm.refs,
    pairs: [...vm.gpuvm.vmBos()].map((pair) => [pair.refs, pair.vaCount, pair.gem.refs, [...pair.vas()]]),
  };
}

/** A device whose runs are carried out at once, or one by one: while somebody looks on. */
function device(options: DeviceOptions, looksOn: boolean) {
  const made = new PanthorDevice(options);
  const fx: Fixture = { device: made, ...openWithVm(made) };
  const locks: number[] = [];
  fx.vm.as.onLock = (lockaddr) => void locks.push(lockaddr);
  if (looksOn) fx.vm.gpuvm.observe(() => {});
  const objects = [
    createBo(fx.file, 4 * PAGE_BYTES, fx.vmId),
    createBo(fx.file, 2 * BLOCK_2M, 0),
    createBo(fx.file, 2 * BLOCK_2M, fx.vmId),
  ];
  return { fx, locks, objects };
}

describe("a run of equal MAPs", () => {
  it.each<[string, DeviceOptions]>([
    ["", { boFragmentation: "huge" }],
    [" on a GPU that does not snoop", { boFragmentation: "huge", coherent: false }],
    [", with objects in scattered pages", { boFragmentation: "scattered" }],
    [" of a VM without an AS slot", { activeAs: false }],
    [" of 56 bytes each", { driverVersion: "1.8", repeat: "v5" }],
  ])("leaves what single ones leave%s", (_, options) => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 6 }), (events) => {
        const [run, single] = [device(options, false), device(options, true)];
        for (const one of events) expect(happens(one, run)).toEqual(happens(one, single));
        expect(state(run.fx)).toEqual(state(single.fx));
        expect(run.locks).toEqual(single.locks);
      }),
      { numRuns: 12 },
    );
  });

  it("leaves what single ones leave where allocations fail", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 6 }), fc.integer({ min: 12, max: 3000 }), (events, every) => {
        const [run, single] = [device(failing(every), false), device(failing(every), true)];
        for (const one of events) expect(happens(one, run)).toEqual(happens(one, single));
        expect(state(run.fx)).toEqual(state(single.fx));
        expect(run.locks).toEqual(single.locks);
      }),
      { numRuns: 12 },
    );
  });

  it("of an object whose physical memory is too short, or lies too high, maps what single ones map", () => {
    const lists = [[PAGE_BYTES], [2 * PAGE_BYTES + 512], [512, 4 * PAGE_BYTES]].flatMap((bytes) =>
      [2 ** 30, 2 ** 36, 2 ** 40 - PAGE_BYTES].map((pa) =>
        ScatterList.of(bytes.map((n, i) => ({ pa: pa + i * 2 ** 24, bytes: n }))),
      ),
    );
    for (const list of lists) {
      const shown = [false, true].map((looksOn) => {
        const { fx, locks } = device({ paBits: 36 }, looksOn);
        const handle = fx.file.createBo(4 * PAGE_BYTES, { pages: list });
        const results = [0, 1, 2].map((page) => {
          const [boOffset, va] = [page * PAGE_BYTES, BASE + page * BLOCK_2M];
          return bind(
            fx,
            Array.from({ length: 5 }, (_, i) => map(handle, { va: va + i * PAGE_BYTES, boOffset })),
          );
        });
        return { results, locks, state: seen(fx) };
      });
      expect(shown[0]).toEqual(shown[1]);
    }
  });

  it("ends where the table memory would not suffice for the next", () => {
    const ops = (handle: number) =>
      Array.from({ length: 600 }, (_, i) => map(handle, { va: BASE + i * PAGE_BYTES }));
    for (let tables = 1; tables < 12; tables++) {
      const options: DeviceOptions = { memory: { tableLimitBytes: tables * PAGE_BYTES } };
      const [run, single] = [device(options, false), device(options, true)];
      const results = [run, single].map(({ fx, objects }) => bind(fx, ops(objects[0] as number)));
      expect(results[0]).toEqual(results[1]);
      expect(state(run.fx)).toEqual(state(single.fx));
    }
  });

  it.each<[string, DeviceOptions, TestOp]>([
    ["syncs", {}, { syncs: [{}] }],
    ["a window", { driverVersion: "1.8", repeat: "v5" }, { boRepeatRange: PAGE_BYTES }],
    ["no known flags", {}, { flags: 0x10 }],
    ["an offset beyond 2^32", {}, { boOffset: 2 ** 32 }],
    ["a size beyond 2^32", {}, { size: 2 ** 32 + PAGE_BYTES }],
  ])("stops in front of an operation with %s, which is refused", (_, options, odd) => {
    const { fx, objects } = device(options, false);
    const ops = [{}, {}, {}, odd, {}];
    const { ret, count } = bind(
      fx,
      ops.map((op, i) => map(objects[0] as number, { va: BASE + i * PAGE_BYTES, ...op })),
    );
    expect([ret, count, fx.vm.gpuvm.count]).toEqual([-EINVAL, 3, 3]);
  });

  it("is not one where flags, object or offset differ in the middle", () => {
    const { fx, objects } = device({}, false);
    const [handle = 0, other = 0] = objects;
    const ops = [{}, {}, { flags: MAP_READONLY }, {}, { boOffset: PAGE_BYTES }, { boHandle: other }, {}];
    bind(
      fx,
      ops.map((op, i) => map(handle, { va: BASE + i * PAGE_BYTES, ...op })),
    );
    const shown = [...fx.vm.mappings()].map(({ bo, offset, flags }) => [bo, offset, flags & MAP_READONLY]);
    expect(shown).toEqual([
      [handle, 0, 0],
      [handle, 0, 0],
      [handle, 0, MAP_READONLY],
      [handle, 0, 0],
      [handle, PAGE_BYTES, 0],
      [other, 0, 0],
      [handle, 0, 0],
    ]);
  });
});

/** VM_BINDs that follow one another: so many pages in each, the first of them somewhere in the chunks, and one that is odd. */
interface Calls {
  before: Event[];
  page: number;
  count: number;
  calls: number;
  async: boolean;
  odd: { index: number; op: TestOp } | null;
}

const calls: fc.Arbitrary<Calls> = fc.record({
  before: fc.array(event, { maxLength: 2 }),
  page: fc.oneof(fc.constantFrom(0, 16, 500), fc.nat(600)),
  count: fc.oneof(fc.constant(16), fc.integer({ min: 1, max: 20 })),
  calls: fc.integer({ min: 1, max: 70 }),
  async: fc.integer({ min: 0, max: 7 }).map((n) => n === 0),
  odd: fc.option(
    fc.record({
      index: fc.oneof(fc.nat(20), fc.nat(1000)),
      op: fc.constantFrom<TestOp>(
        { boOffset: PAGE_BYTES },
        { size: 0 },
        { boHandle: 77 },
        { flags: OP_UNMAP },
      ),
    }),
  ),
});

/** Issue them, as many at once as the driver does, or each by itself: what each returned, and those that were done at once. */
function issue(
  { page, count, calls: n, async, odd }: Calls,
  made: ReturnType<typeof device>,
  atOnce: boolean,
) {
  const { file, vmId } = made.fx;
  const layout = file.device.repeats ? VM_BIND_OP_REPEAT : VM_BIND_OP;
  const stride = layout.size;
  const bytes = new Uint8Array(n * count * stride);
  for (let i = 0; i < n * count; i++) {
    const va = BASE + (page + i) * PAGE_BYTES;
    const { syncs: _, ...op } = map(made.objects[0] as number, { va, ...(i === odd?.index ? odd.op : {}) });
    bytes.set(layout.encode(op), i * stride);
  }
  const argIn = VM_BIND.encode({
    vmId,
    flags: async ? VM_BIND_ASYNC : 0,
    ops: { stride, count, array: 0x700000000000 },
  });
  const first = { request: IOCTL_VM_BIND, argIn } as TraceIoctl;
  const returned: number[] = [];
  let together = 0;
  while (returned.length < n) {
    const rest = bytes.subarray(returned.length * count * stride);
    const done = atOnce ? (lens.issueRun?.(file, first, rest, n - returned.length) ?? 0) : 0;
    if (done > 0) {
      together += done;
      returned.push(...new Array<number>(done).fill(0));
    } else {
      const user = new UserMemory();
      user.place(0x700000000000, rest.subarray(0, count * stride));
      returned.push(file.ioctl(IOCTL_VM_BIND, argIn.slice(), user));
    }
  }
  return { returned, together };
}

describe("a run of VM_BINDs", () => {
  it.each<[string, DeviceOptions]>([
    ["", { boFragmentation: "huge" }],
    [", with objects in scattered pages", { boFragmentation: "scattered" }],
    [" of a VM without an AS slot", { activeAs: false }],
    [" with operations of 56 bytes", { driverVersion: "1.8", repeat: "v5" }],
  ])("leaves what single ones leave%s", (_, options) => {
    let together = 0;
    fc.assert(
      fc.property(calls, (one) => {
        const [run, single] = [device(options, false), device(options, false)];
        for (const made of [run, single]) for (const each of one.before) happens(each, made);
        const done = issue(one, run, true);
        expect(done.returned).toEqual(issue(one, single, false).returned);
        expect(run.fx.file.lastError?.reason).toBe(single.fx.file.lastError?.reason);
        expect(state(run.fx)).toEqual(state(single.fx));
        expect(run.locks).toEqual(single.locks);
        together += done.together;
      }),
      { numRuns: 25 },
    );
    expect(together).toBeGreaterThan(0);
  });

  it("carries out all calls that the table has room for at once", () => {
    const made = device({ boFragmentation: "huge" }, false);
    const one: Calls = { before: [], page: 0, count: 16, calls: 64, async: false, odd: null };
    // The first call of each of two tables makes it.
    expect(issue(one, made, true).together).toBe(62);
  });
});
