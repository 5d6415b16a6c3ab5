import { type DeviceChoices, UserMemory } from "@vmbind/drm";
import type { ScatterList } from "@vmbind/mmu";
import * as xe from "../src/index.ts";

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;

export interface Fixture {
  device: xe.XeDevice;
  file: xe.XeFile;
  vm: xe.XeVm;
}

/** A device, an open file and one VM. */
export function fixture(
  platform: string,
  options: DeviceChoices<xe.XeDeviceOptions> = {},
  flags = 0,
): Fixture {
  const device = new xe.XeDevice({ platform, ...options });
  const file = device.open();
  const arg = xe.VM_CREATE.encode({ flags });
  if (file.ioctl(xe.IOCTL_VM_CREATE, arg) !== 0) throw file.lastError;
  return { device, file, vm: file.vm(1) as xe.XeVm };
}

export type Op = Partial<xe.VmBindOp>;

export const nul = (addr: number, range: number, flags = 0): Op => ({
  op: xe.VM_BIND_OP_MAP,
  flags: flags | xe.VM_BIND_FLAG_NULL,
  addr,
  range,
});
export const map = (
  addr: number,
  range: number,
  obj: number,
  objOffset = 0,
  patIndex = 0,
  flags = 0,
): Op => ({
  op: xe.VM_BIND_OP_MAP,
  addr,
  range,
  obj,
  objOffset,
  patIndex,
  flags,
});
export const unmap = (addr: number, range: number): Op => ({ op: xe.VM_BIND_OP_UNMAP, addr, range });
export const unmapAll = (obj: number): Op => ({ op: xe.VM_BIND_OP_UNMAP_ALL, obj });
export const prefetch = (addr: number, range: number): Op => ({ op: xe.VM_BIND_OP_PREFETCH, addr, range });

const VECTOR = 0x7000_0000_0000;

/** One VM_BIND; returns 0 or a negative errno. */
export function bind(
  file: xe.XeFile,
  ops: readonly Op[],
  head: Partial<xe.VmBind> = {},
  user = new UserMemory(),
): number {
  const arg = xe.VM_BIND.encode({ vmId: 1, numBinds: ops.length, ...head });
  const view = new DataView(arg.buffer);
  const at = xe.VM_BIND.fields.bind.offset;
  if (ops.length === 1) xe.VM_BIND_OP.write(view, at, ops[0] as Op);
  else if (ops.length > 1) {
    const bytes = new Uint8Array(ops.length * xe.VM_BIND_OP.size);
    ops.forEach((op, i) => {
      xe.VM_BIND_OP.write(new DataView(bytes.buffer), i * xe.VM_BIND_OP.size, op);
    });
    user.place(VECTOR, bytes);
    xe.VM_BIND_VECTOR.write(view, at, { vectorOfBinds: VECTOR });
  }
  return file.ioctl(xe.IOCTL_VM_BIND, arg, user);
}

/** The same, but it has to succeed. */
export function mustBind(file: xe.XeFile, ...ops: Op[]): void {
  if (bind(file, ops) !== 0) throw file.lastError;
}

/** A private object of VM 1 in system memory. */
export function systemBo({ file, vm }: Fixture, size: number, pages?: ScatterList): number {
  const options: xe.XeBoOptions = { placement: xe.PLACEMENT_SYSTEM, cpuCaching: xe.GEM_CPU_CACHING_WB, vm };
  return file.createBo(size, pages === undefined ? options : { ...options, pages });
}

/** A private object of VM 1 in VRAM. */
export function vramBo({ file, vm }: Fixture, size: number): number {
  return file.createBo(size, { placement: xe.PLACEMENT_VRAM, cpuCaching: xe.GEM_CPU_CACHING_WC, vm });
}
