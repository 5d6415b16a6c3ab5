/**
 * Binds that wait: the VA space changes with the ioctl, what the GPU sees with the job (`xe_vm.c`, `xe_pt.c`, `xe_migrate.c`, Linux
 * 7.3-rc7).
 */
import { DRM_IOCTL_GEM_CLOSE, EBUSY, ENOBUFS, Fence, UserMemory } from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import { Random } from "../../../test/random.ts";
import * as xe from "../src/index.ts";
import {
  bind,
  type Fixture,
  fixture,
  GIB,
  KIB,
  MIB,
  map,
  mustBind,
  nul,
  type Op,
  prefetch,
  systemBo,
  unmap,
  unmapAll,
} from "./support.ts";

const SYNCS = 0x6000_0000;
const USER_FENCE = 0x9000;
const INSTANCES = 0x1000;
const FAULT_MODE = xe.VM_CREATE_FLAG_FAULT_MODE | xe.VM_CREATE_FLAG_LR_MODE;
const PAT = 1;

/** A syncobj with a fence that has not happened. */
function gate(f: Fixture): [handle: number, fence: Fence] {
  const fence = new Fence();
  const handle = f.file.syncobjs.create();
  f.file.syncobjs.get(handle)?.attach(0, fence);
  return [handle, fence];
}

interface Order {
  /** Syncobjs to wait for. */
  waits?: readonly number[];
  queue?: number;
  /** A user fence as well. */
  user?: Uint8Array;
}

/** A VM_BIND with syncs, which has to succeed unless it waits for an errno; gives its end. */
function bindBehind(
  f: Fixture,
  ops: readonly Op[],
  { waits = [], queue = 0, user }: Order = {},
): { ret: number; end: Fence } {
  const out = f.file.syncobjs.create();
  const syncs: Partial<xe.Sync>[] = waits.map((addr) => ({ addr }));
  if (!f.vm.longRunning) syncs.push({ addr: out, flags: xe.SYNC_FLAG_SIGNAL });
  if (user) syncs.push({ type: xe.SYNC_TYPE_USER_FENCE, flags: 1, addr: USER_FENCE, timelineValue: 5 });
  const bytes = new Uint8Array(syncs.length * xe.SYNC.size);
  syncs.forEach((sync, i) => {
    xe.SYNC.write(new DataView(bytes.buffer), i * xe.SYNC.size, sync);
  });
  const memory = new UserMemory();
  memory.place(SYNCS, bytes);
  if (user) memory.place(USER_FENCE, user);
  const head = { execQueueId: queue, numSyncs: syncs.length, syncs: SYNCS };
  const ret = bind(f.file, ops, head, memory);
  return { ret, end: f.file.syncobjs.get(out)?.find(0) ?? new Fence() };
}

function bindQueue(f: Fixture): number {
  const user = new UserMemory();
  user.place(INSTANCES, xe.ENGINE_CLASS_INSTANCE.encode({ engineClass: xe.ENGINE_CLASS_VM_BIND }));
  const arg = xe.EXEC_QUEUE_CREATE.encode({ width: 1, numPlacements: 1, vmId: 1, instances: INSTANCES });
  if (f.file.ioctl(xe.IOCTL_EXEC_QUEUE_CREATE, arg, user) !== 0) throw f.file.lastError;
  return xe.EXEC_QUEUE_CREATE.read(new DataView(arg.buffer)).execQueueId;
}

const seen = (f: Fixture, va: number): string => {
  const { kind, pa } = f.vm.addressSpace.translate(va);
  return kind === "page" ? `0x${pa.toString(16)}` : kind;
};
const pageOf = (f: Fixture, bo: number, offset: number): string =>
  `0x${f.file.bo(bo)?.pages?.addressAt(offset).toString(16)}`;
const check = (f: Fixture): void => xe.checkDeviceInvariants(f.device, [f.file]);

