import { DRM_IOCTL_GEM_CLOSE, type IoctlCall, issue, type UserBuffer, UserMemory } from "@vmbind/drm";
import { directories, leaves } from "@vmbind/mmu";
import {
  BO_CREATE,
  GEM_CLOSE,
  IOCTL_BO_CREATE,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTL_VM_DESTROY,
  type PanthorCounters,
  PanthorDevice,
  type PanthorFile,
  type PanthorVm,
  SYNC_OP,
  type SyncOp,
  VM_BIND,
  VM_BIND_ASYNC,
  VM_BIND_OP,
  VM_BIND_OP_REPEAT,
  VM_CREATE,
  VM_DESTROY,
  type VmBindOpRepeat,
} from "../src/index.ts";

export type DeviceOptions = ConstructorParameters<typeof PanthorDevice>[0];

export interface Fixture {
  device: PanthorDevice;
  file: PanthorFile;
  vmId: number;
  vm: PanthorVm;
}

/** A device, an open file and one VM with 2^47 bytes of user VA. */
export function fixture(options: DeviceOptions = {}): Fixture {
  const device = new PanthorDevice(options);
  return { device, ...openWithVm(device) };
}

export function openWithVm(device: PanthorDevice): { file: PanthorFile; vmId: number; vm: PanthorVm } {
  const file = device.open();
  const arg = VM_CREATE.encode({});
  if (file.ioctl(IOCTL_VM_CREATE, arg) !== 0) throw file.lastError;
  const vmId = VM_CREATE.read(new DataView(arg.buffer)).id;
  return { file, vmId, vm: file.vm(vmId) as PanthorVm };
}

export function createBo(file: PanthorFile, size: number, exclusiveVmId = 0, flags = 0): number {
  const arg = BO_CREATE.encode({ size, flags, exclusiveVmId });
  if (file.ioctl(IOCTL_BO_CREATE, arg) !== 0) throw file.lastError;
  return BO_CREATE.read(new DataView(arg.buffer)).handle;
}

export function closeBo(file: PanthorFile, handle: number): number {
  return file.ioctl(DRM_IOCTL_GEM_CLOSE, GEM_CLOSE.encode({ handle }));
}

export function destroyVm(file: PanthorFile, id: number): number {
  return file.ioctl(IOCTL_VM_DESTROY, VM_DESTROY.encode({ id }));
}

export type TestOp = Partial<Omit<VmBindOpRepeat, "syncs">> & { syncs?: Partial<SyncOp>[] };

export interface BindResult {
  ret: number;
  /** `ops.count` after the call. */
  count: number;
  reason: string;
}

export interface BindHow {
  async?: boolean;
  /** Bytes from one operation to the next. */
  stride?: number;
}

/** One VM_BIND, encoded as user space does it. */
export function bind(
  fx: Pick<Fixture, "file" | "vmId">,
  ops: readonly TestOp[],
  how: BindHow = {},
): BindResult {
  const layout = fx.file.device.repeats ? VM_BIND_OP_REPEAT : VM_BIND_OP;
  const stride = how.stride ?? layout.size;
  const user = new UserMemory();
  const buffers: UserBuffer[] = [];
  const bytes = new Uint8Array(ops.length * stride);
  for (const [i, { syncs = [], ...op }] of ops.entries()) {
    const at = 0x710000000000 + i * 0x10000;
    const array = { stride: SYNC_OP.size, count: syncs.length, array: at };
    const encoded = layout.encode({ ...op, syncs: array } as Partial<VmBindOpRepeat>);
    bytes.set(encoded.subarray(0, Math.min(stride, encoded.length)), i * stride);
    const syncBytes = new Uint8Array(syncs.length * SYNC_OP.size);
    for (const [k, s] of syncs.entries()) SYNC_OP.write(new DataView(syncBytes.buffer), k * SYNC_OP.size, s);
    buffers.push({ addr: at, bytes: syncBytes });
  }
  buffers.push({ addr: 0x700000000000, bytes });
  for (const b of buffers) user.place(b.addr, b.bytes);
  const arg = VM_BIND.encode({
    vmId: fx.vmId,
    flags: how.async ? VM_BIND_ASYNC : 0,
    ops: { stride, count: ops.length, array: 0x700000000000 },
  });
  const ret = fx.file.ioctl(IOCTL_VM_BIND, arg, user);
  const { count } = VM_BIND.read(new DataView(arg.buffer)).ops;
  return { ret, count, reason: fx.file.lastError?.reason ?? "" };
}

/** Bind that must succeed. */
export function mustBind(
  fx: Pick<Fixture, "file" | "vmId">,
  ops: readonly TestOp[],
  how: BindHow = {},
): void {
  const { ret, reason } = bind(fx, ops, how);
  if (ret !== 0) throw new Error(`VM_BIND: ${ret} ${reason}`);
}

export function mustIssue(file: PanthorFile, calls: readonly IoctlCall[]): void {
  for (const call of calls) if (issue(file, call) !== 0) throw file.lastError;
}

export function costSince(device: PanthorDevice, before: PanthorCounters): PanthorCounters {
  const cost = { ...device.counters };
  for (const name of Object.keys(cost) as (keyof PanthorCounters)[]) cost[name] -= before[name];
  return cost;
}

/** What the page table holds: blocks, pages, and tables of levels 1 to 3. */
export function tableShape(vm: PanthorVm): { blocks: number; ptes: number; tables: string } {
  const { memory, format, root } = vm.addressSpace;
  const found = [...leaves(memory, format, root)];
  const tables = [0, 0, 0];
  for (const { level } of directories(memory, format, root)) tables[level] = (tables[level] as number) + 1;
  return {
    blocks: found.filter((l) => l.level === 2).length,
    ptes: found.filter((l) => l.level === 3).length,
    tables: tables.join("/"),
  };
}
