/** GEM_CREATE, VM_CREATE and VM_DESTROY: what they take and refuse. */
import {
  E2BIG,
  EBUSY,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOENT,
  ENOMEM,
  ENOSPC,
  EOPNOTSUPP,
  UserMemory,
} from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import * as xe from "../src/index.ts";
import { fixture, GIB, map, mustBind, nul } from "./support.ts";

const view = (arg: Uint8Array): DataView => new DataView(arg.buffer);

/** Issue, and give the result with its reason. */
function call(file: xe.XeFile, request: number, arg: Uint8Array, user = new UserMemory()): [number, string] {
  return [file.ioctl(request, arg, user), file.lastError?.reason ?? ""];
}

describe("GEM_CREATE", () => {
  const ok: Partial<xe.GemCreate> = { size: 0x10000, placement: 1, cpuCaching: 1 };
  it.each<[string, string, Partial<xe.GemCreate>, number, RegExp]>([
    ["pad", "bmg", { pad: [0, 1, 0] }, -EINVAL, /pad/],
    ["no placement", "bmg", { placement: 0 }, -EINVAL, /placement/],
    ["VRAM that is not there", "lnl", { placement: 2, cpuCaching: 2 }, -EINVAL, /placement/],
    ["unknown flag", "bmg", { flags: 16 }, -EINVAL, /flags/],
    ["handle", "bmg", { handle: 3 }, -EINVAL, /handle/],
    ["size 0", "bmg", { size: 0 }, -EINVAL, /size/],
    ["odd size", "bmg", { size: 4097 }, -EINVAL, /4096/],
    ["NO_COMPRESSION before Xe2", "dg2", { flags: 8 }, -EOPNOTSUPP, /NO_COMPRESSION/],
    ["visible VRAM in system memory", "bmg", { flags: 4 }, -EINVAL, /NEEDS_VISIBLE_VRAM/],
    ["no caching mode", "bmg", { cpuCaching: 0 }, -EINVAL, /cpu_caching/],
    ["write-back VRAM", "bmg", { placement: 2 }, -EINVAL, /WC/],
    ["write-back scanout", "bmg", { flags: 2 }, -EINVAL, /SCANOUT/],
    ["unknown VM", "bmg", { vmId: 9 }, -ENOENT, /no VM 9/],
    ["4 KiB of 64K-only VRAM", "dg2", { placement: 2, cpuCaching: 2, size: 4096 }, -EINVAL, /65536/],
    ["extension nowhere", "bmg", { extensions: 64 }, -EFAULT, /not mapped/],
    ["more than there is", "bmg", { size: 2 ** 39 }, -ENOMEM, /no memory/],
    ["an absurd size", "bmg", { size: 2 ** 40 }, -ENOSPC, /no offsets for 0x10000000000/],
    ["an absurd size, deferred", "lnl", { size: 2 ** 64 - 2 ** 32, flags: 1 }, -ENOSPC, /no offsets/],
    ["an absurd size in VRAM", "bmg", { size: 2 ** 44, placement: 2, cpuCaching: 2 }, -ENOSPC, /no offsets/],
    // Extensions are read once the object is made.
    ["an absurd size before its extension", "bmg", { size: 2 ** 40, extensions: 64 }, -ENOSPC, /no offsets/],
    ["more than there is before its extension", "bmg", { size: 2 ** 39, extensions: 64 }, -ENOMEM, /no mem/],
  ])("refuses %s", (_name, platform, fields, errno, reason) => {
    const { file, device } = fixture(platform);
    const objects = device.gems.size;
    const [ret, why] = call(file, xe.IOCTL_GEM_CREATE, xe.GEM_CREATE.encode({ ...ok, ...fields }));
    expect(ret).toBe(errno);
    expect(why).toMatch(reason);
    expect(device.gems.size).toBe(objects);
  });

  describe("extensions", () => {
    const AT = 0x3000;
    const create = (chain: Partial<xe.ExtSetProperty>[]): [number, string, xe.GemCreate, number] => {
      const { file, device } = fixture("bmg");
      const user = new UserMemory();
      chain.forEach((element, i) => {
        const nextExtension = i + 1 < chain.length ? AT + 64 * (i + 1) : 0;
        user.place(AT + 64 * i, xe.EXT_SET_PROPERTY.encode({ nextExtension, ...element }));
      });
      const arg = xe.GEM_CREATE.encode({ ...ok, extensions: AT });
      const [ret, why] = call(file, xe.IOCTL_GEM_CREATE, arg, user);
      return [ret, why, xe.GEM_CREATE.read(view(arg)), device.counters.backingBytes];
    };

    it("set properties one after the other, at most 16", () => {
      expect(create([{}])[0]).toBe(0);
      const [ret, , struct, bytes] = create(Array.from({ length: 16 }, () => ({})));
      expect([ret, struct.handle, bytes]).toEqual([0, 1, 0x10000]);
      expect(create(Array.from({ length: 17 }, () => ({}))).slice(0, 2)).toEqual([
        -E2BIG,
        "gem_create.extensions[16]: a chain has at most 16 elements",
      ]);
    });

    it.each<[string, Partial<xe.ExtSetProperty>, number]>([
      ["extensions[1].name: 1 is no extension", { name: 1 }, -EINVAL],
      ["extensions[1].pad: must be 0", { pad: 1 }, -EINVAL],
      ["extensions[1].property: 1 is no property", { property: 1 }, -EINVAL],
      ["extensions[1].pad: must be 0", { propertyPad: 1 }, -EINVAL],
      ["extensions[1].value: 2 is no type of protected content", { value: 2 }, -EINVAL],
      ["extensions[1].value: protected content (PXP) is not modelled", { value: 1 }, -ENODEV],
      ["read of 16 bytes", { nextExtension: 0x9000 }, -EFAULT],
    ])("refuse with %s, and nothing is left of the object", (reason, element, errno) => {
      const [ret, why, struct, bytes] = create([{}, element]);
      expect([ret, struct.handle, bytes]).toEqual([errno, 0, 0]);
      if (errno !== -EFAULT) expect(why).toBe(`gem_create.${reason}`);
    });
  });

  it("hands out handles from 1 and backs the object with memory, unless deferred to the first bind", () => {
    const { file, device } = fixture("bmg");
    const arg = xe.GEM_CREATE.encode(ok);
    expect(call(file, xe.IOCTL_GEM_CREATE, arg)).toEqual([0, ""]);
    expect(xe.GEM_CREATE.read(view(arg)).handle).toBe(1);
    expect(device.counters.backingBytes).toBe(0x10000);
    call(file, xe.IOCTL_GEM_CREATE, xe.GEM_CREATE.encode({ ...ok, flags: 1 }));
    expect(device.counters.backingBytes).toBe(0x10000);
    mustBind(file, map(0, 0x10000, 2, 0, 1));
    expect(device.counters.backingBytes).toBe(0x20000);
  });

  it("gives each object its own mmap offset", () => {
    const { file } = fixture("bmg");
    const offsets = [1, 2].map((handle) => {
      call(file, xe.IOCTL_GEM_CREATE, xe.GEM_CREATE.encode(ok));
      const arg = xe.GEM_MMAP_OFFSET.encode({ handle });
      expect(call(file, xe.IOCTL_GEM_MMAP_OFFSET, arg)[0]).toBe(0);
      return xe.GEM_MMAP_OFFSET.read(view(arg)).offset;
    });
    expect(new Set(offsets).size).toBe(2);
    expect(call(file, xe.IOCTL_GEM_MMAP_OFFSET, xe.GEM_MMAP_OFFSET.encode({ handle: 7 }))[0]).toBe(-ENOENT);
    expect(call(file, xe.IOCTL_GEM_MMAP_OFFSET, xe.GEM_MMAP_OFFSET.encode({ flags: 1 }))[0]).toBe(0);
    expect(
      call(fixture("lnl").file, xe.IOCTL_GEM_MMAP_OFFSET, xe.GEM_MMAP_OFFSET.encode({ flags: 1 }))[0],
    ).toBe(-EINVAL);
  });
});

