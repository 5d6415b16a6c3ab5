import { EBUSY, EINVAL } from "@vmbind/drm";
import { GpuFault, ScatterList } from "@vmbind/mmu";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  DEV_QUERY,
  DEV_QUERY_ARG,
  GPU_INFO,
  IOCTL_DEV_QUERY,
  MAP_NOEXEC,
  MAP_SPARSE,
  OP_UNMAP,
  PanthorDevice,
  type PanthorVm,
  panthorCounters,
} from "../src/index.ts";
import { AsSlots, type SlotOwner } from "../src/internals.ts";
import {
  bind,
  costSince,
  createBo,
  destroyVm,
  type Fixture,
  fixture,
  mustBind,
  openWithVm,
} from "./support.ts";

const VA = 0x40000000;
const sparse = { flags: MAP_NOEXEC | MAP_SPARSE, va: VA, size: 0x1000 };
const THREE_SLOTS = { asPresent: 0xf };

function vms(device: PanthorDevice, count: number): PanthorVm[] {
  return Array.from({ length: count }, () => openWithVm(device).vm);
}

describe("AS slots", () => {
  it("go to the lowest free number above the firmware's", () => {
    const device = new PanthorDevice(THREE_SLOTS);
    const [a, b, c] = vms(device, 3);
    expect([a, b, c].map((vm) => vm?.as.slot)).toEqual([1, 2, 3]);
    const files = fixture(THREE_SLOTS);
    const second = openWithVm(files.device);
    const third = openWithVm(files.device);
    destroyVm(second.file, second.vmId);
    expect(openWithVm(files.device).vm.as.slot).toBe(2);
    expect([files.vm.as.slot, third.vm.as.slot, files.device.counters.asSteals]).toEqual([1, 3, 0]);
  });

  it("are kept while a VM is idle, and taken from the one longest idle", () => {
    const device = new PanthorDevice(THREE_SLOTS);
    const [a, b, c] = vms(device, 3) as [PanthorVm, PanthorVm, PanthorVm];
    a.activate();
    a.idle();
    // Idle since longest: b.
    const [d] = vms(device, 1) as [PanthorVm];
    expect([a, b, c, d].map((vm) => vm.as.slot)).toEqual([1, 0, 3, 2]);
    b.activate();
    expect([a, b, c, d].map((vm) => vm.as.slot)).toEqual([1, 3, 0, 2]);
    expect(device.counters.asSteals).toBe(2);
  });

  it("are not taken from VMs that run; activation counts", () => {
    const device = new PanthorDevice(THREE_SLOTS);
    const [a, b, c] = vms(device, 3) as [PanthorVm, PanthorVm, PanthorVm];
    for (const vm of [a, b, c]) vm.activate();
    a.activate();
    a.idle();
    const { vm: late } = openWithVm(device);
    expect(late.as.slot).toBe(0);
    expect(() => late.activate()).toThrow(expect.objectContaining({ errno: EBUSY }));
    expect(() => late.addressSpace.load32(VA)).toThrow(expect.objectContaining({ errno: EBUSY }));
    a.idle();
    late.activate();
    expect([a.as.slot, late.as.slot]).toEqual([0, 1]);
  });

  it("are as many as GPU_INFO says", () => {
    for (const asPresent of [0x3, 0xff, 0xffff]) {
      const { file, device } = fixture({ asPresent });
      const out = new Uint8Array(GPU_INFO.size);
      const arg = DEV_QUERY_ARG.encode({ type: DEV_QUERY.gpuInfo, size: out.length, pointer: 0x1000 });
      const user = {
        view: () => new DataView(out.buffer),
        write: (_at: number, bytes: Uint8Array) => out.set(bytes),
      };
      expect(file.ioctl(IOCTL_DEV_QUERY, arg, user)).toBe(0);
      expect(GPU_INFO.read(new DataView(out.buffer)).asPresent).toBe(asPresent);
      expect(2 ** device.asSlots.count - 1).toBe(asPresent);
    }
    for (const asPresent of [0, 1, 5, 0x1_0000_0000, 2.5]) {
      expect(() => new PanthorDevice({ asPresent })).toThrow(RangeError);
    }
  });

  it("show in the TLB: a VM that loses its own has no translation left, and its operations need no command", () => {
    const fx = fixture({ asPresent: 3 });
    mustBind(fx, [sparse]);
    fx.vm.addressSpace.store32(VA, 7);
    expect([...fx.device.tlb.remembered(1)]).toHaveLength(1);
    const before = { ...fx.device.counters };
    const other = openWithVm(fx.device);
    expect(costSince(fx.device, before)).toMatchObject({
      asSteals: 1,
      asFlush: 1,
      asUnlock: 0,
      tlbInvalidations: 1,
    });
    expect([...fx.device.tlb.remembered(1)]).toEqual([]);
    // The other VM has the number now. What the first one does is not seen there.
    mustBind(other, [sparse]);
    other.vm.addressSpace.store32(VA, 9);
    const unlocked = { ...fx.device.counters };
    mustBind(fx, [{ flags: OP_UNMAP, va: VA, size: 0x1000 }]);
    expect(costSince(fx.device, unlocked)).toMatchObject({
      asLock: 0,
      asFlush: 0,
      asUnlock: 0,
      tlbInvalidations: 0,
    });
    expect(other.vm.addressSpace.load32(VA)).toBe(9);
    expect(() => fx.vm.addressSpace.load32(VA)).toThrow(GpuFault);
    expect([fx.vm.as.slot, other.vm.as.slot]).toEqual([1, 0]);
  });

  it("unlock what is locked when they change hands", () => {
    const fx = fixture({ asPresent: 3 });
    fx.vm.as.lock(VA, 0x1000);
    const before = { ...fx.device.counters };
    openWithVm(fx.device);
    expect(costSince(fx.device, before)).toMatchObject({ asFlush: 1, asUnlock: 1 });
  });

  it("come with the first access where a device gives none from the start", () => {
    const fx = fixture({ activeAs: false });
    mustBind(fx, [sparse]);
    expect([fx.vm.as.slot, fx.device.counters.asLock]).toEqual([0, 0]);
    fx.vm.addressSpace.load32(VA);
    expect(fx.vm.as.slot).toBe(1);
    mustBind(fx, [sparse]);
    expect(fx.device.counters.asLock).toBe(1);
  });

  it("obey a naive model", () => {
    const command = fc.record({
      vm: fc.nat(5),
      what: fc.constantFrom("activate", "idle", "visit", "release"),
    });
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 5 }), fc.array(command, { maxLength: 60 }), (count, commands) => {
        const slots = new AsSlots(panthorCounters(), 2 ** count - 1);
        const owners = Array.from({ length: 6 }, () => new Owner());
        // The model: slot and groups of each VM, and when it became idle.
        const model = owners.map(() => ({ slot: 0, groups: 0, since: -1 }));
        const take = (i: number): boolean => {
          const vm = model[i] as (typeof model)[number];
          if (vm.slot !== 0) return true;
          const used = model.map(({ slot }) => slot);
          let slot = 1;
          while (slot < count && used.includes(slot)) slot++;
          if (slot === count) {
            const idle = model
              .filter((m) => m.slot !== 0 && m.groups === 0)
              .sort((a, b) => a.since - b.since);
            const victim = idle[0];
            if (victim === undefined) return false;
            slot = victim.slot;
            victim.slot = 0;
          }
          vm.slot = slot;
          return true;
        };
        commands.forEach(({ vm: i, what }, now) => {
          const [owner, vm] = [owners[i] as Owner, model[i] as (typeof model)[number]];
          let refused = false;
          try {
            if (what === "release") slots.release(owner);
            else slots[what](owner);
          } catch {
            refused = true;
          }
          if (what === "release") Object.assign(vm, { slot: 0, groups: 0 });
          else if (what === "idle") {
            if (vm.groups > 0 && --vm.groups === 0) vm.since = now;
          } else {
            expect(refused).toBe(!take(i));
            if (!refused && what === "activate") vm.groups++;
            if (!refused && what === "visit" && vm.groups === 0) vm.since = now;
          }
          expect(owners.map(({ slot }) => slot)).toEqual(model.map(({ slot }) => slot));
          owners.forEach((o) => {
            if (o.slot !== 0) expect(slots.owner(o.slot)).toBe(o);
          });
        });
      }),
    );
  });
});

