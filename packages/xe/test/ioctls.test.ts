/** Request numbers, queries, and arguments of any bytes. */
import { EFAULT, EINVAL, ENOSPC, EOPNOTSUPP, UserMemory } from "@vmbind/drm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as xe from "../src/index.ts";
import { fixture, GIB, MIB, map, mustBind, nul, prefetch } from "./support.ts";

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
    ["dg2-g11", 0x56a5, 1, 0x10000, 48],
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
