import {
  DRM_IOCTL_GEM_CLOSE,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOENT,
  ENOSPC,
  ENOTTY,
  EOPNOTSUPP,
  UserMemory,
} from "@vmbind/drm";
import { AddressSpace, directories, leaves, ScatterList, uatFirmwareRights } from "@vmbind/mmu";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import {
  AsahiBo,
  AsahiDevice,
  type AsahiFile,
  type AsahiVm,
  GEM_BIND_OBJECT,
  GEM_CREATE,
  GEM_MMAP_OFFSET,
  GEM_VM_PRIVATE,
  GET_PARAMS,
  IOCTL_GEM_BIND_OBJECT,
  IOCTL_GEM_CREATE,
  IOCTL_GEM_MMAP_OFFSET,
  IOCTL_GET_PARAMS,
  IOCTL_SUBMIT,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTL_VM_DESTROY,
  PARAMS_GLOBAL,
  VM_CREATE,
  VM_DESTROY,
  VM_END,
} from "../src/index.ts";

const KERNEL = { kernelStart: 0x77_ffff_8000, kernelEnd: 0x7f_ffff_8000, vmId: 0, pad: 0 };

let device: AsahiDevice;
let file: AsahiFile;

beforeEach(() => {
  device = new AsahiDevice();
  file = device.open();
});

describe("the worked example of the format", () => {
  test("tables, descriptors, cut and translations", () => {
    device = new AsahiDevice({
      dummyPage: false,
      memory: { tableBase: 0x10_0000_0000, tableStride: 0x4000 },
    });
    file = device.open();
    const vmId = file.vmCreate(KERNEL);
    const vm = file.vm(vmId) as AsahiVm;
    const { gems, memory } = device;
    for (const [pa, bytes] of [
      [0x8_0000_0000, 0x10000],
      [0x7_0000_0000, 0x4000],
    ] as const) {
      file.addBo(new AsahiBo({ gems, memory, size: bytes, vm, pages: ScatterList.of([{ pa, bytes }]) }));
    }
    file.bind(vmId, [
      { flags: 0x6, handle: 1, offset: 0x4000, range: 0x8000, addr: 0x20_0000_0000 },
      { flags: 0xe, handle: 2, offset: 0, range: 0x10000, addr: 0x20_01ff_c000 },
      { flags: 0xa, handle: 2, offset: 0, range: 0xc000, addr: 0x30_0000_0000 },
    ]);
    const entries = () =>
      [...directories(memory, device.format, vm.pageTable.root)].map((d) => [d.va, d.entry]);
    expect(entries()).toEqual([
      [0x20_0000_0000, 0x1000004003n],
      [0x20_0000_0000, 0x1000008003n],
      [0x20_0200_0000, 0x100000c003n],
      [0x30_0000_0000, 0x1000010003n],
      [0x30_0000_0000, 0x1000014003n],
    ]);
    const ptes = () =>
      [...leaves(memory, device.format, vm.pageTable.root)].map((leaf) => [leaf.va, leaf.entry]);
    const before = ptes();
    expect(before).toEqual([
      [0x20_0000_0000, 0x00c0000800004c8bn],
      [0x20_0000_4000, 0x00c0000800008c8bn],
      [0x20_01ff_c000, 0x00c0000700000c8bn],
      [0x20_0200_0000, 0x00c0000700000c8bn],
      [0x20_0200_4000, 0x00c0000700000c8bn],
      [0x20_0200_8000, 0x00c0000700000c8bn],
      [0x30_0000_0000, 0x0080000700000c8bn],
      [0x30_0000_4000, 0x0080000700000c8bn],
      [0x30_0000_8000, 0x0080000700000c8bn],
    ]);
    const invalidated: [number, number][] = [];
    vm.invalidateObserver = (va, bytes) => invalidated.push([va, bytes]);
    file.bind(vmId, [{ flags: 1, handle: 0, offset: 0, range: 0x4000, addr: 0x20_0200_0000 }]);
    expect(invalidated).toEqual([[0x20_0200_0000, 0x4000]]);
    expect(ptes()).toEqual(before.filter(([va]) => va !== 0x20_0200_0000));
    expect(vm.pageTable.count).toEqual({ l1: 1, l2: 2, l3: 3 });
    expect(file.bo(2)?.vmBos[0]?.vaCount).toBe(3);
    const pa = (va: number) => vm.addressSpace.walk(va).pa;
    expect([pa(0x20_0000_0123), pa(0x20_0200_4abc)]).toEqual([0x8_0000_4123, 0x7_0000_0abc]);
    expect(vm.addressSpace.walk(0x20_0200_0000).kind).toBe("fault");
  });
});

