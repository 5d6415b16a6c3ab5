/**
 * Binds that wait: the VA space changes with the ioctl, what the GPU sees with the job (`xe_vm.c`, `xe_pt.c`, `xe_migrate.c`, Linux
 * 7.3-rc7).
 */
import { DRM_IOCTL_GEM_CLOSE, EBUSY, ENOBUFS, Fence } from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import * as xe from "../src/index.ts";
import { bindBehind, bindQueue, check, FAULT_MODE, gate, PAT, pageOf, seen } from "./gates.ts";
import {
  bind,
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
