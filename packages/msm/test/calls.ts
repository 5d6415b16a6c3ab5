/** How the tests here speak to the driver: a file as turnip opens it, and VM_BINDs from lists of operations. */

import { type IoctlCall, issue, UserMemory, viewOf } from "@vmbind/drm";
import {
  BO_WC,
  GEM_NEW,
  IOCTL_GEM_NEW,
  IOCTL_SET_PARAM,
  IOCTL_SUBMITQUEUE_NEW,
  IOCTL_VM_BIND,
  type MsmDevice,
  type MsmFile,
  PARAM,
  PARAM_ARG,
  PIPE_3D0,
  SUBMITQUEUE_NEW,
  SUBMITQUEUE_VM_BIND,
  VM_BIND,
  VM_BIND_OP,
  VM_BIND_OPS_UNION,
  type VmBindOp,
} from "../src/index.ts";

const OPS_AT = 0x7000_0000_0000;

/** A file whose VM user space manages, with two queues for binds: 1 and 2. */
export function openWithQueues(device: MsmDevice): MsmFile {
  const file = device.open();
  const param = PARAM_ARG.encode({ pipe: PIPE_3D0, param: PARAM.enVmBind, value: 1 });
  send(file, IOCTL_SET_PARAM, param);
  for (let i = 0; i < 2; i++) {
    send(file, IOCTL_SUBMITQUEUE_NEW, SUBMITQUEUE_NEW.encode({ flags: SUBMITQUEUE_VM_BIND }));
  }
  return file;
}

/** An object's handle. */
export function newObject(file: MsmFile, size: number, flags = BO_WC): number {
  const arg = GEM_NEW.encode({ size, flags });
  send(file, IOCTL_GEM_NEW, arg);
  return GEM_NEW.read(viewOf(arg)).handle;
}

function send(file: MsmFile, request: number, arg: Uint8Array): void {
  const ret = file.ioctl(request, arg, new UserMemory());
  if (ret !== 0) throw new Error(`${ret}: ${file.lastError?.reason}`);
}

/** A VM_BIND; `rest` are members of its argument. */
export function bindCall(
  ops: readonly Partial<VmBindOp>[],
  rest: { queueId?: number; flags?: number; fenceFd?: number } = {},
): IoctlCall {
  const arg = VM_BIND.encode({ queueId: 1, nrOps: ops.length, opStride: VM_BIND_OP.size, ...rest });
  const at = VM_BIND.fields.op.offset;
  const bytes = new Uint8Array(ops.length * VM_BIND_OP.size);
  const view = viewOf(bytes);
  for (const [i, op] of ops.entries()) VM_BIND_OP.write(view, i * VM_BIND_OP.size, op);
  const call = { name: "MSM_VM_BIND", request: IOCTL_VM_BIND, arg, buffers: [] };
  if (ops.length === 1) {
    arg.set(bytes, at);
    return call;
  }
  VM_BIND_OPS_UNION.fields.ops.write(viewOf(arg), at, OPS_AT);
  return { ...call, buffers: [{ addr: OPS_AT, bytes }] };
}

/** A VM_BIND that is carried out. */
export function bind(
  file: MsmFile,
  ops: readonly Partial<VmBindOp>[],
  rest?: Parameters<typeof bindCall>[1],
): number {
  return issue(file, bindCall(ops, rest));
}
