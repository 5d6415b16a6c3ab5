import {
  E2BIG,
  EBUSY,
  EFAULT,
  EINVAL,
  ENOBUFS,
  ENODEV,
  ENOENT,
  ENOEXEC,
  ENOMEM,
  ENOSPC,
  EOPNOTSUPP,
  Fence,
  signaledFence,
  UserMemory,
} from "@vmbind/drm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as xe from "../src/index.ts";
import {
  bind,
  fixture,
  GIB,
  MIB,
  map,
  mustBind,
  nul,
  prefetch,
  systemBo,
  unmap,
  unmapAll,
  vramBo,
} from "./support.ts";

const view = (arg: Uint8Array): DataView => new DataView(arg.buffer);

/** Issue, and give the result with its reason. */
function call(file: xe.XeFile, request: number, arg: Uint8Array, user = new UserMemory()): [number, string] {
  return [file.ioctl(request, arg, user), file.lastError?.reason ?? ""];
}

describe("request numbers", () => {
  it("are those of xe_drm.h", () => {
    expect(
      [
        xe.IOCTL_DEVICE_QUERY,
        xe.IOCTL_GEM_CREATE,
        xe.IOCTL_GEM_MMAP_OFFSET,
        xe.IOCTL_VM_CREATE,
        xe.IOCTL_VM_DESTROY,
        xe.IOCTL_VM_BIND,
        xe.IOCTL_EXEC_QUEUE_CREATE,
        xe.IOCTL_EXEC_QUEUE_DESTROY,
        xe.IOCTL_MADVISE,
        xe.IOCTL_VM_QUERY_MEM_RANGE_ATTRS,
        xe.IOCTL_VM_GET_PROPERTY,
      ].map((n) => n.toString(16)),
    ).toEqual([
      "c0286440",
      "c0386441",
      "c0286442",
      "c0206443",
      "40186444",
      "40886445",
      "c0306446",
      "40186447",
      "4040644c",
      "c040644d",
      "c038644f",
    ]);
  });

  it("that the model lacks say so, unknown ones are EINVAL", () => {
    const { file } = fixture("bmg");
    expect(call(file, 0x40386449, new Uint8Array(56))).toEqual([
      -EOPNOTSUPP,
      "ioctl: XE_EXEC is not modelled",
    ]);
    expect(call(file, 0x4008647f, new Uint8Array(8))[0]).toBe(-EINVAL);
    expect(call(file, 0x40084545, new Uint8Array(8))[0]).toBe(-EINVAL);
  });
});