describe("a VM_BIND behind a fence that has not happened", () => {
  it("changes the VA space at once, and what the GPU sees when the fence happens", () => {
    const f = fixture("bmg");
    const bo = systemBo(f, 4 * MIB);
    const [waits, fence] = gate(f);
    const { ret, end } = bindBehind(f, [map(GIB, 4 * MIB, bo, 0, PAT)], { waits: [waits] });
    expect([ret, f.vm.gpuvm.count, seen(f, GIB), end.signaled]).toEqual([0, 1, "fault", false]);
    check(f);
    fence.signal();
    expect([seen(f, GIB + MIB), end.signaled]).toEqual([pageOf(f, bo, MIB), true]);
    check(f);
  });

  it("leaves what it takes away in the GPU's reach until then, memory and tables", () => {
    const f = fixture("bmg");
    const bo = systemBo(f, 64 * KIB);
    mustBind(f.file, map(GIB, 64 * KIB, bo, 0, PAT), nul(2 * GIB, GIB));
    f.vm.addressSpace.store32(GIB, 0xfeed);
    const { tablesLive, backingBytes } = f.device.counters;
    const [waits, fence] = gate(f);
    expect(
      bindBehind(f, [{ ...unmapAll(bo), patIndex: PAT }, unmap(2 * GIB, GIB)], { waits: [waits] }).ret,
    ).toBe(0);
    f.file.ioctl(DRM_IOCTL_GEM_CLOSE, xe.GEM_CLOSE.encode({ handle: bo }));
    check(f);
    expect([f.vm.gpuvm.count, f.vm.addressSpace.load32(GIB)]).toEqual([0, 0xfeed]);
    expect(seen(f, 2 * GIB)).toBe("null");
    expect(f.device.counters).toMatchObject({ tablesLive, backingBytes });
    fence.signal();
    check(f);
    expect([seen(f, GIB), seen(f, 2 * GIB)]).toEqual(["fault", "fault"]);
    expect(f.device.counters).toMatchObject({ tablesLive: 1, backingBytes: 0 });
  });

  it("comes behind the one before it in its queue, and before none of another", () => {
    const f = fixture("bmg");
    const queue = bindQueue(f);
    // In an empty VM all begin with the same entry of the root.
    mustBind(f.file, nul(0, MIB), nul(512 * GIB, MIB));
    const [waits, fence] = gate(f);
    const first = bindBehind(f, [nul(GIB, MIB)], { waits: [waits] }).end;
    const second = bindBehind(f, [nul(8 * GIB, MIB)]).end;
    const other = bindBehind(f, [nul(600 * GIB, MIB)], { queue }).end;
    expect([first, second, other].map(({ signaled }) => signaled)).toEqual([false, false, true]);
    expect([seen(f, GIB), seen(f, 8 * GIB), seen(f, 600 * GIB)]).toEqual(["fault", "fault", "null"]);
    check(f);
    fence.signal();
    expect([first.signaled, second.signaled, seen(f, 8 * GIB)]).toEqual([true, true, "null"]);
  });

  it("waits in another queue where their entries meet: in the table that the first one made, too", () => {
    const f = fixture("bmg");
    const [queue, third] = [bindQueue(f), bindQueue(f)];
    // Tables down to level 1 are there.
    mustBind(f.file, nul(GIB, 2 * MIB));
    const [waits, fence] = gate(f);
    // Makes a table of 4 KiB pages at GIB + 4 MiB: it writes the entry that points there.
    bindBehind(f, [nul(GIB + 4 * MIB, 4 * KIB)], { waits: [waits] });
    const beside = bindBehind(f, [nul(GIB + 6 * MIB - 4 * KIB, 4 * KIB)], { queue }).end;
    const apart = bindBehind(f, [nul(GIB + 6 * MIB, 4 * KIB)], { queue: third }).end;
    expect([beside.signaled, apart.signaled]).toEqual([false, true]);
    expect([seen(f, GIB + 6 * MIB - 4 * KIB), seen(f, GIB + 6 * MIB)]).toEqual(["fault", "null"]);
    check(f);
    fence.signal();
    expect([beside.signaled, seen(f, GIB + 6 * MIB - 4 * KIB)]).toEqual([true, "null"]);
    check(f);
  });

  it("waits for everything in the VM when it binds pieces again, and what maps then waits for it", () => {
    const f = fixture("bmg");
    const [one, two, three] = [bindQueue(f), bindQueue(f), bindQueue(f)];
    mustBind(f.file, nul(GIB, GIB));
    const [waits, fence] = gate(f);
    bindBehind(f, [nul(600 * GIB, MIB)], { waits: [waits] });
    const cut = bindBehind(f, [unmap(GIB, 4 * KIB)], { queue: one }).end;
    const maps = bindBehind(f, [nul(2 ** 40, MIB)], { queue: two }).end;
    const whole = bindBehind(f, [unmap(700 * GIB, MIB)], { queue: three }).end;
    expect([cut.signaled, maps.signaled, whole.signaled]).toEqual([false, false, true]);
    expect([seen(f, GIB), seen(f, 2 ** 40)]).toEqual(["null", "fault"]);
    check(f);
    fence.signal();
    expect([cut.signaled, maps.signaled, seen(f, GIB), seen(f, GIB + 4 * KIB)]).toEqual([
      true,
      true,
      "fault",
      "null",
    ]);
    check(f);
  });

  it("waits for batches of the VM when it binds pieces again, and for none else", () => {
    const f = fixture("bmg");
    mustBind(f.file, nul(GIB, GIB));
    const batch = new Fence();
    f.vm.submitted(batch);
    expect(bindBehind(f, [nul(4 * GIB, GIB)]).end.signaled).toBe(true);
    const cut = bindBehind(f, [unmap(GIB, 4 * KIB)]).end;
    expect([cut.signaled, f.vm.beforeBatch().length]).toEqual([false, 1]);
    batch.signal();
    expect([cut.signaled, f.vm.beforeBatch().length]).toEqual([true, 0]);
    check(f);
  });

  it("tells its end without operations, or without entries to write", () => {
    const f = fixture("bmg");
    const [waits, fence] = gate(f);
    const ends = [
      bindBehind(f, [], { waits: [waits] }).end,
      bindBehind(f, [unmap(GIB, MIB)], { waits: [waits] }).end,
    ];
    expect(ends.map(({ signaled }) => signaled)).toEqual([false, false]);
    bindBehind(f, [nul(GIB, MIB)], { waits: [waits] });
    ends.push(bindBehind(f, []).end);
    expect(ends[2]?.signaled).toBe(false);
    fence.signal();
    expect(ends.map(({ signaled }) => signaled)).toEqual([true, true, true]);
  });

  it("keeps a mapping with a user fence from going: EBUSY until it is written", () => {
    const f = fixture("bmg");
    const [waits, fence] = gate(f);
    const user = new Uint8Array(8);
    expect(bindBehind(f, [nul(GIB, GIB)], { waits: [waits], user }).ret).toBe(0);
    for (const op of [unmap(GIB, GIB), unmap(GIB, MIB), nul(GIB + MIB, MIB)]) {
      expect(bind(f.file, [op])).toBe(-EBUSY);
      expect(f.file.lastError?.reason).toMatch(/user fence of the mapping at 0x40000000/);
      check(f);
    }
    expect(user[0]).toBe(0);
    fence.signal();
    expect([user[0], bind(f.file, [unmap(GIB, MIB)])]).toEqual([5, 0]);
    check(f);
  });
});