describe("GET_PARAMS", () => {
  function getParams(
    changes: Partial<Parameters<typeof GET_PARAMS.encode>[0]>,
    room = 600,
  ): [number, Uint8Array] {
    const bytes = new Uint8Array(room);
    const user = new UserMemory();
    user.place(0x1000, bytes);
    const arg = GET_PARAMS.encode({ pointer: 0x1000, size: 592, ...changes });
    return [file.ioctl(IOCTL_GET_PARAMS, arg, user), bytes];
  }

  test("tells the window and copies no more than asked for", () => {
    const [ret, bytes] = getParams({});
    expect(ret).toBe(0);
    expect(PARAMS_GLOBAL.read(new DataView(bytes.buffer))).toMatchObject({
      features: 0,
      chipId: 0x8103,
      vmStart: 0x4000,
      vmEnd: VM_END,
      vmKernelMinSize: 0x2000_0000,
    });
    expect(
      getParams({ size: 8 })[1]
        .subarray(8)
        .every((byte) => byte === 0),
    ).toBe(true);
    expect(getParams({ size: 2 ** 40 })[0]).toBe(0);
  });

  test("refuses", () => {
    expect(getParams({ paramGroup: 1 })[0]).toBe(-EINVAL);
    expect(getParams({ pad: 1 })[0]).toBe(-EINVAL);
    expect(getParams({ pointer: 0x9000 })[0]).toBe(-EFAULT);
    expect(getParams({}, 100)[0]).toBe(-EFAULT);
    device.crashed = true;
    expect(getParams({})[0]).toBe(-ENODEV);
    expect(getParams({ pad: 1 })[0]).toBe(-EINVAL);
  });
});

describe("VM_CREATE and VM_DESTROY", () => {
  test.each([
    ["below the window", 0, 0x4000_0000],
    ["above the window", 0x40_0000_0000, 0x80_0000_0000],
    ["too short", 0x40_0000_0000, 0x40_1fff_c000],
    ["inverted", 0x50_0000_0000, 0x40_0000_0000],
    ["unaligned start", 0x40_0000_1000, 0x50_0000_0000],
    ["unaligned end", 0x40_0000_0000, 0x50_0000_1000],
  ])("%s", (_, kernelStart, kernelEnd) => {
    const arg = VM_CREATE.encode({ kernelStart, kernelEnd });
    expect(file.ioctl(IOCTL_VM_CREATE, arg)).toBe(-EINVAL);
    expect(file.lastError?.reason).toMatch(/^vm_create\.kernel_/);
    expect(device.memory.tables.live).toBe(0);
  });

  test("ids begin at 1 and are used again, lowest first; pad is ignored", () => {
    const create = () => {
      const arg = VM_CREATE.encode({ ...KERNEL, pad: 7 });
      expect(file.ioctl(IOCTL_VM_CREATE, arg)).toBe(0);
      return VM_CREATE.read(new DataView(arg.buffer)).vmId;
    };
    expect([create(), create(), create()]).toEqual([1, 2, 3]);
    expect(file.ioctl(IOCTL_VM_DESTROY, VM_DESTROY.encode({ vmId: 2, pad: 9 }))).toBe(0);
    expect(file.ioctl(IOCTL_VM_DESTROY, VM_DESTROY.encode({ vmId: 2 }))).toBe(-ENOENT);
    expect(create()).toBe(2);
  });

  test("the kernel range shrinks inward to 32 KiB", () => {
    const id = file.vmCreate({ ...KERNEL, kernelStart: 0x40_0000_4000, kernelEnd: 0x50_0000_4000 });
    expect(file.vm(id)).toMatchObject({ kernelStart: 0x40_0000_8000, kernelEnd: 0x50_0000_0000 });
  });
});