describe("VM_CREATE and VM_DESTROY", () => {
  it.each<[string, number, number]>([
    ["bmg", 0, 0],
    ["bmg", 1, 0],
    ["bmg", 2, 0],
    ["bmg", 6, 0],
    ["bmg", 7, 0],
    ["bmg", 14, 0],
    ["bmg", 4, -EINVAL],
    ["bmg", 8, -EINVAL],
    ["bmg", 16, -EINVAL],
    ["dg2", 6, -EINVAL],
    ["pvc", 6, 0],
    ["pvc", 7, -EINVAL],
  ])("%s, flags %i: %i", (platform, flags, ret) => {
    const { file } = fixture(platform);
    const arg = xe.VM_CREATE.encode({ flags });
    expect(call(file, xe.IOCTL_VM_CREATE, arg)[0]).toBe(ret);
    expect(xe.VM_CREATE.read(view(arg)).vmId).toBe(ret === 0 ? 2 : 0);
  });

  it("DG2-G10, and not DG2-G11, forces a scratch page before any flag is checked, and says so in flags", () => {
    const create = (platform: string, flags: number, forcedScratch?: boolean) => {
      const file = new xe.XeDevice(platform, { forcedScratch }).open();
      const arg = xe.VM_CREATE.encode({ flags });
      const ret = file.ioctl(xe.IOCTL_VM_CREATE, arg);
      return [ret, xe.VM_CREATE.read(view(arg)).flags, file.vm(1)];
    };
    const [ret, flags, vm] = create("dg2", 0) as [number, number, xe.XeVm];
    expect([ret, flags, vm.scratch, vm.createFlags]).toEqual([0, 1, true, 1]);
    expect(vm.addressSpace.load32(0x12_3000)).toBe(0);
    expect(create("dg2", 2).slice(0, 2)).toEqual([0, 3]);
    // The struct is copied out whatever came of the ioctl, but for what is refused before.
    expect(create("dg2", 0x8000_0000)).toEqual([-EINVAL, 0x8000_0001, undefined]);
    const file = new xe.XeDevice("dg2").open();
    const early = xe.VM_CREATE.encode({ extensions: 8 });
    expect([file.ioctl(xe.IOCTL_VM_CREATE, early), xe.VM_CREATE.read(view(early)).flags]).toEqual([
      -EINVAL,
      0,
    ]);
    expect((create("dg2", 0, false)[2] as xe.XeVm).scratch).toBe(false);
    expect((create("bmg", 0, true)[2] as xe.XeVm).scratch).toBe(true);
    for (const { name } of xe.PLATFORMS.values())
      expect(create(name, 0)[1], name).toBe(name === "dg2" ? 1 : 0);
  });

  it("builds one root, and with scratch one table for each level above 1 GiB leaves", () => {
    for (const [platform, plain, scratch] of [
      ["tgl", 1, 2],
      ["bmg", 1, 3],
    ] as const) {
      const { file, device } = fixture(platform);
      expect(device.memory.tables.live).toBe(plain);
      call(file, xe.IOCTL_VM_CREATE, xe.VM_CREATE.encode({ flags: 1 }));
      expect(device.memory.tables.live).toBe(plain + scratch);
    }
  });

  it("destroys once, and not under a long-running queue", () => {
    const { file, device } = fixture("bmg", {}, xe.VM_CREATE_FLAG_LR_MODE);
    const user = new UserMemory();
    user.place(0x1000, xe.ENGINE_CLASS_INSTANCE.encode({ engineClass: 0 }));
    const queue = xe.EXEC_QUEUE_CREATE.encode({ width: 1, numPlacements: 1, vmId: 1, instances: 0x1000 });
    expect(call(file, xe.IOCTL_EXEC_QUEUE_CREATE, queue, user)[0]).toBe(0);
    mustBind(file, nul(GIB, GIB));
    const destroy = (): number => call(file, xe.IOCTL_VM_DESTROY, xe.VM_DESTROY.encode({ vmId: 1 }))[0];
    expect(destroy()).toBe(-EBUSY);
    expect(call(file, xe.IOCTL_EXEC_QUEUE_DESTROY, xe.EXEC_QUEUE_DESTROY.encode({ execQueueId: 1 }))[0]).toBe(
      0,
    );
    expect([destroy(), destroy()]).toEqual([0, -ENOENT]);
    expect([device.memory.tables.live, device.counters.gpuvasLive]).toEqual([0, 0]);
  });
});
