/** What the GPU sees at unbound addresses, through real page tables and the TLB. */
import { GpuFault } from "@vmbind/mmu";
import { describe, expect, it } from "vitest";
import { BO_CREATE, MAP_NOEXEC, type PanvkStrategy, PanvkUmd } from "../src/index.ts";
import { bind, createBo, type DeviceOptions, fixture, mustBind, mustIssue, openWithVm } from "./support.ts";

const VA = 0x40000000;
const SIZE = 0x600000;

const strategies: [PanvkStrategy, DeviceOptions, number][] = [
  ["sparse", {}, 0x200000],
  ["sparse", { dummyFragmentation: "scattered" }, 0x200000],
  ["blackhole", { driverVersion: "1.8" }, 0x200000],
  ["repeat", { repeat: "v5" }, 0x200000],
  ["repeat-windows", { repeat: "v5" }, 0x200000],
  ["per-page", {}, 0x1000],
];

for (const [strategy, options, aliasDistance] of strategies) {
  describe(`unbound pages, ${strategy} ${JSON.stringify(options)}`, () => {
    const setup = () => {
      const fx = fixture(options);
      const umd = new PanvkUmd({ strategy, vmId: fx.vmId });
      for (const call of umd.setup()) {
        mustIssue(fx.file, [call]);
        umd.dummyHandle = BO_CREATE.read(new DataView(call.arg.buffer as ArrayBuffer)).handle;
      }
      mustIssue(fx.file, umd.create(VA, SIZE));
      return { ...fx, umd };
    };

    it("read as zero and do not fault", () => {
      const { vm } = setup();
      for (let va = VA; va < VA + SIZE; va += 0x1000) expect(vm.addressSpace.load32(va + 8)).toBe(0);
      expect(() => vm.addressSpace.load32(VA + SIZE)).toThrow(GpuFault);
      expect(() => vm.addressSpace.load32(VA - 4)).toThrow(GpuFault);
    });

    it("take writes, which show through their aliases", () => {
      const { vm } = setup();
      vm.addressSpace.store32(VA + 0x5004, 0xdecafbad);
      expect(vm.addressSpace.load32(VA + aliasDistance + 0x5004)).toBe(0xdecafbad);
      expect(vm.addressSpace.load32(VA + 2 * aliasDistance + 0x5004)).toBe(0xdecafbad);
      expect(vm.addressSpace.load32(VA + 0x5008)).toBe(0);
    });

    it("never show what another open file wrote", () => {
      const first = setup();
      const other = openWithVm(first.device);
      const umd = new PanvkUmd({ strategy, vmId: other.vmId });
      for (const call of umd.setup()) {
        mustIssue(other.file, [call]);
        umd.dummyHandle = BO_CREATE.read(new DataView(call.arg.buffer as ArrayBuffer)).handle;
      }
      mustIssue(other.file, umd.create(VA, SIZE));
      first.vm.addressSpace.store32(VA + 0x123000, 0x5ec12e7);
      for (let va = VA; va < VA + SIZE; va += 0x1000) expect(other.vm.addressSpace.load32(va)).toBe(0);
    });

    it("show memory once bound, and the dummy again once unbound", () => {
      const { vm, umd, file, vmId, device } = setup();
      vm.addressSpace.store32(VA + 0x234000, 1);
      const handle = createBo(file, 0x10000, vmId);
      mustIssue(
        file,
        umd.bind(VA, SIZE, [{ resourceOffset: 0x234000, size: 0x10000, memory: { handle, offset: 0 } }]),
      );
      expect(vm.addressSpace.load32(VA + 0x234000)).toBe(0);
      vm.addressSpace.store32(VA + 0x234000, 77);
      mustIssue(file, umd.bind(VA, SIZE, [{ resourceOffset: 0x234000, size: 0x10000, memory: null }]));
      expect(vm.addressSpace.load32(VA + 0x234000)).toBe(strategy === "repeat" ? 0 : 1);
      mustIssue(file, umd.destroy(VA, SIZE));
      expect(() => vm.addressSpace.load32(VA + 0x234000)).toThrow(GpuFault);
      expect(device.counters.kernelWarnings).toBe(0);
    });
  });
}

describe("the dummy", () => {
  it("does not execute", () => {
    const fx = fixture();
    mustBind(fx, [{ flags: MAP_NOEXEC | 8, va: VA, size: SIZE }]);
    expect(fx.vm.addressSpace.walk(VA).executable).toBe(false);
    expect(bind(fx, [{ flags: 8, va: VA, size: SIZE }]).reason).toMatch(/MAP_SPARSE without MAP_NOEXEC/);
  });
});

describe("the TLB", () => {
  it("holds a translation until the VM's UNLOCK, and only of the VM that unlocks", () => {
    const { device, vm, file, vmId } = fixture();
    const fx = { file, vmId };
    const handle = createBo(file, 0x1000, vmId);
    mustBind(fx, [{ flags: MAP_NOEXEC, boHandle: handle, va: VA, size: 0x1000 }]);
    vm.addressSpace.store32(VA, 5);
    // Behind the driver's back: the entry goes, the TLB still answers.
    vm.pageTable.io.unmapPages(VA, 0x1000, 1);
    expect(vm.addressSpace.walk(VA).kind).toBe("fault");
    expect(vm.addressSpace.load32(VA)).toBe(5);
    const other = openWithVm(device);
    mustBind(other, [{ flags: MAP_NOEXEC | 8, va: VA, size: 0x1000 }]);
    expect(vm.addressSpace.load32(VA)).toBe(5);
    mustBind(fx, [{ flags: MAP_NOEXEC | 8, va: VA + 0x1000, size: 0x1000 }]);
    expect(() => vm.addressSpace.load32(VA)).toThrow(GpuFault);
  });

  it("is empty when a VM gets its AS slot back", () => {
    const fx = fixture();
    const { vm } = fx;
    mustBind(fx, [{ flags: MAP_NOEXEC | 8, va: VA, size: 0x1000 }]);
    vm.addressSpace.load32(VA);
    const others = Array.from({ length: 7 }, () => openWithVm(fx.device).vm);
    expect([vm.as.slot, others.map(({ as }) => as.slot)]).toEqual([0, [2, 3, 4, 5, 6, 7, 1]]);
    const before = { ...fx.device.counters };
    mustBind(fx, [{ flags: 0x10000000, va: VA, size: 0x1000 }]);
    expect(fx.device.counters.asLock).toBe(before.asLock);
    expect(() => vm.addressSpace.load32(VA)).toThrow(GpuFault);
  });
});