describe("GEM", () => {
  const create = (size: number, flags: number, vmId: number): [number, number] => {
    const arg = GEM_CREATE.encode({ size, flags, vmId });
    return [file.ioctl(IOCTL_GEM_CREATE, arg), GEM_CREATE.read(new DataView(arg.buffer)).handle];
  };

  test("flags before VM_PRIVATE's rules, sizes round up to 16 KiB", () => {
    const vmId = file.vmCreate(KERNEL);
    expect(create(0x4000, 4, 0)[0]).toBe(-EINVAL);
    expect(create(0x4000, 0, vmId)[0]).toBe(-EINVAL);
    expect(create(0x4000, 2, vmId + 1)[0]).toBe(-ENOENT);
    expect(create(0x4001, 3, vmId)).toEqual([0, 1]);
    expect(file.bo(1)).toMatchObject({ size: 0x8000, resident: false });
    expect(file.bo(1)?.resv).toBe(file.vm(vmId)?.gpuvm.resv);
    expect(device.counters.backingBytes).toBe(0x4000);
  });

  test("objects are as large as files can be, also where no double holds what was asked for", () => {
    const sized = (size: bigint): unknown => {
      const arg = GEM_CREATE.encode({});
      new DataView(arg.buffer).setBigUint64(GEM_CREATE.fields.size.offset, size, true);
      const ret = file.ioctl(IOCTL_GEM_CREATE, arg);
      return ret < 0 ? ret : file.bo(GEM_CREATE.read(new DataView(arg.buffer)).handle)?.size;
    };
    expect(sized(2n ** 53n + 1n)).toBe(2 ** 53 + 0x4000);
    expect(sized(2n ** 63n - 0x4000n)).toBe(2 ** 63 - 0x4000);
    for (const size of [2n ** 63n - 1024n, 2n ** 64n - 1n]) expect(sized(size)).toBe(-EINVAL);
  });

  test("a mapping offset is an object's own and stays the same", () => {
    create(0x8000, 0, 0);
    create(0x4000, 0, 0);
    const offset = (handle: number, flags = 0): number => {
      const arg = GEM_MMAP_OFFSET.encode({ handle, flags });
      const ret = file.ioctl(IOCTL_GEM_MMAP_OFFSET, arg);
      return ret < 0 ? ret : GEM_MMAP_OFFSET.read(new DataView(arg.buffer)).offset;
    };
    const first = offset(1);
    expect(offset(2)).toBe(first + 0x8000);
    expect(offset(1)).toBe(first);
    expect([offset(1, 1), offset(3)]).toEqual([-EINVAL, -ENOENT]);
    // Offsets of a few such objects would not fit 64 bits.
    create(2 ** 62, 0, 0);
    expect(offset(3)).toBe(-ENOSPC);
  });

  test("closing an unknown handle is EINVAL, as DRM has it", () => {
    expect(file.ioctl(DRM_IOCTL_GEM_CLOSE, new Uint8Array(8))).toBe(-EINVAL);
  });
});

describe("GEM_BIND_OBJECT", () => {
  const call = (changes: Partial<Parameters<typeof GEM_BIND_OBJECT.encode>[0]>): [number, number] => {
    const arg = GEM_BIND_OBJECT.encode({ flags: 1, handle: 1, range: 0x8000, ...changes });
    return [
      file.ioctl(IOCTL_GEM_BIND_OBJECT, arg),
      GEM_BIND_OBJECT.read(new DataView(arg.buffer)).objectHandle,
    ];
  };
  const unbind = { op: 1, flags: 0, handle: 0, range: 0 };

  beforeEach(() => {
    file.gemCreate({ size: 0x10000, flags: 0, vmId: 0 });
  });

  test("binds for the firmware and not for the GPU, holds the object, and unbinds", () => {
    expect(call({ offset: 0x4000 })).toEqual([0, 1]);
    expect(call({})).toEqual([0, 2]);
    expect(file.bo(1)?.refs).toBe(3);
    const root = device.firmware.pageTable?.root as number;
    const written = [...leaves(device.memory, device.format, root)];
    expect(written).toHaveLength(4);
    const pa = file.bo(1)?.pages().pa[0] as number;
    expect(written.map((leaf) => Number(leaf.entry & 0xfffffffc000n) - pa)).toEqual([
      0x4000, 0x8000, 0, 0x4000,
    ]);
    const { entry } = written[0] as { entry: bigint };
    expect(
      uatFirmwareRights(Number(BigInt.asIntN(32, entry)), Number(BigInt.asIntN(32, entry >> 32n))),
    ).not.toBe(0);
    const gpu = new AddressSpace(device.memory, device.format, root);
    expect(gpu.walk((written[0] as { va: number }).va)).toMatchObject({ readable: false, writable: false });
    expect(call({ ...unbind, objectHandle: 1 })[0]).toBe(0);
    expect(call({ ...unbind, objectHandle: 1 })[0]).toBe(-ENOENT);
    expect(file.bo(1)?.refs).toBe(2);
    expect([...leaves(device.memory, device.format, root)]).toHaveLength(2);
    file.close();
    expect(device.gems.size).toBe(0);
  });

  test("an object of one file means nothing in another", () => {
    expect(call({})).toEqual([0, 1]);
    const other = device.open();
    const arg = GEM_BIND_OBJECT.encode({ ...unbind, objectHandle: 1 });
    expect(other.ioctl(IOCTL_GEM_BIND_OBJECT, arg)).toBe(-ENOENT);
    expect(device.firmware.objects).toHaveLength(1);
  });

  test("a gap is filled before the end", () => {
    for (let i = 0; i < 3; i++) call({});
    call({ ...unbind, objectHandle: 2 });
    const vas = () =>
      [...leaves(device.memory, device.format, device.firmware.pageTable?.root as number)].map(
        (leaf) => leaf.va,
      );
    const base = vas()[0] as number;
    expect(vas().map((va) => va - base)).toEqual([0, 0x4000, 0x10000, 0x14000]);
    call({ range: 0xc000 });
    call({});
    expect(vas().map((va) => va - base)).toEqual(Array.from({ length: 9 }, (_, i) => i * 0x4000));
  });

  test.each([
    ["pad", { pad: 1 }, EINVAL],
    ["vm_id", { vmId: 1 }, EINVAL],
    ["op", { op: 2 }, EINVAL],
    ["range", { range: 0x1000 }, EINVAL],
    ["offset", { offset: 0x1000 }, EINVAL],
    ["flags", { flags: 0 }, EINVAL],
    ["handle", { handle: 9 }, ENOENT],
    ["range", { range: 0x14000 }, EINVAL],
    ["range", { ...unbind, range: 0x4000 }, EINVAL],
    ["offset", { ...unbind, offset: 0x4000 }, EINVAL],
    ["flags", { ...unbind, flags: 1 }, EINVAL],
    ["handle", { ...unbind, handle: 1 }, EINVAL],
    ["object_handle", { ...unbind, objectHandle: 1 }, ENOENT],
  ])("refuses a wrong %s", (field, changes, errno) => {
    expect(call(changes)[0]).toBe(-errno);
    expect(file.lastError?.reason).toContain(`gem_bind_object.${field}`);
  });
});

