/** VRAM that is full: whom it takes from, and what that does to VMs (`ttm_bo.c`, `xe_bo.c`, `xe_vm.h`, Linux 7.3-rc7). */
import { EINVAL, ENOMEM, Fence, DRM_IOCTL_GEM_CLOSE as GEM_CLOSE, UserMemory } from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import { Random } from "../../../test/random.ts";
import * as xe from "../src/index.ts";
import {
  bind,
  type Fixture,
  fixture,
  GIB,
  MIB,
  map,
  mustBind,
  nul,
  type Op,
  prefetch,
  unmap,
} from "./support.ts";

const BOTH = xe.PLACEMENT_SYSTEM | xe.PLACEMENT_VRAM;
const LR = xe.VM_CREATE_FLAG_LR_MODE;
const FAULT_MODE = LR | xe.VM_CREATE_FLAG_FAULT_MODE;
const NO_OVERCOMMIT = FAULT_MODE | xe.VM_CREATE_FLAG_NO_VM_OVERCOMMIT;
const IMMEDIATE = xe.VM_BIND_FLAG_IMMEDIATE;
const DEFER = xe.GEM_CREATE_FLAG_DEFER_BACKING;
/** VRAM of the small card: room for three objects of 16 MiB, and page tables. */
const SMALL = 60 * MIB;
const SIZE = 16 * MIB;

const small = (flags = 0, options: Partial<xe.XeDeviceOptions> = {}, vramBytes = SMALL): Fixture =>
  fixture("bmg", { platform: { ...(xe.PLATFORMS.get("bmg") as xe.Platform), vramBytes }, ...options }, flags);

interface Wish {
  placement?: number;
  size?: number;
  flags?: number;
  vmId?: number;
}

/** GEM_CREATE: a handle, or a negative errno. */
function create(file: xe.XeFile, { placement = xe.PLACEMENT_VRAM, size = SIZE, ...rest }: Wish = {}): number {
  const arg = xe.GEM_CREATE.encode({ placement, size, cpuCaching: xe.GEM_CPU_CACHING_WC, ...rest });
  return file.ioctl(xe.IOCTL_GEM_CREATE, arg) || xe.GEM_CREATE.read(new DataView(arg.buffer)).handle;
}

const VA = (i: number): number => GIB + i * SIZE;
const mapped = (i: number, bo: number, flags = 0): Op => map(VA(i), SIZE, bo, 0, 0, flags);
const inVram = (f: Fixture): boolean[] => [...f.file.bos()].map(([, bo]) => bo.vram && bo.residentBytes > 0);
const check = (f: Fixture): void => xe.checkDeviceInvariants(f.device, [f.file]);

describe("objects that do not fit VRAM", () => {
  it("drive out those that came before them, up to what system memory takes", () => {
    const f = fixture("bmg");
    const made = Array.from({ length: 14 }, () => create(f.file, { size: GIB }));
    expect(made).toEqual(made.map((_, i) => i + 1));
    expect(inVram(f)).toEqual(made.map((_, i) => i >= 3));
    check(f);
  });

  it("live in system memory where they may, and are refused where not", () => {
    const f = small();
    expect(create(f.file)).toBe(1);
    expect(create(f.file, { placement: BOTH, size: 2 * SMALL })).toBe(2);
    expect(create(f.file, { size: 2 * SMALL })).toBe(-ENOMEM);
    expect(f.file.lastError?.reason).toMatch(/of VRAM/);
    // Nobody had to go for what could not be had.
    expect(inVram(f)).toEqual([true, false]);
    check(f);
  });

  it("are counted where they are", () => {
    const f = small();
    const used = (): number[] => {
      const bytes = new Uint8Array(8 + 2 * xe.MEM_REGION.size);
      const arg = xe.DEVICE_QUERY.encode({
        query: xe.DEVICE_QUERY_MEM_REGIONS,
        size: bytes.length,
        data: 0x1000,
      });
      const user = new UserMemory();
      user.place(0x1000, bytes);
      expect(f.file.ioctl(xe.IOCTL_DEVICE_QUERY, arg, user)).toBe(0);
      return [0, 1].map(
        (i) => xe.MEM_REGION.read(new DataView(bytes.buffer), 8 + i * xe.MEM_REGION.size).used,
      );
    };
    const [, tables = 0] = used();
    for (let i = 0; i < 5; i++) create(f.file);
    expect(used()).toEqual([2 * SIZE, 3 * SIZE + tables]);
  });

  it("give up contents that nobody needs, instead of moving them", () => {
    const f = small();
    const bos = [create(f.file), create(f.file), create(f.file)];
    mustBind(f.file, mapped(0, bos[0] as number));
    (f.file.bo(1) as xe.XeBo).dontNeed = true;
    expect(create(f.file)).toBe(4);
    expect([f.file.bo(1)?.purged, inVram(f)]).toEqual([true, [false, true, true, true]]);
    f.vm.makeResident();
    expect(f.vm.addressSpace.translate(VA(0)).kind).toBe("null");
    check(f);
  });

  it("stay where somebody uses them: a batch, an address", () => {
    const f = small();
    const batch = new Fence();
    for (let i = 0; i < 3; i++) mustBind(f.file, mapped(i, create(f.file)));
    f.vm.submitted(batch);
    expect(create(f.file)).toBe(-ENOMEM);
    batch.signal();
    (f.file.bo(1) as xe.XeBo).mapForCpu();
    expect(create(f.file)).toBe(4);
    expect(inVram(f)).toEqual([true, false, true, true]);
    expect(bind(f.file, [{ ...prefetch(VA(0), SIZE), prefetchMemRegionInstance: 0 }])).toBeLessThan(0);
    check(f);
  });
});