describe("an array that has to wait", () => {
  const RANGE = 0x201000;
  const array = (bo: number, count: number): Op[] =>
    Array.from({ length: count }, (_, i) => map(GIB + i * RANGE, RANGE, bo, 0, PAT));

  it("fails with ENOBUFS where the batch for its entries outgrows its pool, and changes nothing", () => {
    const f = fixture("bmg");
    const bo = systemBo(f, RANGE);
    const [waits] = gate(f);
    const before = { ...f.device.counters };
    expect(bindBehind(f, array(bo, 1024), { waits: [waits] }).ret).toBe(-ENOBUFS);
    expect(f.file.lastError?.reason).toMatch(/split the array/);
    expect([f.vm.gpuvm.count, seen(f, GIB)]).toEqual([0, "fault"]);
    expect(f.device.counters.tablesLive).toBe(before.tablesLive);
    check(f);
    expect(bindBehind(f, array(bo, 128), { waits: [waits] }).ret).toBe(0);
    check(f);
  });

  it("has no limit where nothing is to be waited for: the CPU writes", () => {
    const f = fixture("bmg");
    expect(bindBehind(f, array(systemBo(f, RANGE), 1024)).ret).toBe(0);
    expect(f.vm.gpuvm.count).toBe(1024);
  });
});

