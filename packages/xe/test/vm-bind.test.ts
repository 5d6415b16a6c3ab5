/** VM_BIND, call by call: the kernel's checks in their order, and what each operation does. */
import {
  EBUSY,
  EFAULT,
  EINVAL,
  ENOBUFS,
  ENOENT,
  ENOEXEC,
  EOPNOTSUPP,
  Fence,
  signaledFence,
  UserMemory,
} from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import * as xe from "../src/index.ts";
import {
  bind,
  fixture,
  GIB,
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
    // The model's own rule: what the driver refuses comes first.
    expect(bind(f.file, [map(0, 0x10000, 2, 0, 1), map(GIB, 0x10000, 77, 0, 1)], { vmId: 2 })).toBe(-ENOENT);
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
      // A multiple of 8 that no double holds is nobody's memory, and aligned.
      const last = xe.SYNC.encode(nowhere);
      for (const [low, errno] of [
        [0xfffffff8, EFAULT],
        [0xfffffffc, EINVAL],
      ] as const) {
        view(last).setUint32(xe.SYNC.fields.addr.offset, low, true);
        view(last).setUint32(xe.SYNC.fields.addr.offset + 4, 0xffffffff, true);
        user.place(SYNCS, last);
        expect(bind(f.file, [nul(GIB, GIB)], { numSyncs: 1, syncs: SYNCS }, user)).toBe(-errno);
      }
    });
  });
});