describe("an object that was evicted", () => {
  it("shows nowhere, and comes back with its contents when the VM is made resident", () => {
    const f = small();
    for (let i = 0; i < 3; i++) mustBind(f.file, mapped(i, create(f.file)), mapped(10 + i, i + 1));
    f.vm.addressSpace.store32(VA(0) + 4096, 77);
    create(f.file);
    check(f);
    for (const va of [VA(0), VA(10)]) expect(f.vm.addressSpace.translate(va).kind).toBe("fault");
    expect(inVram(f)).toEqual([false, true, true, true]);
    // The VM's own objects stay for each other; the one that it does not map goes.
    f.vm.makeResident();
    check(f);
    for (const va of [VA(0), VA(10)]) expect(f.vm.addressSpace.load32(va + 4096)).toBe(77);
    expect(inVram(f)).toEqual([true, true, true, false]);
  });

  it("comes back for a VM_BIND if it may live in both, where that costs nobody anything", () => {
    const f = small();
    for (let i = 0; i < 4; i++) create(f.file, { placement: BOTH });
    mustBind(f.file, mapped(0, 1), mapped(10, 1));
    expect(inVram(f)).toEqual([false, true, true, true]);
    f.vm.addressSpace.store32(VA(0) + 4096, 77);
    expect(f.file.ioctl(GEM_CLOSE, Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0))).toBe(0);
    mustBind(f.file, mapped(1, 2));
    expect(inVram(f)).toEqual([false, true, true]);
    mustBind(f.file, mapped(20, 1));
    expect(inVram(f)).toEqual([true, true, true]);
    for (const i of [0, 10, 20]) expect(f.vm.addressSpace.load32(VA(i) + 4096)).toBe(77);
    check(f);
    // PREFETCH takes it away; a CPU that has it mapped keeps it there.
    mustBind(f.file, { ...prefetch(VA(0), SIZE), prefetchMemRegionInstance: 0 });
    (f.file.bo(1) as xe.XeBo).mapForCpu();
    mustBind(f.file, mapped(21, 1));
    expect(inVram(f)).toEqual([false, true, true]);
    check(f);
  });

  it("comes back for a VM_BIND that maps it, in every VM", () => {
    const f = small();
    const second = xe.VM_CREATE.encode({});
    f.file.ioctl(xe.IOCTL_VM_CREATE, second);
    const bo = create(f.file);
    mustBind(f.file, mapped(0, bo));
    expect(bind(f.file, [mapped(5, bo)], { vmId: 2 })).toBe(0);
    f.vm.addressSpace.store32(VA(0), 5);
    for (let i = 0; i < 3; i++) create(f.file);
    expect(inVram(f)[0]).toBe(false);
    mustBind(f.file, mapped(1, bo));
    check(f);
    expect([f.vm.addressSpace.load32(VA(0)), f.vm.addressSpace.load32(VA(1))]).toEqual([5, 5]);
    expect(f.file.vm(2)?.addressSpace.load32(VA(5))).toBe(5);
    expect(inVram(f)).toEqual([true, false, true, true]);
  });

  it("is at home in system memory where it may be, and comes back for a batch if there is room", () => {
    const f = small();
    const bo = create(f.file, { placement: BOTH });
    mustBind(f.file, mapped(0, bo));
    f.vm.addressSpace.store32(VA(0), 9);
    const others = [create(f.file), create(f.file), create(f.file)];
    expect(inVram(f)[0]).toBe(false);
    f.vm.makeResident();
    expect([inVram(f)[0], f.vm.addressSpace.load32(VA(0))]).toEqual([false, 9]);
    check(f);
    mustBind(f.file, { ...prefetch(VA(0), SIZE), prefetchMemRegionInstance: 1 });
    create(f.file);
    expect(inVram(f)).toEqual([true, false, false, true, true]);
    create(f.file);
    create(f.file);
    expect(inVram(f)[0]).toBe(false);
    for (const handle of [others[2] as number, 5, 6, 7])
      f.file.ioctl(GEM_CLOSE, xe.GEM_CLOSE.encode({ handle }));
    f.vm.makeResident();
    expect([inVram(f)[0], f.vm.addressSpace.load32(VA(0))]).toEqual([true, 9]);
    check(f);
  });

  it("is not brought to system memory by PREFETCH, but to VRAM", () => {
    const f = small();
    const bo = create(f.file);
    mustBind(f.file, mapped(0, bo));
    for (let i = 0; i < 3; i++) create(f.file);
    const to = (region: number): Op => ({ ...prefetch(VA(0), SIZE), prefetchMemRegionInstance: region });
    expect(bind(f.file, [to(0)])).toBe(-EINVAL);
    mustBind(f.file, to(1));
    expect(inVram(f)[0]).toBe(true);
    expect(f.vm.addressSpace.translate(VA(0)).kind).toBe("page");
    check(f);
  });

  it("goes with its VM and its file", () => {
    const f = small();
    for (let i = 0; i < 5; i++) mustBind(f.file, mapped(i, create(f.file, { vmId: 1 })));
    f.file.ioctl(xe.IOCTL_VM_DESTROY, xe.VM_DESTROY.encode({ vmId: 1 }));
    check(f);
    f.file.close();
    xe.checkDeviceInvariants(f.device, []);
    expect([f.device.gems.size, f.device.counters.backingBytes, f.device.vram.usedBytes]).toEqual([0, 0, 0]);
  });
});