class Owner implements SlotOwner {
  slot = 0;
  slotTaken(slot: number): void {
    this.slot = slot;
  }
  slotLost(): void {
    this.slot = 0;
  }
}

describe("a VM that has become unusable", () => {
  /** An object beyond the output addresses, so that mapping it fails. */
  const far = (fx: Fixture) =>
    fx.file.createBo(0x1000, { pages: ScatterList.of([{ pa: 2 ** 41, bytes: 0x1000 }]) });

  const ways: [string, (fx: Fixture, other: number) => void][] = [
    ["a failed map", (fx, bo) => bind(fx, [{ boHandle: bo, va: 2 * VA, size: 0x1000 }])],
    [
      "a failed asynchronous job",
      (fx, bo) => bind(fx, [{ boHandle: bo, va: 2 * VA, size: 0x1000 }], { async: true }),
    ],
    [
      "an asynchronous job that the VM manager refuses",
      (fx) => {
        const gate = fx.file.syncobjs.create();
        const fence = fx.file.syncobjs.attachFence(gate);
        mustBind(fx, [{ ...sparse, va: 2 * VA, syncs: [{ handle: gate }] }], { async: true });
        fx.vm.destroyed = true;
        fence.signal();
      },
    ],
    [
      "a short unmap",
      (fx) => {
        mustBind(fx, [{ ...sparse, va: 2 * VA }]);
        fx.vm.pageTable.io.unmapPages(2 * VA, 0x1000, 1);
        bind(fx, [{ flags: OP_UNMAP, va: 2 * VA, size: 0x1000 }]);
      },
    ],
    [
      "an eviction that finds less than was mapped",
      (fx) => {
        mustBind(fx, [{ ...sparse, va: 2 * VA }]);
        fx.vm.pageTable.io.unmapPages(2 * VA, 0x1000, 1);
        fx.device.evict(fx.file.dummy);
      },
    ],
    [
      "a restore that cannot map",
      (fx) => {
        mustBind(fx, [{ ...sparse, va: 2 * VA }]);
        fx.device.evict(fx.file.dummy);
        fx.vm.pageTable.io.reserved = 3;
        fx.vm.pageTable.io.mapPages(2 * VA, 0x100000000, 0x1000, 1, 3);
        expect(() => fx.vm.validate()).toThrow();
      },
    ],
  ];

  for (const [how, breakIt] of ways) {
    it(`faults from then on, whatever is still mapped: ${how}`, () => {
      const fx = fixture();
      const bo = createBo(fx.file, 0x1000);
      mustBind(fx, [{ boHandle: bo, va: VA, size: 0x1000 }]);
      const { addressSpace } = fx.vm;
      addressSpace.store32(VA, 5);
      expect(addressSpace.load32(VA)).toBe(5);
      breakIt(fx, far(fx));
      expect(fx.vm.unusable).toBe(true);
      // Entry and translation are there; nobody gets to them.
      expect(addressSpace.walk(VA).kind).toBe("page");
      for (const access of [
        () => addressSpace.load32(VA),
        () => addressSpace.store32(VA, 1),
        () => addressSpace.fetch(VA, 4),
      ]) {
        expect(access).toThrow(GpuFault);
      }
      expect(() => fx.vm.activate()).toThrow(expect.objectContaining({ errno: EINVAL }));
    });
  }

  it("keeps its slot, and its UNMAPs the AS commands, until another VM needs it", () => {
    const fx = fixture({ asPresent: 3 });
    const bo = createBo(fx.file, 0x1000);
    mustBind(fx, [{ boHandle: bo, va: VA, size: 0x1000 }]);
    bind(fx, [{ boHandle: far(fx), va: 2 * VA, size: 0x1000 }]);
    const before = { ...fx.device.counters };
    mustBind(fx, [{ flags: OP_UNMAP, va: VA, size: 0x1000 }]);
    expect(costSince(fx.device, before)).toMatchObject({ asLock: 1, asFlush: 1, asUnlock: 1 });
    const other = openWithVm(fx.device);
    expect([fx.vm.as.slot, other.vm.as.slot]).toEqual([0, 1]);
    expect(() => fx.vm.addressSpace.load32(VA)).toThrow(GpuFault);
    expect([fx.vm.as.slot, other.vm.as.slot]).toEqual([0, 1]);
  });

  it("leaves other VMs alone", () => {
    const fx = fixture();
    const other = openWithVm(fx.device);
    mustBind(other, [sparse]);
    bind(fx, [{ boHandle: far(fx), va: VA, size: 0x1000 }]);
    expect(other.vm.addressSpace.load32(VA)).toBe(0);
  });
});