describe("DEVICE_QUERY", () => {
  const query = (file: xe.XeFile, what: number): DataView => {
    const arg = xe.DEVICE_QUERY.encode({ query: what });
    expect(call(file, xe.IOCTL_DEVICE_QUERY, arg)).toEqual([0, ""]);
    const { size } = xe.DEVICE_QUERY.read(view(arg));
    const data = new Uint8Array(size);
    const user = new UserMemory();
    user.place(0x1000, data);
    const again = xe.DEVICE_QUERY.encode({ query: what, size, data: 0x1000 });
    expect(call(file, xe.IOCTL_DEVICE_QUERY, again, user)).toEqual([0, ""]);
    return view(data);
  };

  it.each([
    ["bmg", 0xe20b, 1, 0x1000, 48],
    ["dg2", 0x56a0, 1, 0x10000, 48],
    ["lnl", 0x64a0, 0, 0x1000, 48],
    ["pvc", 0x0bd5, 1, 0x10000, 57],
  ])("tells what a %s is", (name, id, hasVram, alignment, vaBits) => {
    const { file } = fixture(name);
    const { info } = xe.QUERY_CONFIG.read(query(file, xe.DEVICE_QUERY_CONFIG));
    expect(info[xe.QUERY_CONFIG_REV_AND_DEVICE_ID]).toBe(id);
    expect((info[xe.QUERY_CONFIG_FLAGS] as number) & 1).toBe(hasVram);
    expect(info[xe.QUERY_CONFIG_MIN_ALIGNMENT]).toBe(alignment);
    expect(info[xe.QUERY_CONFIG_VA_BITS]).toBe(vaBits);
    const regions = query(file, xe.DEVICE_QUERY_MEM_REGIONS);
    expect(regions.getUint32(0, true)).toBe(1 + hasVram);
    if (hasVram) {
      const vram = xe.MEM_REGION.read(regions, 8 + xe.MEM_REGION.size);
      expect([vram.memClass, vram.instance, vram.minPageSize]).toEqual([1, 1, alignment]);
    }
  });

  it.each(["tgl", "dg2", "bmg", "cri"])("says on a %s that objects can be purged", (name) => {
    const { info } = xe.QUERY_CONFIG.read(query(fixture(name).file, xe.DEVICE_QUERY_CONFIG));
    // Bits 4 and 5 are facts of the driver, not of the platform.
    expect((info[xe.QUERY_CONFIG_FLAGS] as number) & 0x30).toBe(0x30);
  });

  it("tells what is in use of each region, to everybody", () => {
    const { file, device, vm } = fixture("bmg");
    const used = (from = file): number[] => {
      const regions = query(from, xe.DEVICE_QUERY_MEM_REGIONS);
      const [system, vram] = [0, 1].map((i) => xe.MEM_REGION.read(regions, 8 + i * xe.MEM_REGION.size));
      expect(vram?.cpuVisibleUsed).toBe(vram?.used);
      return [system?.used ?? -1, vram?.used ?? -1];
    };
    const tables = (): number => device.memory.tables.live * 4096;
    expect(used()).toEqual([0, 4096]);
    const gem = (fields: Partial<xe.GemCreate>): number =>
      call(file, xe.IOCTL_GEM_CREATE, xe.GEM_CREATE.encode({ size: 2 * MIB, ...fields }))[0];
    expect(gem({ placement: 1, cpuCaching: 1 })).toBe(0);
    expect(gem({ placement: 2, cpuCaching: 2 })).toBe(0);
    expect(gem({ placement: 2, cpuCaching: 2, flags: xe.GEM_CREATE_FLAG_DEFER_BACKING })).toBe(0);
    expect(used()).toEqual([2 * MIB, 2 * MIB + tables()]);
    // Backing comes at first use; another file sees the same, and page tables count where they are.
    mustBind(file, map(GIB, 2 * MIB, 3));
    expect(used(device.open())).toEqual([2 * MIB, 4 * MIB + tables()]);
    expect(tables()).toBeGreaterThan(4096);
    // What moves counts where it is.
    expect(gem({ placement: 3, cpuCaching: 2 })).toBe(0);
    mustBind(file, map(2 * GIB, 2 * MIB, 4));
    expect(used()).toEqual([2 * MIB, 6 * MIB + tables()]);
    mustBind(file, prefetch(2 * GIB, 2 * MIB));
    expect(used()).toEqual([4 * MIB, 4 * MIB + tables()]);
    file.close();
    expect(vm.gpuvm.refs).toBe(0);
    expect(used(device.open())).toEqual([0, 0]);
  });

  it("counts page tables of an integrated part in system memory, and no pages of a process", () => {
    const { file, device } = fixture("lnl");
    mustBind(file, nul(GIB, 4096));
    mustBind(file, { op: xe.VM_BIND_OP_MAP_USERPTR, addr: 0, range: 8192, objOffset: 0x1000, patIndex: 1 });
    const regions = query(file, xe.DEVICE_QUERY_MEM_REGIONS);
    expect(regions.getUint32(0, true)).toBe(1);
    expect(xe.MEM_REGION.read(regions, 8).used).toBe(device.memory.tables.live * 4096);
  });

  it("refuses another size, an unknown query and a pointer to nowhere", () => {
    const { file } = fixture("bmg");
    const run = (fields: Partial<xe.DeviceQuery>): number =>
      call(file, xe.IOCTL_DEVICE_QUERY, xe.DEVICE_QUERY.encode(fields))[0];
    expect(run({ query: 2, size: 40 })).toBe(-EINVAL);
    expect(run({ query: 11 })).toBe(-EINVAL);
    expect(run({ query: 2, extensions: 1 })).toBe(-EINVAL);
    expect(run({ query: 2, size: 48, data: 0x1000 })).toBe(-EFAULT);
    expect(run({ query: 1, size: 8 + 2 * 88, data: 0x1000 })).toBe(-ENOSPC);
    expect(run({ query: 0 })).toBe(-EOPNOTSUPP);
  });
});

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

  it("DG2-G10 forces a scratch page before any flag is checked, and says so in flags", () => {
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

describe("VM_BIND", () => {
  it("names the field and the rule", () => {
    const f = fixture("dg2");
    const bo = vramBo(f, 0x200000);
    const reason = (...args: Parameters<typeof bind>): [number, string] => [
      bind(...args),
      f.file.lastError?.reason ?? "",
    ];
    expect(reason(f.file, [nul(0x1001, 0x1000)])).toEqual([
      -EINVAL,
      "bind.addr: 0x1001 is not a multiple of 4096",
    ]);
    expect(reason(f.file, [{ ...unmap(0, 0x1000), objOffset: 8 }])).toEqual([
      -EINVAL,
      "bind.obj_offset: 0x8 is not a multiple of 4096",
    ]);
    expect(reason(f.file, [nul(0, 0x1000), { ...nul(0, 0x1000), patIndex: 4 }])).toEqual([
      -EINVAL,
      "vector_of_binds[1].pat_index: 4 is not below 4, the entries of DG2 / ATS-M",
    ]);
    expect(reason(f.file, [map(0x1000, 0x10000, bo)])[1]).toMatch(/multiples of 65536/);
    expect(reason(f.file, [map(0, 0x10000, bo, 0x200000)])[1]).toMatch(/beyond the object's 0x200000 bytes/);
    expect(reason(f.file, [nul(2 ** 48 - 0x1000, 0x2000)])[1]).toMatch(
      /beyond the VM's end, 0x1000000000000/,
    );
    expect(reason(f.file, [unmapAll(9)])).toEqual([-ENOENT, "bind.obj: no object with handle 9"]);
    expect(reason(f.file, [nul(0, 0x1000)], { vmId: 2 })).toEqual([-EINVAL, "vm_bind.vm_id: no VM 2"]);
    expect(reason(f.file, [nul(0, 0x1000)], { execQueueId: 5 })[0]).toBe(-ENOENT);
    expect(reason(f.file, [], { numBinds: 0xffffffff })[0]).toBe(-ENOBUFS);
    expect(reason(f.file, [], { numBinds: 3 })[0]).toBe(-EFAULT);
    expect(reason(f.file, [], { numSyncs: 1025 })[0]).toBe(-EINVAL);
  });

  it("takes a NULL bind of 4 KiB anywhere, also where VRAM is 64K-only, and at address 0", () => {
    const { file, vm } = fixture("dg2");
    mustBind(file, nul(0, 0x1000), nul(0x3000, 0x1000, 1));
    expect([...vm.mappings()].map((m) => [m.addr, m.range, m.kind, m.flags & 4])).toEqual([
      [0, 0x1000, "null", 0],
      [0x3000, 0x1000, "null", 4],
    ]);
  });

  it("does not join neighbours and binds NULL over NULL anew", () => {
    const { file, vm, device } = fixture("bmg");
    mustBind(file, nul(GIB, GIB), nul(2 * GIB, GIB));
    mustBind(file, nul(GIB, GIB));
    expect([...vm.mappings()].map((m) => [m.addr, m.range])).toEqual([
      [GIB, GIB],
      [2 * GIB, GIB],
    ]);
    expect(device.counters.ptOps).toBe(4);
    expect(vm.lastInvalidation).toEqual({ start: GIB, end: 2 * GIB, sentStart: GIB, sentBytes: GIB });
  });

  it("keeps offset 0 on both sides of a cut NULL, and advances it on an object", () => {
    const f = fixture("tgl");
    const bo = systemBo(f, 0x40000);
    mustBind(f.file, nul(0, 0x40000), map(GIB, 0x40000, bo));
    mustBind(f.file, unmap(0x10000, 0x10000), unmap(GIB + 0x10000, 0x10000));
    expect([...f.vm.mappings()].map((m) => [m.addr, m.offset])).toEqual([
      [0, 0],
      [0x20000, 0],
      [GIB, 0],
      [GIB + 0x20000, 0x20000],
    ]);
  });

  it("UNMAP_ALL in an array does not meet what the array already took out", () => {
    const f = fixture("bmg");
    const bo = systemBo(f, 0x40000);
    mustBind(f.file, map(0, 0x40000, bo, 0, 1));
    mustBind(f.file, unmap(0x10000, 0x10000), { ...unmapAll(bo), patIndex: 1 });
    expect([f.vm.gpuvm.count, f.file.bo(bo)?.refs, f.vm.gpuvm.refs]).toEqual([0, 1, 1]);
  });

  it("PREFETCH binds again what is in the range, and asks for a flush", () => {
    const f = fixture("bmg");
    mustBind(f.file, nul(GIB, GIB), nul(3 * GIB, 0x1000));
    mustBind(f.file, prefetch(0, 4 * GIB));
    expect(f.vm.tlbFlushSeqno).toBe(2);
    expect(f.vm.lastInvalidation).toBeNull();
  });

  it("with no operation, or an UNMAP of nothing, does nothing and returns 0", () => {
    const { file, device } = fixture("bmg");
    mustBind(file, unmap(0, GIB));
    expect(bind(file, [])).toBe(0);
    expect([device.counters.ptOps, device.counters.bindIoctls, device.counters.bindOps]).toEqual([0, 2, 1]);
  });

  it("mirrors the process's addresses without touching the page table", () => {
    const { file, vm, device } = fixture("bmg", {}, 6);
    const mirror = { ...nul(GIB, GIB), flags: xe.VM_BIND_FLAG_CPU_ADDR_MIRROR, patIndex: 1 };
    mustBind(file, mirror);
    mustBind(file, unmap(GIB + 0x1000, 0x1000));
    expect([...vm.mappings()].map((m) => [m.kind, m.addr, m.range])).toEqual([
      ["cpu-addr-mirror", GIB, 0x1000],
      ["cpu-addr-mirror", GIB + 0x2000, GIB - 0x2000],
    ]);
    expect([vm.gpuvm.refs, device.counters.ptOps, device.memory.tables.live]).toEqual([5, 0, 1]);
    expect(() => vm.fault(GIB)).toThrow(/not modelled/);
    expect(bind(fixture("bmg").file, [mirror])).toBe(-EINVAL);
  });

  it("maps memory of the process: shared by user address, cut with its offset, bound anew after every cut", () => {
    const { file, vm, device } = fixture("bmg");
    const userptr = {
      op: xe.VM_BIND_OP_MAP_USERPTR,
      addr: GIB,
      range: 0x40000,
      objOffset: 0x7f00_0000_0000,
      patIndex: 1,
    };
    expect(bind(file, [{ ...userptr, patIndex: 0 }])).toBe(-EINVAL);
    mustBind(file, userptr, { ...userptr, addr: 2 * GIB });
    expect([vm.gpuvm.refs, device.counters.backingBytes]).toEqual([5, 0x40000]);
    vm.addressSpace.store(GIB + 0x30000, Uint8Array.of(5));
    mustBind(file, unmap(GIB + 0x10000, 0x10000));
    expect(vm.addressSpace.load(GIB + 0x30000, 1)).toEqual(Uint8Array.of(5));
    expect(vm.addressSpace.load(2 * GIB + 0x30000, 1)).toEqual(Uint8Array.of(5));
    expect([...vm.mappings()].map((m) => [m.kind, m.addr, m.offset])).toEqual([
      ["userptr", GIB, 0x7f00_0000_0000],
      ["userptr", GIB + 0x20000, 0x7f00_0002_0000],
      ["userptr", 2 * GIB, 0x7f00_0000_0000],
    ]);
    expect(device.counters.remnantsRebound).toBe(2);
    file.close();
    expect(device.counters.backingBytes).toBe(0);
  });

  it("says of a pinned page whose it is, and keeps the pages of two processes apart", () => {
    const { file, vm } = fixture("bmg");
    const pin = (addr: number, objOffset: number, process?: object): void => {
      const op = { op: xe.VM_BIND_OP_MAP_USERPTR, addr, range: 0x2000, objOffset, patIndex: 1 };
      expect(bind(file, [op], {}, new UserMemory(process))).toBe(0);
    };
    const child = { pid: 2 };
    const base = 0x7f00_0000_0000;
    pin(GIB, base);
    pin(2 * GIB, base, child);
    pin(3 * GIB, base + 0x1000, child);
    const ownerAt = (va: number) => file.userPages.ownerOf(vm.addressSpace.walk(va).pa);
    expect(ownerAt(GIB + 0x1008)).toEqual({ process: file, addr: base + 0x1008 });
    expect(ownerAt(GIB)?.process).toBe(file);
    expect(ownerAt(2 * GIB + 0x1000)).toEqual({ process: child, addr: base + 0x1000 });
    vm.addressSpace.store32(3 * GIB, 6);
    expect([2 * GIB + 0x1000, GIB + 0x1000].map((va) => vm.addressSpace.load32(va))).toEqual([6, 0]);
    expect(file.userPages.ownerOf(0)).toBeUndefined();
    expect(file.userPages.bytes).toBe(0x5000);
  });

  // Found by fuzzing: a cut carried such a mapping's offset over 2^64, and building its page table never ended.
  it("refuses to pin what is no memory of a process", () => {
    const { file, vm, device } = fixture("bmg");
    const at = (objOffset: number) => ({
      op: xe.VM_BIND_OP_MAP_USERPTR,
      addr: GIB,
      range: 0x20000,
      objOffset,
      patIndex: 1,
    });
    expect(bind(file, [at(2 ** 64 - 0x10000)])).toBe(-EFAULT);
    expect(file.lastError?.reason).toContain("is not process memory");
    expect(bind(file, [at(2 ** 47 - 0x20000)])).toBe(-EFAULT);
    expect([vm.gpuvm.count, device.counters.backingBytes]).toEqual([0, 0]);
    expect(bind(file, [at(2 ** 47 - 0x21000)])).toBe(0);
  });

  it("refuses objects that madvise gave up, and invalid keys only when asked to check", () => {
    const f = fixture("bmg");
    const bo = systemBo(f, 0x10000);
    const object = f.file.bo(bo) as xe.XeBo;
    object.pxpInvalid = true;
    expect(bind(f.file, [map(0, 0x10000, bo, 0, 1, xe.VM_BIND_FLAG_CHECK_PXP)])).toBe(-ENOEXEC);
    object.dontNeed = true;
    expect(bind(f.file, [nul(GIB, GIB), map(0, 0x10000, bo, 0, 1)])).toBe(-EBUSY);
    expect(f.vm.gpuvm.count).toBe(0);
  });

  it("keeps private objects in their VM's reservation and lists the others as external", () => {
    const f = fixture("bmg");
    const shared = f.file.createBo(0x10000, { placement: 1, cpuCaching: 1 });
    mustBind(f.file, map(0, 0x10000, systemBo(f, 0x10000), 0, 1), map(GIB, 0x10000, shared, 0, 1));
    expect(f.vm.gpuvm.extobjs().map((vmBo) => vmBo.gem)).toEqual([f.file.bo(shared)]);
    call(f.file, xe.IOCTL_VM_CREATE, xe.VM_CREATE.encode({}));
    expect(bind(f.file, [map(0, 0x10000, 2, 0, 1)], { vmId: 2 })).toBe(-EINVAL);
    expect(bind(f.file, [map(0, 0x10000, shared, 0, 1)], { vmId: 2 })).toBe(0);
    expect(f.file.bo(shared)?.refs).toBe(5);
  });

  it("foreignPrivateObjects: a private object can be bound into another VM, as an external one there", () => {
    const f = fixture("bmg", { quirks: { ...xe.NO_QUIRKS, foreignPrivateObjects: true } });
    const bo = systemBo(f, 0x10000);
    call(f.file, xe.IOCTL_VM_CREATE, xe.VM_CREATE.encode({}));
    const other = f.file.vm(2) as xe.XeVm;
    mustBind(f.file, map(0, 0x10000, bo, 0, 1));
    expect(bind(f.file, [map(GIB, 0x10000, bo, 0, 1)], { vmId: 2 })).toBe(0);
    f.vm.addressSpace.store32(0x40, 7);
    expect(other.addressSpace.load32(GIB + 0x40)).toBe(7);
    expect([f.vm.gpuvm.extobjs().length, other.gpuvm.extobjs().length]).toEqual([0, 1]);
    xe.checkDeviceInvariants(f.device, [f.file]);
    expect(call(f.file, xe.IOCTL_VM_DESTROY, xe.VM_DESTROY.encode({ vmId: 1 }))[0]).toBe(0);
    expect(bind(f.file, [{ ...unmapAll(bo), patIndex: 1 }], { vmId: 2 })).toBe(0);
    f.file.close();
    expect([f.device.gems.size, f.device.memory.tables.live]).toEqual([0, 0]);
  });

  describe("syncs", () => {
    const SYNCS = 0x5000;
    const run = (
      sync: Partial<xe.Sync>[],
      ops = [nul(0, 0x1000)],
      flags = 0,
    ): [number, string, Uint8Array] => {
      const f = fixture("bmg", {}, flags);
      // 1 is signalled, 2 a timeline that reached point 5, 3 empty; there is no 9.
      f.file.syncobjs.create(true);
      f.file.syncobjs.get(f.file.syncobjs.create())?.attach(5, signaledFence());
      f.file.syncobjs.create();
      const user = new UserMemory();
      const bytes = new Uint8Array(sync.length * xe.SYNC.size);
      sync.forEach((s, i) => {
        xe.SYNC.write(view(bytes), i * xe.SYNC.size, s);
      });
      const fence = new Uint8Array(8);
      user.place(SYNCS, bytes);
      user.place(0x8000, fence);
      const ret = bind(f.file, ops, { numSyncs: sync.length, syncs: SYNCS }, user);
      return [ret, f.file.lastError?.reason ?? "", fence];
    };

    it("are checked one by one", () => {
      const ok: Partial<xe.Sync> = { addr: 1 };
      expect(run([ok])[0]).toBe(0);
      expect(run([ok, { ...ok, flags: 2 }])[1]).toMatch(/syncs\[1\]\.flags/);
      expect(run([{ ...ok, reserved: [0, 1] }])[0]).toBe(-EINVAL);
      expect(run([{ type: 3 }])[0]).toBe(-EINVAL);
      expect(run([{ addr: 9 }])[0]).toBe(-ENOENT);
      expect(run([{ addr: 3 }])[0]).toBe(-EINVAL);
      expect(run([{ addr: 3, flags: 1 }])[0]).toBe(0);
      expect(run([{ type: 1, addr: 2, timelineValue: 5 }])[0]).toBe(0);
      expect(run([{ type: 1, addr: 2, timelineValue: 6 }])[1]).toMatch(/point 6 of syncobj 2 has no fence/);
      expect(run([{ type: 1, addr: 1, timelineValue: 1 }])[0]).toBe(-EINVAL);
      expect(run([{ addr: 2 ** 32 + 1 }])[0]).toBe(-EINVAL);
      expect(run([{ type: 1, addr: 1 }])[0]).toBe(-EINVAL);
      expect(run([{ addr: 1, flags: 1 }], undefined, xe.VM_CREATE_FLAG_LR_MODE)[0]).toBe(-EOPNOTSUPP);
      expect(run([ok], [])[0]).toBe(0);
    });

    it("signal what they name when all that they wait for has happened", () => {
      const f = fixture("bmg");
      const { syncobjs } = f.file;
      const [gate, line] = [new Fence(), 2];
      syncobjs.get(syncobjs.create())?.attach(0, gate);
      syncobjs.create();
      const user = new UserMemory();
      const fence = new Uint8Array(8);
      const syncs: Partial<xe.Sync>[] = [
        { addr: 1 },
        { type: 1, addr: line, flags: 1, timelineValue: 3 },
        { type: 2, flags: 1, addr: 0x8000, timelineValue: 7 },
      ];
      const bytes = new Uint8Array(syncs.length * xe.SYNC.size);
      syncs.forEach((sync, i) => {
        xe.SYNC.write(view(bytes), i * xe.SYNC.size, sync);
      });
      user.place(SYNCS, bytes);
      user.place(0x8000, fence);
      expect(bind(f.file, [nul(0, 0x1000)], { numSyncs: 3, syncs: SYNCS }, user)).toBe(0);
      const done = syncobjs.get(line)?.find(3);
      expect([done?.signaled, fence[0], syncobjs.get(line)?.find(4)]).toEqual([false, 0, null]);
      gate.signal();
      expect([done?.signaled, fence[0]]).toEqual([true, 7]);
    });

    it("accept every handle but 0 on a device that adopts them", () => {
      const f = fixture("bmg", { adoptSyncobjs: true });
      const user = new UserMemory();
      const wait = (sync: Partial<xe.Sync>): number => {
        user.place(SYNCS, xe.SYNC.encode(sync));
        return bind(f.file, [nul(0, 0x1000)], { numSyncs: 1, syncs: SYNCS }, user);
      };
      expect([wait({ addr: 77 }), wait({ type: 1, addr: 78, timelineValue: 9 })]).toEqual([0, 0]);
      expect(wait({ addr: 0 })).toBe(-ENOENT);
    });

    it("write a user fence once the bind is done, and only one", () => {
      const fence: Partial<xe.Sync> = { type: 2, flags: 1, addr: 0x8000, timelineValue: 0x1122 };
      const [ret, , value] = run([fence]);
      expect([ret, view(value).getBigUint64(0, true)]).toEqual([0, 0x1122n]);
      expect(run([fence, fence])[1]).toMatch(/at most one/);
      expect(run([fence], [])[0]).toBe(-EOPNOTSUPP);
      expect(run([{ ...fence, flags: 0 }])[0]).toBe(-EOPNOTSUPP);
      expect(run([{ ...fence, addr: 0x8004 }])[0]).toBe(-EINVAL);
      expect(run([fence], [nul(1, 1)])[2]).toEqual(new Uint8Array(8));
    });

    it("read the address of a user fence while they are parsed: EFAULT, and nothing is bound or signalled", () => {
      const nowhere: Partial<xe.Sync> = { type: 2, flags: 1, addr: 0x9_0000 };
      const f = fixture("bmg");
      f.file.syncobjs.create();
      const user = new UserMemory();
      const bindWith = (...syncs: Partial<xe.Sync>[]): [number, string] => {
        const bytes = new Uint8Array(syncs.length * xe.SYNC.size);
        syncs.forEach((sync, i) => {
          xe.SYNC.write(view(bytes), i * xe.SYNC.size, sync);
        });
        user.place(SYNCS, bytes);
        const ret = bind(f.file, [nul(GIB, GIB)], { numSyncs: syncs.length, syncs: SYNCS }, user);
        return [ret, f.file.lastError?.reason ?? ""];
      };
      const [ret, why] = bindWith({ addr: 1, flags: 1 }, nowhere);
      expect(ret).toBe(-EFAULT);
      expect(why).toMatch(/^syncs\[1\]\.addr: the user fence cannot be read/);
      expect([f.vm.gpuvm.count, f.file.syncobjs.get(1)?.find(0)]).toEqual([0, null]);
      // In the order of the syncs: what is wrong with an earlier one comes first, with a later one not at all.
      expect(bindWith({ addr: 9 }, nowhere)[0]).toBe(-ENOENT);
      expect(bindWith(nowhere, { addr: 9 })[0]).toBe(-EFAULT);
      expect(bindWith({ ...nowhere, addr: 0x9_0004 })[0]).toBe(-EINVAL);
      // Two fences are one too many only once both could be read.
      user.place(0x8000, new Uint8Array(12));
      expect(bindWith({ ...nowhere, addr: 0x8000 }, nowhere)[0]).toBe(-EFAULT);
      // All 8 bytes are read.
      expect(bindWith({ ...nowhere, addr: 0x8008 })[0]).toBe(-EFAULT);
    });
  });
});

describe("TLB invalidation", () => {
  it("covers a power of two, 16 MiB at least from 2 MiB on", () => {
    const sent = (start: number, end: number): number[] => {
      const range = xe.tlbRange(start, end);
      return [range.sentStart, range.sentBytes];
    };
    expect(sent(0x1000, 0x2000)).toEqual([0x1000, 0x1000]);
    expect(sent(0x1000, 0x4000)).toEqual([0, 0x4000]);
    expect(sent(0x3000, 0x5000)).toEqual([0, 0x8000]);
    expect(sent(0x200000, 0x400000)).toEqual([0, 0x1000000]);
    expect(sent(0x68c3e00000, 0x68fc800000)).toEqual([0x68c0000000, 0x40000000]);
    for (const bytes of [2 ** 42, 2 ** 43, 2 ** 44, 2 ** 57]) {
      expect(sent(0, bytes)).toEqual([0, bytes]);
      expect(sent(0x1000, bytes)).toEqual([0, bytes]);
      expect(sent(0, bytes - 0x1000)).toEqual([0, bytes]);
    }
  });

  it("is one request an ioctl and GT, and none for a bind without scratch", () => {
    const { file, device } = fixture("bmg");
    mustBind(file, nul(GIB, GIB), nul(0x1000, 0x1000));
    expect(device.counters.tlbInvalidations).toBe(0);
    mustBind(file, unmap(GIB, 0x1000), unmap(2 * GIB - 0x1000, 0x1000));
    expect([device.counters.tlbInvalidations, device.counters.tlbInvalidatedBytes]).toEqual([2, 2 * GIB]);
  });

  it.each([
    ["tgl", 1, "full"],
    ["dg1", 1, "full"],
    ["dg2", 1, "ranged"],
    ["pvc", 1, "ranged"],
    ["mtl", 2, "ranged"],
    ["lnl", 2, "ranged"],
    ["bmg", 2, "ranged"],
    ["ptl", 2, "ranged"],
    ["nvlp", 2, "ranged"],
    ["cri", 2, "ranged"],
  ] as const)("%s: %i of an unbind and of the VM's end, %s", (platform, gts, kind) => {
    for (const tlb of [{}, null]) {
      const { file, device, vm } = fixture(platform, { tlb });
      const { counters } = device;
      mustBind(file, nul(GIB, 0x20000), nul(2 ** 40, 0x10000));
      for (const va of [GIB, GIB + 0x1_0000, 2 ** 40]) vm.addressSpace.load32(va);
      mustBind(file, unmap(GIB, 0x10000));
      const bytes = kind === "ranged" ? gts * 0x10000 : 0;
      expect([counters.tlbInvalidations, counters.tlbInvalidatedBytes]).toEqual([gts, bytes]);
      // A full one forgets what the ioctl did not touch, too.
      const { tlbHits } = counters;
      for (const va of [GIB + 0x1_0000, 2 ** 40]) vm.addressSpace.load32(va);
      expect(counters.tlbHits - tlbHits).toBe(tlb !== null && kind === "ranged" ? 2 : 0);
      expect(file.ioctl(xe.IOCTL_VM_DESTROY, xe.VM_DESTROY.encode({ vmId: 1 }))).toBe(0);
      expect([counters.tlbInvalidations, counters.tlbInvalidatedBytes]).toEqual([2 * gts, bytes]);
    }
  });

  it("covers a root entry when the last mapping below it goes", () => {
    const { file, device } = fixture("bmg");
    mustBind(file, nul(GIB, 0x10000));
    mustBind(file, unmap(GIB, 0x10000));
    expect(device.counters.tlbInvalidatedBytes).toBe(2 * 2 ** 48);
  });
});

describe("any bytes", () => {
  const requests = [
    xe.IOCTL_DEVICE_QUERY,
    xe.IOCTL_GEM_CREATE,
    xe.IOCTL_GEM_MMAP_OFFSET,
    xe.IOCTL_VM_CREATE,
    xe.IOCTL_VM_DESTROY,
    xe.IOCTL_VM_BIND,
    xe.IOCTL_EXEC_QUEUE_CREATE,
    xe.IOCTL_EXEC_QUEUE_DESTROY,
    xe.IOCTL_MADVISE,
    xe.IOCTL_VM_QUERY_MEM_RANGE_ATTRS,
    xe.IOCTL_VM_GET_PROPERTY,
    0x40086409,
  ];
  const word = fc.oneof(fc.constantFrom(0, 0, 0, 1, 2, 3, 0x1000, 0x10000, 0xffffffff), fc.nat());

  it("never make ioctl throw, and leave the device in order", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...requests), fc.array(word, { maxLength: 36 })), {
          maxLength: 20,
        }),
        (calls) => {
          const { file, device } = fixture("bmg");
          const user = new UserMemory();
          user.place(0x1000, new Uint8Array(8192));
          for (const [request, words] of calls) {
            const arg = new Uint8Array((request >>> 16) & 0x3fff);
            arg.set(new Uint8Array(Uint32Array.from(words).buffer).subarray(0, arg.length));
            expect(file.ioctl(request, arg, user)).toBeLessThanOrEqual(0);
          }
          file.close();
          expect([device.memory.tables.live, device.gems.size, device.counters.backingBytes]).toEqual([
            0, 0, 0,
          ]);
        },
      ),
      { numRuns: 300, seed: 3 },
    );
  });
});
