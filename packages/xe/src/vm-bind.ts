/**
 * One VM_BIND ioctl: decode, check in the kernel's order, run all operations or none.
 *
 * The order matters to whoever compares errno values with a real kernel: first the struct, then every operation by
 * itself, then the bind queue, then every operation against the VM and its object, then the syncs; only then is
 * anything changed. What the GPU sees changes later, when the ioctl has to wait for something: see `bind-jobs.ts`.
 *
 * @module
 */

import {
  DrmError,
  decimal,
  EINVAL,
  ENOBUFS,
  ENOENT,
  EOPNOTSUPP,
  type Fence,
  fail,
  readU64,
  type Syncobj,
  signaledFence,
  type UserSpace,
} from "@vmbind/drm";
import type { XeBo } from "./bo.ts";
import type { XeFile } from "./file.ts";
import type { Platform } from "./platforms.ts";
import {
  MAX_SYNCS,
  SYNC,
  SYNC_FLAG_SIGNAL,
  SYNC_TYPE_SYNCOBJ,
  SYNC_TYPE_TIMELINE_SYNCOBJ,
  SYNC_TYPE_USER_FENCE,
  type Sync,
  VM_BIND,
  VM_BIND_OP,
  VM_BIND_OP_MAP,
  VM_BIND_OP_MAP_USERPTR,
} from "./uapi.ts";
import type { XeVm } from "./vm.ts";
import { checkBo, checkOp, checkRange, patBits, XeBindOp } from "./vm-bind-args.ts";

const NO_FENCES: readonly Fence[] = [];
const USER_FENCE_BYTES = 8;
/** Largest array that the kernel allocates. */
const MAX_ALLOC = 0x7fff_ffff;

const VM_ID = VM_BIND.fields.vmId.offset;
const EXEC_QUEUE_ID = VM_BIND.fields.execQueueId.offset;
const PAD = VM_BIND.fields.pad.offset;
const NUM_BINDS = VM_BIND.fields.numBinds.offset;
const BIND = VM_BIND.fields.bind.offset;
const PAD2 = VM_BIND.fields.pad2.offset;
const NUM_SYNCS = VM_BIND.fields.numSyncs.offset;
const SYNCS = VM_BIND.fields.syncs.offset;
const RESERVED = VM_BIND.fields.reserved.offset;
const SIZE = VM_BIND.size;
const OP_SIZE = VM_BIND_OP.size;

/** Runs VM_BIND calls of a device; its operation records are reused. */
export class VmBindRunner {
  readonly #ops: XeBindOp[] = [];
  readonly #pats: Uint8Array;

  /** @param platform - the device */
  constructor(platform: Platform) {
    this.#pats = patBits(platform);
  }