describe("more than VRAM bound in one VM", () => {
  /** Binds objects one by one: those that were made, and what the first refusal was about. */
  function overcommit(f: Fixture, wish: Wish, flags = 0, count = 6): string {
    for (let i = 0; i < count; i++) {
      const bo = create(f.file, wish);
      if (bo < 0) return `create ${i}: ${bo}`;
      const ret = bind(f.file, [mapped(i, bo, flags)]);
      check(f);
      if (ret < 0) return `bind ${i}: ${ret}`;
    }
    return "all bound";
  }

  it("is what EXEC refuses: each object may drive out the others", () => {
    for (const wish of [{ vmId: 1 }, { vmId: 1, flags: DEFER }, { flags: DEFER }, {}]) {
      const f = small();
      expect(overcommit(f, wish)).toBe("all bound");
      expect(() => f.vm.makeResident()).toThrow("ENOMEM");
      check(f);
      mustBind(f.file, unmap(GIB, 3 * SIZE));
      f.vm.makeResident();
      check(f);
    }
  });

  it("is refused by VM_BIND in a long-running VM, which keeps what it has", () => {
    for (const wish of [{ vmId: 1, flags: DEFER }, { flags: DEFER }, {}]) {
      const f = small(LR);
      expect(overcommit(f, wish)).toBe(`bind 3: ${-ENOMEM}`);
      expect(f.vm.gpuvm.count).toBe(3);
      expect(f.file.lastError?.reason).toMatch(/of VRAM/);
    }
  });

  it("is refused there until what is mapped fits again, for which objects go that are not", () => {
    const f = small(LR);
    for (let i = 0; i < 3; i++) mustBind(f.file, mapped(i, create(f.file, { vmId: 1 })));
    f.vm.addressSpace.store32(VA(0), 3);
    expect(bind(f.file, [mapped(3, create(f.file, { vmId: 1 }))])).toBe(-ENOMEM);
    expect(inVram(f)).toEqual([false, true, true, true]);
    mustBind(f.file, nul(8 * GIB, GIB));
    check(f);
    expect([inVram(f), f.vm.addressSpace.load32(VA(0))]).toEqual([[true, true, true, false], 3]);
  });

  it("is no matter in fault mode, where faults bring in what is touched", () => {
    for (const flags of [0, IMMEDIATE]) {
      const f = small(FAULT_MODE);
      expect(overcommit(f, { vmId: 1 }, flags)).toBe("all bound");
      for (const round of [1, 2]) {
        for (let i = 0; i < 6; i++) {
          if (f.vm.addressSpace.translate(VA(i)).kind === "fault") f.vm.fault(VA(i), { write: true });
          if (round === 1) f.vm.addressSpace.store32(VA(i), 100 + i);
          else expect(f.vm.addressSpace.load32(VA(i))).toBe(100 + i);
          check(f);
        }
      }
    }
  });

  it("is refused with NO_VM_OVERCOMMIT by a VM_BIND that gives objects their memory, and by no fault", () => {
    for (const wish of [{ vmId: 1, flags: DEFER }, { flags: DEFER }]) {
      expect(overcommit(small(NO_OVERCOMMIT), wish, IMMEDIATE)).toBe(`bind 3: ${-ENOMEM}`);
    }
    const f = small(NO_OVERCOMMIT);
    expect(overcommit(f, { flags: DEFER })).toBe("all bound");
    for (let i = 0; i < 6; i++) f.vm.fault(VA(i));
    expect(inVram(f)).toEqual([false, false, false, true, true, true]);
    check(f);
  });

  it("is refused in one array, of which no operation takes another's memory", () => {
    const f = small();
    const bos = [0, 1, 2, 3].map(() => create(f.file, { flags: DEFER, vmId: 1 }));
    expect(
      bind(
        f.file,
        bos.map((bo, i) => mapped(i, bo)),
      ),
    ).toBe(-ENOMEM);
    expect(f.vm.gpuvm.count).toBe(0);
    check(f);
    for (const [i, bo] of bos.entries()) mustBind(f.file, mapped(i, bo));
    check(f);
  });
});

