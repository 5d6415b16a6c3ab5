/**
 * GEM_SUBMIT as far as memory goes: it locks the VM and all external objects, brings back what was evicted, and gives them its
 * fence (`msm_gem_submit.c`, Linux 7.3-rc7). Its commands are looked at and not run, so its fence happens as soon as what it
 * waits for has.
 *
 * @module
 */

import { EINVAL, ENOENT, EPIPE, Fence, fail, type GemObject, type Resv, type UserSpace } from "@vmbind/drm";
import { collectSignals, collectWaits, noSyncs, publish, type Syncs } from "./bind-syncs.ts";
import type { MsmFile } from "./file.ts";
import { isBindQueue } from "./submit-queue.ts";
import * as uapi from "./uapi.ts";
import type { MsmVm } from "./vm.ts";

/** Bytes of `drm_msm_gem_submit_cmd`. */
const CMD_BYTES = 32;

/**
 * GEM_SUBMIT.
 *
 * @param file - the open file
 * @param arg - the struct
 * @param user - the caller's memory
 * @throws `DrmError` EINVAL, EPIPE, ENOENT, EFAULT, EBUSY, ENOMEM
 */
export function gemSubmit(file: MsmFile, arg: uapi.GemSubmit, user: UserSpace): Partial<uapi.GemSubmit> {
  const { flags, queueid, nrCmds } = arg;
  const vm = file.needVm();
  if (arg.pad !== 0) fail(EINVAL, `gem_submit.pad: ${arg.pad} is not 0`);
  if (vm.unusable) fail(EPIPE, "vm: a job of it failed, it is unusable for good");
  if ((flags & uapi.SUBMIT_PIPE_MASK) !== uapi.PIPE_3D0)
    fail(EINVAL, `gem_submit.flags: pipe 0x${(flags & uapi.SUBMIT_PIPE_MASK).toString(16)} is not PIPE_3D0`);
  const unknown = flags & ~uapi.SUBMIT_PIPE_MASK & ~uapi.SUBMIT_FLAGS;
  if (unknown !== 0) fail(EINVAL, `gem_submit.flags: 0x${(unknown >>> 0).toString(16)} is unknown`);
  if ((flags & uapi.SUBMIT_SUDO) !== 0) fail(EINVAL, "gem_submit.flags: SUBMIT_SUDO is for CAP_SYS_RAWIO");
  const queue =
    file.queue(queueid) ?? fail(ENOENT, `gem_submit.queueid: ${queueid} is not a queue of this file`);
  if (isBindQueue(queue)) fail(EINVAL, `gem_submit.queueid: ${queueid} is a queue of VM_BIND`);
  if (arg.nrBos !== 0 && vm.userManaged && !file.device.options.quirks.submitTakesBoTable)
    fail(EINVAL, `gem_submit.nr_bos: ${arg.nrBos}, and user space manages the VM`);
  const syncs = collectSyncs(file, arg, user);
  if (nrCmds > 0) user.view(arg.cmds, nrCmds * CMD_BYTES);
  const locked = vm.lockedObjects();
  vm.validate();
  file.device.counters.submits++;
  const fence = fenceOf(vm, locked, syncs);
  publish(syncs, fence);
  if (nrCmds > 0) {
    queue.lastFence = (flags & uapi.SUBMIT_FENCE_SN_IN) !== 0 ? arg.fence : queue.lastFence + 1;
  }
  return {
    ...(nrCmds > 0 && { fence: queue.lastFence }),
    ...((flags & uapi.SUBMIT_FENCE_FD_OUT) !== 0 && { fenceFd: file.addSyncFile(fence) }),
  };
}

function collectSyncs(file: MsmFile, arg: uapi.GemSubmit, user: UserSpace): Syncs {
  const syncs = noSyncs();
  const { flags, syncobjStride: stride } = arg;
  if ((flags & uapi.SUBMIT_FENCE_FD_IN) !== 0) {
    const fd = arg.fenceFd | 0;
    syncs.waits.push(file.syncFile(fd) ?? fail(EINVAL, `gem_submit.fence_fd: ${fd} is not a sync file`));
  }
  if ((flags & uapi.SUBMIT_SYNCOBJ_IN) !== 0) {
    const array = { name: "in_syncobjs", pointer: arg.inSyncobjs, count: arg.nrInSyncobjs, stride };
    collectWaits(file, array, user, syncs);
  }
  if ((flags & uapi.SUBMIT_SYNCOBJ_OUT) !== 0) {
    const array = { name: "out_syncobjs", pointer: arg.outSyncobjs, count: arg.nrOutSyncobjs, stride };
    collectSignals(file, array, user, syncs);
  }
  return syncs;
}

/** The fence of a submit: reservations have it until everything that the submit waits for has happened. */
function fenceOf(vm: MsmVm, locked: readonly GemObject[], { waits }: Syncs): Fence {
  const fence = new Fence();
  const pending = waits.filter(({ signaled }) => !signaled);
  if (pending.length === 0) {
    fence.signal();
    return fence;
  }
  const resvs = new Set<Resv>(locked.map(({ resv }) => resv));
  for (const resv of resvs) vm.changeFences(resv, 1);
  fence.onSignal(() => {
    for (const resv of resvs) vm.changeFences(resv, -1);
  });
  let left = pending.length;
  for (const wait of pending) {
    wait.onSignal(() => {
      if (--left === 0) fence.signal();
    });
  }
  return fence;
}

/**
 * WAIT_FENCE: until a submit has run. Nothing here runs while anybody could wait.
 *
 * @param file - the open file
 * @param arg - the struct
 * @throws `DrmError` EINVAL, ENOENT
 */
export function waitFence(file: MsmFile, arg: uapi.WaitFence): void {
  if ((arg.flags & ~uapi.WAIT_FENCE_BOOST) !== 0)
    fail(EINVAL, `wait_fence.flags: 0x${arg.flags.toString(16)} is unknown`);
  const queue =
    file.queue(arg.queueid) ?? fail(ENOENT, `wait_fence.queueid: ${arg.queueid} is not a queue of this file`);
  if (arg.fence > queue.lastFence) fail(EINVAL, `wait_fence.fence: ${arg.fence} was not submitted`);
}
