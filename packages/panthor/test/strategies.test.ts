/** The table of spec section 10: what 100e6 bytes of unbound VA cost, from umd through ioctl bytes to page tables. */
import { describe, expect, it } from "vitest";
import { BO_CREATE, type PanvkOptions, PanvkUmd } from "../src/index.ts";
import { costSince, type DeviceOptions, fixture, mustIssue, tableShape } from "./support.ts";

const SIZE = 100_000_000;
const ALIGNED = 0x2640000000;

interface Row {
  name: string;
  va: number;
  size?: number;
  umd: Omit<PanvkOptions, "vmId">;
  device?: DeviceOptions;
  create: Record<string, number | string>;
  destroy?: Record<string, number | string>;
}

const rows: Row[] = [
  {
    name: "per page",
    va: ALIGNED,
    umd: { strategy: "per-page" },
    create: {
      ops: 24415,
      ioctls: 1526,
      vmas: 24415,
      mapCalls: 24415,
      blocks: 0,
      ptes: 24415,
      tables: "1/1/48",
      lock: 24415,
      flush: 24415,
      unlock: 24415,
      reserved: 73245,
      used: 50,
    },
  },
  {
    name: "blackhole",
    va: ALIGNED,
    umd: { strategy: "blackhole" },
    create: {
      ops: 48,
      ioctls: 3,
      vmas: 48,
      mapCalls: 48,
      blocks: 47,
      ptes: 351,
      tables: "1/1/1",
      lock: 48,
      flush: 48,
      unlock: 48,
    },
    destroy: { ops: 1, unmapCalls: 48, reserved: 1, tables: "1/1/1" },
  },
  {
    name: "repeat, one page",
    va: ALIGNED,
    umd: { strategy: "repeat", repeatWindow: 0x1000 },
    device: { repeat: "v5" },
    create: {
      ops: 1,
      ioctls: 1,
      vmas: 1,
      mapCalls: 24415,
      blocks: 0,
      ptes: 24415,
      tables: "1/1/48",
      lock: 1,
      flush: 1,
      unlock: 1,
    },
    destroy: { unmapCalls: 2, freed: 47, reserved: 1, tables: "1/1/1" },
  },
  {
    name: "repeat, 2 MiB",
    va: ALIGNED,
    size: 48 * 0x200000,
    umd: { strategy: "repeat", repeatWindow: 0x200000 },
    device: { repeat: "v5" },
    create: {
      ops: 1,
      ioctls: 1,
      vmas: 1,
      mapCalls: 48,
      blocks: 48,
      ptes: 0,
      tables: "1/1/0",
      lock: 1,
      flush: 1,
      unlock: 1,
    },
  },
  {
    name: "repeat of whole windows",
    va: ALIGNED,
    umd: { strategy: "repeat-windows" },
    device: { repeat: "v5" },
    create: { ops: 2, ioctls: 1, vmas: 2, mapCalls: 48, blocks: 47, ptes: 351, tables: "1/1/1", lock: 2 },
  },
  {
    name: "repeat of whole windows, unaligned",
    va: ALIGNED + 0x3000,
    umd: { strategy: "repeat-windows" },
    device: { repeat: "v5" },
    create: { ops: 3, ioctls: 1, vmas: 3, blocks: 46, ptes: 863, tables: "1/1/2" },
  },
  {
    name: "repeat of whole windows, less than one",
    va: ALIGNED + 0x1fe000,
    size: 0x4000,
    umd: { strategy: "repeat-windows" },
    device: { repeat: "v5" },
    create: { ops: 2, vmas: 2, blocks: 0, ptes: 4, tables: "1/1/2" },
  },
  {
    name: "sparse",
    va: ALIGNED,
    umd: { strategy: "sparse" },
    create: {
      ops: 1,
      ioctls: 1,
      vmas: 1,
      mapCalls: 48,
      blocks: 47,
      ptes: 351,
      tables: "1/1/1",
      lock: 1,
      flush: 1,
      unlock: 1,
      reserved: 50,
      used: 3,
    },
    destroy: { unmapCalls: 2, freed: 0, reserved: 1, tables: "1/1/1" },
  },
  {
    name: "sparse, scattered dummy",
    va: ALIGNED,
    umd: { strategy: "sparse" },
    device: { dummyFragmentation: "scattered" },
    create: {
      ops: 1,
      ioctls: 1,
      vmas: 1,
      mapCalls: 24415,
      blocks: 0,
      ptes: 24415,
      tables: "1/1/48",
      lock: 1,
      flush: 1,
      unlock: 1,
    },
  },
  {
    name: "blackhole, unaligned",
    va: ALIGNED + 0x3000,
    umd: { strategy: "blackhole" },
    create: { ops: 48, blocks: 46, ptes: 863, tables: "1/1/2" },
  },
  {
    name: "sparse, unaligned",
    va: ALIGNED + 0x3000,
    umd: { strategy: "sparse" },
    create: { ops: 1, blocks: 46, ptes: 863, tables: "1/1/2" },
    destroy: { unmapCalls: 3, reserved: 2 },
  },
  {
    name: "repeat, 2 MiB, unaligned",
    va: ALIGNED + 0x3000,
    size: 48 * 0x200000,
    umd: { strategy: "repeat", repeatWindow: 0x200000 },
    device: { repeat: "v5" },
    create: { blocks: 0, ptes: 24576, tables: "1/1/49", mapCalls: 96 },
  },
];

