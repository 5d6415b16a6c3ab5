/** VM_BINDs that wait: gates, queues, and what the GPU sees meanwhile. */

import { Fence, UserMemory } from "@vmbind/drm";
import * as xe from "../src/index.ts";
import { bind, type Fixture, type Op } from "./support.ts";

const SYNCS = 0x6000_0000;
const USER_FENCE = 0x9000;
const INSTANCES = 0x1000;
export const FAULT_MODE = xe.VM_CREATE_FLAG_FAULT_MODE | xe.VM_CREATE_FLAG_LR_MODE;
export const PAT = 1;

/** A syncobj with a fence that has not happened. */
export function gate(f: Fixture): [handle: number, fence: Fence] {
  const fence = new Fence();
  const handle = f.file.syncobjs.create();
  f.file.syncobjs.get(handle)?.attach(0, fence);
  return [handle, fence];
}

export interface Order {
  /** Syncobjs to wait for. */
  waits?: readonly number[];
  queue?: number;
  /** A user fence as well. */
  user?: Uint8Array;
}

/** A VM_BIND with syncs, which has to succeed unless it waits for an errno; gives its end. */
export function bindBehind(
  f: Fixture,
  ops: readonly Op[],
  { waits = [], queue = 0, user }: Order = {},
): { ret: number; end: Fence } {
  const out = f.file.syncobjs.create();
  const syncs: Partial<xe.Sync>[] = waits.map((addr) => ({ addr }));
  if (!f.vm.longRunning) syncs.push({ addr: out, flags: xe.SYNC_FLAG_SIGNAL });
  if (user) syncs.push({ type: xe.SYNC_TYPE_USER_FENCE, flags: 1, addr: USER_FENCE, timelineValue: 5 });
  const bytes = new Uint8Array(syncs.length * xe.SYNC.size);
  syncs.forEach((sync, i) => {
    xe.SYNC.write(new DataView(bytes.buffer), i * xe.SYNC.size, sync);
  });
  const memory = new UserMemory();
  memory.place(SYNCS, bytes);
  if (user) memory.place(USER_FENCE, user);
  const head = { execQueueId: queue, numSyncs: syncs.length, syncs: SYNCS };
  const ret = bind(f.file, ops, head, memory);
  return { ret, end: f.file.syncobjs.get(out)?.find(0) ?? new Fence() };
}

export function bindQueue(f: Fixture): number {
  const user = new UserMemory();
  user.place(INSTANCES, xe.ENGINE_CLASS_INSTANCE.encode({ engineClass: xe.ENGINE_CLASS_VM_BIND }));
  const arg = xe.EXEC_QUEUE_CREATE.encode({ width: 1, numPlacements: 1, vmId: 1, instances: INSTANCES });
  if (f.file.ioctl(xe.IOCTL_EXEC_QUEUE_CREATE, arg, user) !== 0) throw f.file.lastError;
  return xe.EXEC_QUEUE_CREATE.read(new DataView(arg.buffer)).execQueueId;
}

export const seen = (f: Fixture, va: number): string => {
  const { kind, pa } = f.vm.addressSpace.translate(va);
  return kind === "page" ? `0x${pa.toString(16)}` : kind;
};
export const pageOf = (f: Fixture, bo: number, offset: number): string =>
  `0x${f.file.bo(bo)?.pages?.addressAt(offset).toString(16)}`;
export const check = (f: Fixture): void => xe.checkDeviceInvariants(f.device, [f.file]);