describe("ioctl", () => {
  test("requests are told apart by number; unknown ones, and those of queues, have their own errno", () => {
    expect(file.ioctl(0x40186544, new Uint8Array(24))).toBe(-ENOTTY);
    expect(file.ioctl(0x4018647f, new Uint8Array(24))).toBe(-EINVAL);
    expect(file.ioctl(IOCTL_SUBMIT, new Uint8Array(40))).toBe(-EOPNOTSUPP);
    expect(file.ioctl(IOCTL_VM_BIND, new Uint8Array(23))).toBe(-EFAULT);
  });

  test("an argument of an older, shorter header is extended with zeros and copied back as short", () => {
    const short = VM_CREATE.encode(KERNEL).subarray(0, 20);
    expect(file.ioctl(((IOCTL_VM_CREATE & ~0x3fff0000) | (20 << 16)) >>> 0, short)).toBe(0);
    expect(new DataView(short.buffer, 0, 20).getUint32(16, true)).toBe(1);
  });

  test("no bytes make it throw", () => {
    const requests = [
      DRM_IOCTL_GEM_CLOSE,
      IOCTL_GET_PARAMS,
      IOCTL_VM_CREATE,
      IOCTL_VM_DESTROY,
      IOCTL_VM_BIND,
      IOCTL_GEM_CREATE,
      IOCTL_GEM_MMAP_OFFSET,
      IOCTL_GEM_BIND_OBJECT,
    ];
    // Words from which whole requests get past the first checks now and then.
    const word = fc.oneof(
      fc.constantFrom(0, 1, 2, 4, 6, 8, 0xe, 32, 0x1000, 0x4000, 0xffff_ffff),
      fc.nat(2 ** 31),
    );
    const words = fc.array(word, { minLength: 10, maxLength: 10 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...requests), words), { maxLength: 30 }),
        words,
        fc.boolean(),
        (calls, memory, defects) => {
          const quirks = {
            packedOps: defects,
            emptyRanges: defects,
            stuckTlbiStart: defects,
            foreignPrivateObjects: defects,
          };
          const fuzzed = new AsahiDevice({ quirks }).open();
          fuzzed.vmCreate(KERNEL);
          fuzzed.gemCreate({ size: 0x8000, flags: GEM_VM_PRIVATE, vmId: 1 });
          const user = new UserMemory();
          user.place(0x1000, new Uint8Array(Uint32Array.from([...memory, ...memory]).buffer));
          for (const [request, arg] of calls) {
            const ret = fuzzed.ioctl(request, new Uint8Array(Uint32Array.from(arg).buffer), user);
            expect(ret).toBeLessThanOrEqual(0);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