describe("what 100e6 bytes of unbound VA cost", () => {
  for (const row of rows) {
    it(row.name, () => {
      const { device, file, vmId, vm } = fixture(row.device);
      const umd = new PanvkUmd({ ...row.umd, vmId });
      for (const call of umd.setup()) {
        mustIssue(file, [call]);
        umd.dummyHandle = BO_CREATE.read(new DataView(call.arg.buffer as ArrayBuffer)).handle;
      }
      const measure = (run: () => void): Record<string, number | string> => {
        const before = { ...device.counters };
        run();
        const cost = costSince(device, before);
        return {
          ops: cost.bindOps,
          ioctls: cost.bindIoctls,
          vmas: vm.gpuvm.count,
          mapCalls: cost.ioMapCalls,
          unmapCalls: cost.ioUnmapCalls,
          lock: cost.asLock,
          flush: cost.asFlush,
          unlock: cost.asUnlock,
          reserved: cost.tablesReserved,
          used: cost.tablesAllocated,
          freed: cost.tablesFreed,
          ...tableShape(vm),
        };
      };
      const size = row.size ?? SIZE;
      expect(measure(() => mustIssue(file, umd.create(row.va, size)))).toMatchObject(row.create);
      const after = measure(() => mustIssue(file, umd.destroy(row.va, size)));
      expect(after).toMatchObject({ ops: 1, vmas: 0, blocks: 0, ptes: 0, lock: 1, ...row.destroy });
    });
  }

  it("counts one vm_bo and one object reference, however many mappings there are", () => {
    const { file, vmId, vm } = fixture();
    const umd = new PanvkUmd({ strategy: "blackhole", vmId, dummyHandle: 1 });
    mustIssue(file, [...umd.setup(), ...umd.create(ALIGNED, SIZE)]);
    const bo = file.bo(1);
    expect([bo?.refs, bo?.vmBos.length, bo?.vmBos[0]?.refs]).toEqual([2, 1, 48]);
    expect(vm.gpuvm.extobjs()).toEqual([]);
  });

  it("puts the dummy, and only it, on the external-object list", () => {
    const { file, vmId, vm } = fixture();
    mustIssue(file, new PanvkUmd({ strategy: "sparse", vmId }).create(ALIGNED, SIZE));
    expect(vm.gpuvm.extobjs().map((vmBo) => vmBo.gem)).toEqual([file.dummy]);
    // The file, the VM, and the vm_bo.
    expect(file.dummy.refs).toBe(3);
  });
});

it("a strategy that there is none of is told with those that there are", () => {
  const options: PanvkOptions = JSON.parse('{"strategy":"spares"}');
  expect(() => new PanvkUmd(options)).toThrow(
    'strategy: "spares" is none of sparse, blackhole, repeat, repeat-windows, per-page',
  );
});
