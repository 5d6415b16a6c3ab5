/** VM_GET_PROPERTY: the faults that the driver recorded of a VM (`xe_vm.c`, `xe_pagefault.c`, Linux 7.3-rc7). */
import { EFAULT, EINVAL, ENOENT, UserMemory } from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import * as xe from "../src/index.ts";
import { fixture, GIB, MIB, map, mustBind, nul, systemBo } from "./support.ts";

const DATA = 0x5000;
const FAULT_MODE = xe.VM_CREATE_FLAG_FAULT_MODE | xe.VM_CREATE_FLAG_LR_MODE;

function get(file: xe.XeFile, fields: Partial<xe.VmGetProperty>, bytes = new Uint8Array(64 * 48)): number {
  const user = new UserMemory();
  user.place(DATA, bytes);
  const arg = xe.VM_GET_PROPERTY.encode({ vmId: 1, data: DATA, ...fields });
  const ret = file.ioctl(xe.IOCTL_VM_GET_PROPERTY, arg, user);
  return ret === 0 ? xe.VM_GET_PROPERTY.read(new DataView(arg.buffer)).size : ret;
}

function faults(file: xe.XeFile): xe.VmFault[] {
  const size = get(file, {});
  const bytes = new Uint8Array(size);
  if (size > 0) expect(get(file, { size }, bytes)).toBe(size);
  return Array.from({ length: size / 48 }, (_, i) => xe.VM_FAULT.read(new DataView(bytes.buffer), 48 * i));
}

const touch = (access: () => unknown): void => expect(access).toThrow();

describe("VM_GET_PROPERTY", () => {
  it("checks the struct, the VM, the property and the size, in this order", () => {
    const { file, vm } = fixture("bmg");
    for (let i = 0; i < 3; i++) touch(() => vm.addressSpace.load32(i * GIB));
    expect(get(file, { reserved: [0, 0, 1], vmId: 9 })).toBe(-EINVAL);
    expect(get(file, { extensions: 1, vmId: 9 })).toBe(-EINVAL);
    expect(get(file, { pad: 1, vmId: 9 })).toBe(-EINVAL);
    expect(get(file, { vmId: 9, property: 1 })).toBe(-ENOENT);
    expect(get(file, { property: 1 })).toBe(-EINVAL);
    expect(get(file, {})).toBe(3 * 48);
    expect(get(file, { size: 4 * 48 })).toBe(-EINVAL);
    expect(get(file, { size: 47 })).toBe(-EINVAL);
    expect(get(file, { size: 48, data: 0x9000 })).toBe(-EFAULT);
    expect([get(file, { size: 48 }), get(file, { size: 3 * 48 })]).toEqual([48, 3 * 48]);
  });

  it("tells of every access that was refused", () => {
    const f = fixture("bmg");
    mustBind(f.file, { ...map(GIB, MIB, systemBo(f, MIB), 0, 2), flags: xe.VM_BIND_FLAG_READONLY });
    touch(() => f.vm.addressSpace.load32(0x1234));
    touch(() => f.vm.addressSpace.store32(GIB + MIB, 1));
    touch(() => f.vm.addressSpace.store32(GIB + 8, 1));
    f.vm.addressSpace.load32(GIB);
    expect(faults(f.file)).toMatchObject([
      {
        address: 0x1000,
        addressPrecision: 4096,
        accessType: xe.FAULT_ACCESS_TYPE_READ,
        faultType: 0,
        faultLevel: 2,
      },
      { address: GIB + MIB, accessType: xe.FAULT_ACCESS_TYPE_WRITE, faultType: 0, faultLevel: 0 },
      {
        address: GIB,
        accessType: xe.FAULT_ACCESS_TYPE_WRITE,
        faultType: xe.FAULT_TYPE_WRITE_ACCESS,
        faultLevel: 0,
      },
    ]);
  });

  it("keeps the first fifty", () => {
    const { file, vm } = fixture("bmg");
    for (let i = 0; i < 60; i++) touch(() => vm.addressSpace.load32(i * 4096));
    expect(faults(file).map(({ address }) => address)).toEqual(
      Array.from({ length: 50 }, (_, i) => i * 4096),
    );
  });

  it("tells in fault mode of those only that could not be served", () => {
    const { file, vm } = fixture("bmg", {}, FAULT_MODE);
    mustBind(file, { ...nul(GIB, GIB), flags: xe.VM_BIND_FLAG_NULL | xe.VM_BIND_FLAG_READONLY });
    touch(() => vm.addressSpace.load32(GIB));
    vm.fault(GIB);
    touch(() => vm.fault(GIB, { write: true }));
    touch(() => vm.fault(4 * GIB + 5, { atomic: true }));
    expect(faults(file)).toMatchObject([
      {
        address: GIB,
        accessType: xe.FAULT_ACCESS_TYPE_WRITE,
        faultType: xe.FAULT_TYPE_WRITE_ACCESS,
        faultLevel: 2,
      },
      { address: 4 * GIB, accessType: xe.FAULT_ACCESS_TYPE_ATOMIC, faultType: xe.FAULT_TYPE_NOT_PRESENT },
    ]);
  });
});