describe("while binds wait", () => {
  it("a VM goes with all that they hold, and their fences still happen when they are due", () => {
    for (const how of ["vm", "file"]) {
      const f = fixture("bmg");
      const bo = systemBo(f, MIB);
      mustBind(f.file, map(GIB, MIB, bo, 0, PAT), nul(4 * GIB, GIB));
      const [waits, fence] = gate(f);
      const { end } = bindBehind(
        f,
        [{ ...unmapAll(bo), patIndex: PAT }, unmap(4 * GIB, GIB), map(0, MIB, bo, 0, PAT)],
        {
          waits: [waits],
        },
      );
      if (how === "vm") f.file.ioctl(xe.IOCTL_VM_DESTROY, xe.VM_DESTROY.encode({ vmId: 1 }));
      else f.file.close();
      xe.checkDeviceInvariants(f.device, how === "vm" ? [f.file] : []);
      expect([f.device.counters.tablesLive, f.device.counters.gpuvasLive]).toEqual([0, 0]);
      expect(f.device.gems.size).toBe(how === "vm" ? 2 : 0);
      expect(end.signaled).toBe(false);
      fence.signal();
      expect(end.signaled).toBe(true);
    }
  });

  it("MADVISE zaps behind them", () => {
    const f = fixture("bmg", {}, FAULT_MODE);
    const bo = systemBo(f, 2 * MIB);
    const op = map(GIB, 2 * MIB, bo, 0, PAT, xe.VM_BIND_FLAG_IMMEDIATE);
    const [waits, fence] = gate(f);
    bindBehind(f, [op], { waits: [waits] });
    const advice = { vmId: 1, start: GIB, range: 2 * MIB, type: xe.MEM_RANGE_ATTR_PAT, val: 2 };
    expect(f.file.ioctl(xe.IOCTL_MADVISE, xe.MADVISE.encode(advice))).toBe(0);
    check(f);
    fence.signal();
    check(f);
    expect(seen(f, GIB)).toBe("fault");
    f.vm.fault(GIB);
    expect(seen(f, GIB)).toBe(pageOf(f, bo, 0));
  });

  it("an object that PREFETCH moves shows nowhere until they are done, and its old memory stays", () => {
    const f = fixture("bmg");
    const placement = xe.PLACEMENT_SYSTEM | xe.PLACEMENT_VRAM;
    const bo = f.file.createBo(2 * MIB, { placement, cpuCaching: xe.GEM_CPU_CACHING_WC });
    const [waits, fence] = gate(f);
    mustBind(f.file, map(GIB, 2 * MIB, bo), map(4 * GIB, 2 * MIB, bo));
    f.vm.addressSpace.store32(GIB, 7);
    bindBehind(f, [map(8 * GIB, 2 * MIB, bo)], { waits: [waits] });
    expect(bindBehind(f, [prefetch(GIB, 2 * MIB)]).ret).toBe(0);
    check(f);
    expect([f.file.bo(bo)?.vram, f.device.vram.usedBytes > 2 * MIB]).toEqual([false, true]);
    for (const va of [GIB, 4 * GIB, 8 * GIB]) expect(seen(f, va)).toBe("fault");
    fence.signal();
    check(f);
    for (const va of [GIB, 4 * GIB, 8 * GIB]) expect(f.vm.addressSpace.load32(va)).toBe(7);
    expect(f.device.vram.usedBytes).toBeLessThan(2 * MIB);
  });

  it("an object that another VM's PREFETCH moves keeps its old memory for a mapping that is about to go", () => {
    const f = fixture("bmg");
    const placement = xe.PLACEMENT_SYSTEM | xe.PLACEMENT_VRAM;
    const bo = f.file.createBo(2 * MIB, { placement, cpuCaching: xe.GEM_CPU_CACHING_WC });
    const arg = xe.VM_CREATE.encode({});
    expect(f.file.ioctl(xe.IOCTL_VM_CREATE, arg)).toBe(0);
    const { vmId } = xe.VM_CREATE.read(new DataView(arg.buffer));
    const [waits, fence] = gate(f);
    mustBind(f.file, map(GIB, 2 * MIB, bo));
    f.vm.addressSpace.store32(GIB, 7);
    bindBehind(f, [unmap(GIB, 2 * MIB)], { waits: [waits] });
    expect(bind(f.file, [map(GIB, 2 * MIB, bo)], { vmId })).toBe(0);
    expect(bind(f.file, [prefetch(GIB, 2 * MIB)], { vmId })).toBe(0);
    expect([f.file.bo(bo)?.vram, f.vm.addressSpace.load32(GIB)]).toEqual([false, 7]);
    check(f);
    fence.signal();
    expect([seen(f, GIB), f.device.vram.usedBytes < 2 * MIB]).toEqual(["fault", true]);
    check(f);
  });

  it("an object that nobody needs is not purged", () => {
    const f = fixture("bmg");
    const bo = systemBo(f, MIB);
    mustBind(f.file, map(GIB, MIB, bo, 0, PAT));
    const object = f.file.bo(bo) as xe.XeBo;
    const [waits, fence] = gate(f);
    bindBehind(f, [nul(4 * GIB, GIB)], { waits: [waits] });
    object.dontNeed = true;
    expect(f.device.purge(object)).toBe(false);
    fence.signal();
    expect(f.device.purge(object)).toBe(true);
    check(f);
  });
});

