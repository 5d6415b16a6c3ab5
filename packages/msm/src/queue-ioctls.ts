/**
 * The ioctls that make, close and ask submit queues, with their checks in the order of `msm_submitqueue.c` (Linux 7.3-rc7).
 *
 * @module
 */

import { EINVAL, ENOENT, fail, type UserSpace } from "@vmbind/drm";
import type { MsmFile } from "./file.ts";
import { prioritiesOf } from "./submit-queue.ts";
import * as uapi from "./uapi.ts";

/**
 * SUBMITQUEUE_NEW.
 *
 * @param file - the open file
 * @param arg - the struct
 * @throws `DrmError` EINVAL, ENOMEM
 */
export function submitqueueNew(file: MsmFile, arg: uapi.SubmitqueueNew): Partial<uapi.SubmitqueueNew> {
  const { flags, prio } = arg;
  const { rings, preemption } = file.device.options;
  const unknown = flags & ~(uapi.SUBMITQUEUE_ALLOW_PREEMPT | uapi.SUBMITQUEUE_VM_BIND);
  if (unknown !== 0) fail(EINVAL, `submitqueue_new.flags: 0x${(unknown >>> 0).toString(16)} is unknown`);
  if ((flags & uapi.SUBMITQUEUE_VM_BIND) !== 0) {
    if (!file.needVm().userManaged)
      fail(EINVAL, "submitqueue_new.flags: VM_BIND, and EN_VM_BIND was not set before the VM was made");
    if (prio !== 0) fail(EINVAL, `submitqueue_new.prio: ${prio} with VM_BIND`);
  } else {
    // The condition is the driver's, and the wrong way round.
    if ((flags & uapi.SUBMITQUEUE_ALLOW_PREEMPT) !== 0 && rings === 1 && preemption)
      fail(EINVAL, "submitqueue_new.flags: ALLOW_PREEMPT with one ring");
    if (prio >= prioritiesOf(rings))
      fail(EINVAL, `submitqueue_new.prio: ${prio} of ${prioritiesOf(rings)} priorities`);
  }
  return { id: file.addQueue(flags, prio) };
}

/**
 * SUBMITQUEUE_CLOSE. What was issued on the queue runs all the same.
 *
 * @param file - the open file
 * @param arg - the number
 * @throws `DrmError` ENOENT
 */
export function submitqueueClose(file: MsmFile, { id }: uapi.SubmitqueueClose): void {
  if (id === 0 || !file.dropQueue(id))
    fail(ENOENT, `submitqueue_close: ${id} is not a queue of this file that can be closed`);
}

/**
 * SUBMITQUEUE_QUERY: the faults of a queue, of which there are none here.
 *
 * @param file - the open file
 * @param arg - the struct
 * @param user - the caller's memory
 * @throws `DrmError` EINVAL, ENOENT, EFAULT
 */
export function submitqueueQuery(file: MsmFile, arg: uapi.SubmitqueueQuery, user: UserSpace): void {
  if (arg.pad !== 0) fail(EINVAL, `submitqueue_query.pad: ${arg.pad} is not 0`);
  if (file.queue(arg.id) === undefined)
    fail(ENOENT, `submitqueue_query.id: ${arg.id} is not a queue of this file`);
  if (arg.param !== 0) fail(EINVAL, `submitqueue_query.param: ${arg.param} is unknown`);
  // The request copies nothing back, so the size that is asked for with 0 gets lost.
  if (arg.len !== 0) user.write(arg.data, new Uint8Array(Math.min(arg.len, 4)));
}