  /**
   * Run one call.
   *
   * @param file - the caller
   * @param arg - `drm_xe_vm_bind`
   * @param user - memory behind its pointers
   * @throws `DrmError` as listed in the kernel's order; then nothing was changed
   */
  run(file: XeFile, arg: DataView, user: UserSpace): void {
    const { platform, counters, options } = file.device;
    counters.bindIoctls++;

    const vmId = arg.getUint32(VM_ID, true);
    const vm = file.vm(vmId);
    if (vm === undefined) fail(EINVAL, `vm_bind.vm_id: no VM ${vmId}`);
    if (arg.getUint32(PAD, true) !== 0) fail(EINVAL, "vm_bind.pad: must be 0");
    if (arg.getUint32(PAD2, true) !== 0) fail(EINVAL, "vm_bind.pad2: must be 0");
    let reserved = 0;
    for (let at = RESERVED; at < SIZE; at += 4) reserved |= arg.getInt32(at, true);
    if (reserved !== 0) fail(EINVAL, "vm_bind.reserved: must be 0");
    if ((arg.getInt32(0, true) | arg.getInt32(4, true)) !== 0) fail(EINVAL, "vm_bind.extensions: must be 0");
    const numSyncs = arg.getUint32(NUM_SYNCS, true);
    if (numSyncs > MAX_SYNCS) fail(EINVAL, `vm_bind.num_syncs: ${numSyncs} is above ${MAX_SYNCS}`);

    const count = arg.getUint32(NUM_BINDS, true);
    let view = arg;
    let at = BIND;
    if (count > 1) {
      const bytes = count * OP_SIZE;
      if (bytes > MAX_ALLOC || options.allocFault?.("op-array")) {
        fail(ENOBUFS, `vm_bind.num_binds: no memory for ${count} operations`);
      }
      view = user.view(readU64(arg, BIND), bytes);
      counters.payloadBytes += bytes;
      at = 0;
    }
    counters.bindOps += count;
    const ops = this.#ops;
    const pats = this.#pats;
    while (ops.length < count) ops.push(new XeBindOp());
    for (let i = 0; i < count; i++) {
      const op = ops[i] as XeBindOp;
      op.read(view, at + i * OP_SIZE, i, count);
      checkOp(op, platform, pats, vm.faultMode, options.debugBuild);
    }

    const queueId = arg.getUint32(EXEC_QUEUE_ID, true);
    if (queueId !== 0) checkQueue(file, vm, queueId);
    for (let i = 0; i < count; i++) checkRange(ops[i] as XeBindOp, vm.size);
    for (let i = 0; i < count; i++) {
      const op = ops[i] as XeBindOp;
      if (op.obj === 0) continue;
      const bo = file.bo(op.obj);
      if (bo === undefined) fail(ENOENT, `${op.name}.obj: no object with handle ${op.obj}`);
      checkBo(op, bo, platform, pats);
      op.bo = bo;
    }
    const syncs = numSyncs === 0 ? null : readSyncs(file, vm, user, readU64(arg, SYNCS), numSyncs, count);
    for (let i = 0; i < count; i++) {
      const op = ops[i] as XeBindOp;
      if (op.bo !== null && op.bo.vm !== null && op.op === VM_BIND_OP_MAP)
        checkOwner(op, op.bo, vm, options.quirks.foreignPrivateObjects);
      if (op.op !== VM_BIND_OP_MAP_USERPTR) continue;
      op.userPages = file.userPages;
      op.process = user.process;
    }

    const queue = queueId === 0 ? vm : file.execQueue(queueId);
    const waits = syncs === null ? NO_FENCES : syncs.waits.filter((fence) => !fence.signaled);
    const done = vm.execute(ops, count, queue, waits);
    if (syncs !== null) finish(user, vm, syncs, done ?? signaledFence());
  }
}

/** A u64 to be written when the bind is done. */
interface UserFence {
  addr: number;
  value: Uint8Array;
}

/** What a call waits for, and what it lets others know. */
interface Syncs {
  waits: Fence[];
  signals: { syncobj: Syncobj; point: number }[];
  userFence: UserFence | null;
}

/** Behind all that the driver checks, so that a call that is wrong in another way, too, gets the driver's errno. */
function checkOwner(op: XeBindOp, bo: XeBo, vm: XeVm, foreign: boolean): void {
  if (foreign || bo.vm === vm) return;
  fail(EINVAL, `${op.name}.obj: the object was made for another VM`);
}

function checkQueue(file: XeFile, vm: XeVm, queueId: number): void {
  const queue = file.execQueue(queueId);
  if (queue === undefined) fail(ENOENT, `vm_bind.exec_queue_id: no queue ${queueId}`);
  if (!queue.binds) fail(EINVAL, `vm_bind.exec_queue_id: queue ${queueId} is no bind queue`);
  if (queue.vm !== vm) fail(EINVAL, `vm_bind.exec_queue_id: queue ${queueId} belongs to another VM`);
}

