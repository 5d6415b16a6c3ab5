import { describe, expect, test } from "vitest";
import {
  AddressSpace,
  addressHi,
  addressLo,
  descriptor,
  directories,
  leaves,
  PhysicalMemory,
  RIGHT_READ,
  RIGHT_WRITE,
  UAT_PROT,
  type UatProt,
  uat,
  uatFirmwareRights,
  uatGpuRights,
  uatLeafHi,
  uatLeafLo,
  uatProt,
  uatTableHi,
  uatTableLo,
  uatTtb,
  writeAscending,
  writeDirectory,
  writeRepeated,
} from "../src/index.ts";

const PA = 0x8_0000_0000;

function leaf(pa: number, prot: UatProt, user: boolean): bigint {
  return descriptor(addressLo(pa) | uatLeafLo(prot, user), addressHi(pa) | uatLeafHi(prot));
}

describe("UAT descriptors", () => {
  test.each([
    ["gpuReadWrite", 0x00c0000800000c8bn, 0x00c000080000048bn],
    ["gpuReadOnly", 0x0080000800000c8bn, 0x008000080000048bn],
    ["gpuWriteOnly", 0x00a0000800000c8bn, 0x00a000080000048bn],
    ["sharedReadWrite", 0x00e0000800000c0bn, 0x00e000080000040bn],
    ["sharedReadWriteCached", 0x00e0000800000c03n, 0x00e0000800000403n],
    ["firmwareReadWriteGpuReadCached", 0x00e0000800000c43n, 0x00e0000800000443n],
    ["firmwareReadWriteCached", 0x00c0000800000c43n, 0x00c0000800000443n],
    ["firmwareReadWrite", 0x00c0000800000c4bn, 0x00c000080000044bn],
    ["firmwareReadOnly", 0x0080000800000c4bn, 0x008000080000044bn],
    ["firmwareReadWriteDevice", 0x00c0000800000c47n, 0x00c0000800000447n],
    ["firmwareReadOnlyDevice", 0x0080000800000c47n, 0x0080000800000447n],
  ] as const)("%s", (name, user, kernel) => {
    const prot = UAT_PROT[name];
    expect(leaf(PA, prot, true)).toBe(user);
    expect(leaf(PA, prot, false)).toBe(kernel);
    expect(uatProt(uatLeafLo(prot, true), uatLeafHi(prot))).toEqual(prot);
  });

  /** Columns: AP, UXN, PXN, rights of the firmware, rights of the GPU. */
  test.each([
    [0, 0, 0, "", ""],
    [0, 0, 1, "R", "R"],
    [0, 1, 0, "W", "W"],
    [0, 1, 1, "RW", "RW"],
    [1, 0, 0, "R", ""],
    [1, 0, 1, "", ""],
    [1, 1, 0, "RW", ""],
    [1, 1, 1, "RW", "R"],
    [2, 0, 0, "", "R"],
    [2, 0, 1, "", "W"],
    [2, 1, 0, "", "RW"],
    [2, 1, 1, "", ""],
    [3, 1, 1, "", ""],
  ])("AP %i, UXN %i, PXN %i: firmware '%s', GPU '%s'", (ap, uxn, pxn, firmware, gpu) => {
    const prot = { attr: 2, ap, uxn: uxn === 1, pxn: pxn === 1 };
    const [lo, hi] = [uatLeafLo(prot, true), uatLeafHi(prot)];
    const name = (rights: number) => (rights & RIGHT_READ ? "R" : "") + (rights & RIGHT_WRITE ? "W" : "");
    expect(name(uatFirmwareRights(lo, hi))).toBe(firmware);
    expect(name(uatGpuRights(lo, hi))).toBe(gpu);
    expect(uatProt(lo, hi)).toEqual(prot);
  });

  test("without bit 55, or without the access flag, nothing is granted", () => {
    const { gpuReadWrite } = UAT_PROT;
    const [lo, hi] = [uatLeafLo(gpuReadWrite, true), uatLeafHi(gpuReadWrite)];
    expect(uatGpuRights(lo, hi & ~(1 << 23))).toBe(0);
    expect(uatGpuRights(lo & ~(1 << 10), hi)).toBe(0);
  });

  test("a context table value names root and address space", () => {
    expect(uatTtb(0x10_0000_0000, 5)).toBe(0x0005_0010_0000_0001n);
  });

  test.each([31, 49, Number.NaN])("an output address size of %d is refused", (oas) => {
    expect(() => uat(oas)).toThrow("expected oas 32..48");
  });
});

