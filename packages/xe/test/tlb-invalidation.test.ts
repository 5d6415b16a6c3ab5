import { describe, expect, it } from "vitest";
import * as xe from "../src/index.ts";
import { fixture, GIB, mustBind, nul, unmap } from "./support.ts";

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