describe("page tables", () => {
  it("drive out objects that their VM does not map, and no others", () => {
    const f = small(0, {}, 2 * SIZE + 64 * 4096);
    const second = xe.VM_CREATE.encode({});
    f.file.ioctl(xe.IOCTL_VM_CREATE, second);
    const bos = [create(f.file), create(f.file)];
    mustBind(f.file, mapped(0, bos[0] as number));
    expect(bind(f.file, [mapped(0, bos[1] as number)], { vmId: 2 })).toBe(0);
    // A table for each: 100 tables of 4 KiB.
    const scattered = Array.from({ length: 100 }, (_, i) => nul(8 * GIB + i * 4 * MIB, 4096));
    for (const op of scattered) mustBind(f.file, op);
    check(f);
    expect(inVram(f)).toEqual([true, false]);
    const many = Array.from({ length: 5000 }, (_, i) => nul(600 * GIB + i * 4 * MIB, 4096));
    expect(bind(f.file, many)).toBe(-ENOMEM);
    expect(inVram(f)[0]).toBe(true);
    check(f);
  });
});

describe("a card that is too small", () => {
  it.each([
    ["with VMs that are fenced", 0],
    ["with long-running VMs", LR],
    ["with VMs in fault mode", FAULT_MODE],
    ["with VMs that do not overcommit", NO_OVERCOMMIT],
  ])("keeps all contents, %s", (_, flags) => {
    for (let seed = 1; seed <= 5; seed++) {
      const { below } = new Random(seed);
      const f = small(flags, { tlb: { entries: 4 } });
      f.file.ioctl(xe.IOCTL_VM_CREATE, xe.VM_CREATE.encode({ flags }));
      /** The word that each object begins with, and where each VM shows which object. */
      const words = new Map<number, number>();
      const shown = [new Map<number, number>(), new Map<number, number>()];
      for (let step = 0; step < 120; step++) {
        const vmId = 1 + below(2);
        const vm = f.file.vm(vmId) as xe.XeVm;
        const views = shown[vmId - 1] as Map<number, number>;
        const handles = [...words.keys()];
        const handle = handles[below(handles.length || 1)];
        const what = below(10);
        if (what < 3 && words.size < 8) {
          const placement = below(3) === 0 ? BOTH : xe.PLACEMENT_VRAM;
          const made = create(f.file, { placement, flags: below(2), size: (1 + below(4)) * 4 * MIB });
          if (made > 0) words.set(made, 0);
          else expect(made).toBe(-ENOMEM);
        } else if (what === 3 && handle !== undefined) {
          f.file.ioctl(GEM_CLOSE, xe.GEM_CLOSE.encode({ handle }));
          words.delete(handle);
          for (const seen of shown) for (const [va, bo] of seen) if (bo === handle) seen.set(va, -1);
        } else if (what < 7 && handle !== undefined) {
          const va = VA(below(6));
          const bo = f.file.bo(handle) as xe.XeBo;
          const op = map(va, bo.size, handle, 0, 0, below(2) * IMMEDIATE);
          const ret = bind(f.file, [unmap(va, SIZE), op], { vmId });
          if (ret === 0) views.set(va, handle);
          else expect(ret).toBe(-ENOMEM);
        } else {
          let resident = true;
          try {
            vm.makeResident();
          } catch {
            resident = false;
          }
          for (const [va, bo] of resident ? views : []) {
            if (vm.faultMode && vm.addressSpace.translate(va).kind === "fault") {
              try {
                vm.fault(va, { write: true });
              } catch {
                continue;
              }
            }
            if (bo < 0) continue;
            expect(vm.addressSpace.load32(va)).toBe(words.get(bo));
            vm.addressSpace.store32(va, step);
            words.set(bo, step);
          }
        }
        check(f);
        expect(f.device.vram.usedBytes).toBeLessThanOrEqual(SMALL);
      }
      f.file.close();
      xe.checkDeviceInvariants(f.device, []);
      expect(f.device.counters.backingBytes).toBe(0);
    }
  });
});