test("the worked example: binds across a table boundary, and an unbind", () => {
  const memory = new PhysicalMemory({ tableBytes: 16384, tableBase: 0x10_0000_0000, tableStride: 0x4000 });
  const { tables } = memory;
  // Tables in the order in which the driver needs them.
  const [root, l2a, l3a, l3b, l2b, l3c] = Array.from({ length: 6 }, () => tables.alloc()) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const link = (parent: number, index: number, child: number): void => {
    const pa = tables.address(child);
    writeDirectory(tables, parent, index, uatTableLo(pa), uatTableHi(pa));
  };
  const halves = (pa: number, prot: UatProt): [number, number] => [
    addressLo(pa) | uatLeafLo(prot, true),
    addressHi(pa) | uatLeafHi(prot),
  ];
  link(root, 2, l2a);
  link(l2a, 0, l3a);
  writeAscending(tables, l3a, 0, 2, ...halves(0x8_0000_4000, UAT_PROT.gpuReadWrite), 0x4000);
  link(l2a, 1, l3b);
  writeRepeated(tables, l3a, 2047, 1, ...halves(0x7_0000_0000, UAT_PROT.gpuReadWrite));
  writeRepeated(tables, l3b, 0, 3, ...halves(0x7_0000_0000, UAT_PROT.gpuReadWrite));
  link(root, 3, l2b);
  link(l2b, 0, l3c);
  writeRepeated(tables, l3c, 0, 3, ...halves(0x7_0000_0000, UAT_PROT.gpuReadOnly));

  const rootPa = tables.address(root);
  const hex = (value: number | bigint) => `0x${value.toString(16)}`;
  expect([...directories(memory, uat(), rootPa)].map((d) => [d.level, hex(d.va), hex(d.entry)])).toEqual([
    [1, "0x2000000000", "0x1000004003"],
    [2, "0x2000000000", "0x1000008003"],
    [2, "0x2002000000", "0x100000c003"],
    [1, "0x3000000000", "0x1000010003"],
    [2, "0x3000000000", "0x1000014003"],
  ]);
  expect([...leaves(memory, uat(), rootPa)].map((l) => [l.level, hex(l.va), hex(l.entry)])).toEqual([
    [3, "0x2000000000", "0xc0000800004c8b"],
    [3, "0x2000004000", "0xc0000800008c8b"],
    [3, "0x2001ffc000", "0xc0000700000c8b"],
    [3, "0x2002000000", "0xc0000700000c8b"],
    [3, "0x2002004000", "0xc0000700000c8b"],
    [3, "0x2002008000", "0xc0000700000c8b"],
    [3, "0x3000000000", "0x80000700000c8b"],
    [3, "0x3000004000", "0x80000700000c8b"],
    [3, "0x3000008000", "0x80000700000c8b"],
  ]);

  writeRepeated(tables, l3b, 0, 1, 0, 0);
  const space = new AddressSpace(memory, uat(), rootPa);
  expect(space.walk(0x20_0000_0123)).toMatchObject({ kind: "page", pa: 0x8_0000_4123, sizeBytes: 0x4000 });
  expect(space.walk(0x20_0200_4abc)).toMatchObject({ kind: "page", pa: 0x7_0000_0abc });
  expect(space.walk(0x20_0200_0000)).toMatchObject({ kind: "fault", faultLevel: 3 });
  expect(space.walk(0x3000008000).writable).toBe(false);
});