/** What random ioctls in several queues behind several gates make of pages, told by the ends of their jobs alone. */
describe("random binds behind random gates", () => {
  const PAGES = 1536;
  const PAGE = 4 * KIB;
  const START = GIB - 512 * PAGE;
  const BO_PAGES = 600;

  it.each([
    ["bmg", 0],
    ["lnl", xe.VM_CREATE_FLAG_SCRATCH_PAGE],
    ["tgl", 0],
  ])("show what the finished ones say, on %s with flags %i", (platform, flags) => {
    for (let seed = 1; seed <= 4; seed++) {
      const { below } = new Random(seed);
      const f = fixture(platform, { tlb: { entries: 8 }, boFragmentation: "huge" }, flags);
      const empty = flags === 0 ? "fault" : "null";
      const queues = [0, bindQueue(f), bindQueue(f)];
      const bos = [systemBo(f, BO_PAGES * PAGE), systemBo(f, BO_PAGES * PAGE)];
      for (const bo of bos) f.file.bo(bo)?.populate();
      const gates: [number, Fence][] = [];
      const jobs: { end: Fence; gates: Fence[]; ops: (readonly [number, number, string[] | string])[] }[] =
        [];
      const look = (): void => {
        const pages = new Array<string>(PAGES).fill(empty);
        let blocked = false;
        for (const { end, gates: own, ops } of jobs) {
          blocked ||= own.some(({ signaled }) => !signaled);
          // With no closed gate up to here nothing can be in its way; behind a closed gate of its own it cannot be done.
          if (!blocked) expect(end.signaled).toBe(true);
          if (own.some(({ signaled }) => !signaled)) expect(end.signaled).toBe(false);
          if (!end.signaled) continue;
          for (const [first, count, shows] of ops) {
            for (let i = 0; i < count; i++) {
              pages[first + i] = typeof shows === "string" ? shows : (shows[i] as string);
            }
          }
        }
        const looked = [];
        for (let i = below(60); i < PAGES; i += 1 + below(60)) looked.push(i);
        expect(looked.map((i) => seen(f, START + i * PAGE))).toEqual(looked.map((i) => pages[i]));
        check(f);
      };
      for (let step = 0; step < 50; step++) {
        if (gates.length < 4 && below(3) === 0) gates.push(gate(f));
        else if (gates.length > 0 && below(4) === 0) {
          (gates.splice(below(gates.length), 1)[0] as [number, Fence])[1].signal();
        } else {
          const own = gates.filter(() => below(3) === 0);
          const ops: Op[] = [];
          const model: (readonly [number, number, string[] | string])[] = [];
          for (let left = 1 + below(3); left > 0; left--) {
            const first = below(PAGES - BO_PAGES);
            const count = 1 + below(below(2) === 0 ? 8 : BO_PAGES);
            const [addr, range] = [START + first * PAGE, count * PAGE];
            const kind = below(4);
            if (kind === 0) ops.push(unmap(addr, range));
            else if (kind === 1) ops.push(nul(addr, range));
            else {
              const bo = bos[kind - 2] as number;
              ops.push(map(addr, range, bo, 0, f.device.platform.patWb));
              model.push([first, count, Array.from({ length: count }, (_, i) => pageOf(f, bo, i * PAGE))]);
              continue;
            }
            model.push([first, count, kind === 0 ? empty : "null"]);
          }
          const queue = queues[below(3)] as number;
          const { ret, end } = bindBehind(f, ops, { queue, waits: own.map(([handle]) => handle) });
          expect([ret, f.file.lastError]).toEqual([0, null]);
          jobs.push({ end, gates: own.map(([, fence]) => fence), ops: model });
        }
        look();
      }
      for (const [, fence] of gates) fence.signal();
      look();
      f.file.close();
      xe.checkDeviceInvariants(f.device, []);
    }
  });
});