/** Check the syncs in order, and look up what they name. */
function readSyncs(
  file: XeFile,
  vm: XeVm,
  user: UserSpace,
  addr: number,
  numSyncs: number,
  numBinds: number,
): Syncs {
  const syncs: Syncs = { waits: [], signals: [], userFence: null };
  let fences = 0;
  for (let i = 0; i < numSyncs; i++) {
    const name = `syncs[${i}]`;
    const view = user.view(addr + i * SYNC.size, SYNC.size);
    const sync = SYNC.read(view);
    file.device.counters.payloadBytes += SYNC.size;
    const signals = (sync.flags & SYNC_FLAG_SIGNAL) !== 0;
    if ((sync.flags & ~SYNC_FLAG_SIGNAL) !== 0) fail(EINVAL, `${name}.flags: unknown bits`);
    if (sync.reserved.some((word) => word !== 0)) fail(EINVAL, `${name}.reserved: must be 0`);
    if (sync.type === SYNC_TYPE_SYNCOBJ || sync.type === SYNC_TYPE_TIMELINE_SYNCOBJ) {
      readSyncobj(file, vm, sync, name, syncs);
    } else if (sync.type === SYNC_TYPE_USER_FENCE) {
      if (numBinds === 0) fail(EOPNOTSUPP, `${name}.type: a user fence needs at least one bind`);
      if (!signals) fail(EOPNOTSUPP, `${name}.flags: a user fence can only be signalled`);
      // By its low bits: a multiple of 8 that a double does not hold is one all the same, and nobody's memory.
      if ((view.getUint32(SYNC.fields.addr.offset, true) & 7) !== 0)
        fail(EINVAL, `${name}.addr: must be a multiple of 8`);
      readOnce(user, sync.addr, name);
      const value = view.byteOffset + SYNC.fields.timelineValue.offset;
      syncs.userFence = { addr: sync.addr, value: new Uint8Array(view.buffer.slice(value, value + 8)) };
      fences++;
    } else {
      fail(EINVAL, `${name}.type: ${sync.type} is no type`);
    }
  }
  if (fences > 1) fail(EINVAL, `syncs: ${fences} user fences, at most one is allowed`);
  return syncs;
}

/** The value at a user fence's address is read for no other use than to see that it can be (`user_fence_create`). */
function readOnce(user: UserSpace, addr: number, name: string): void {
  try {
    user.view(addr, USER_FENCE_BYTES);
  } catch (error) {
    if (!(error instanceof DrmError)) throw error;
    fail(error.errno, `${name}.addr: the user fence cannot be read: ${error.reason}`);
  }
}

function readSyncobj(file: XeFile, vm: XeVm, sync: Sync, name: string, syncs: Syncs): void {
  const signals = (sync.flags & SYNC_FLAG_SIGNAL) !== 0;
  if (signals && vm.longRunning) fail(EOPNOTSUPP, `${name}.type: a long-running VM signals no syncobj`);
  if (!(sync.addr < 2 ** 32)) fail(EINVAL, `${name}.addr: the upper 32 bits must be 0 for a syncobj`);
  const timeline = sync.type === SYNC_TYPE_TIMELINE_SYNCOBJ;
  if (timeline && sync.timelineValue === 0) fail(EINVAL, `${name}.timeline_value: must not be 0`);
  const syncobj =
    file.syncobjs.get(sync.addr) ??
    fail(ENOENT, `${name}.handle: ${sync.addr} is not a syncobj of this file`);
  const point = timeline ? sync.timelineValue : 0;
  if (signals) {
    syncs.signals.push({ syncobj, point });
    return;
  }
  const fence = syncobj.find(point);
  if (fence === null) {
    const which = timeline ? `point ${decimal(point)} of syncobj ${sync.addr}` : `syncobj ${sync.addr}`;
    fail(EINVAL, `${name}.handle: ${which} has no fence to wait for`);
  }
  syncs.waits.push(fence);
}

/**
 * Signals happen when the entries are written. That the address of a user fence can no longer be written then goes
 * unnoticed, as in the kernel.
 */
function finish(user: UserSpace, vm: XeVm, { signals, userFence }: Syncs, done: Fence): void {
  for (const { syncobj, point } of signals) syncobj.attach(point, done);
  if (userFence === null) return;
  if (!done.signaled) vm.setUserFence(done);
  done.onSignal(() => signal(user, userFence));
}

function signal(user: UserSpace, fence: UserFence): void {
  try {
    user.write(fence.addr, fence.value);
  } catch (error) {
    if (!(error instanceof DrmError)) throw error;
  }
}
