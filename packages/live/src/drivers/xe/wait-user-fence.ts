/**
 * WAIT_USER_FENCE: sleep until a word of the process has a value (`xe_wait_user_fence.c`, Linux 7.3-rc7). Nobody tells when it
 * changes, so it is looked at.
 *
 * @module
 */

import { EINVAL, EIO, ENOENT, ETIME, fail } from "@vmbind/drm";
import type { XeFile } from "@vmbind/xe";
import type { LiveCall } from "../../call.ts";
import type { Answer } from "../../hardware.ts";
import { monotonicNow } from "../../scheduler.ts";
import type { JobQueue } from "./jobs.ts";
import { UFENCE_ABSTIME, UFENCE_OP, WAIT_USER_FENCE } from "./uapi.ts";

const { addr: ADDR, value: VALUE, mask: MASK, timeout: TIMEOUT } = WAIT_USER_FENCE.fields;

/**
 * WAIT_USER_FENCE.
 *
 * @param model - the open file
 * @param queues - its queues of engines by id
 * @param call - who waits
 * @param arg - the struct; a timeout that is no time of day comes back as what is left of it
 * @returns the answer: 0, ETIME at the deadline, EIO where the queue was banned
 * @throws `DrmError` EINVAL, ENOENT, EFAULT
 */
export function waitUserFence(
  model: XeFile,
  queues: ReadonlyMap<number, JobQueue>,
  call: LiveCall,
  arg: DataView,
): Answer {
  const args = WAIT_USER_FENCE.read(arg);
  if (args.extensions !== 0) fail(EINVAL, "wait_user_fence.extensions: there are none");
  if ([args.pad, args.pad2, ...args.reserved].some((value) => value !== 0)) {
    fail(EINVAL, "wait_user_fence: pad and reserved must be 0");
  }
  if ((args.flags & ~UFENCE_ABSTIME) !== 0) fail(EINVAL, "wait_user_fence.flags: unknown bits");
  const compare = UFENCE_OP[args.op];
  if (compare === undefined) fail(EINVAL, `wait_user_fence.op: ${args.op} is none`);
  if ((arg.getUint32(ADDR.offset, true) & 7) !== 0) fail(EINVAL, "wait_user_fence.addr: not a multiple of 8");
  const { execQueueId } = args;
  if (execQueueId !== 0 && model.execQueue(execQueueId) === undefined) {
    fail(ENOENT, `wait_user_fence.exec_queue_id: no queue ${execQueueId}`);
  }
  const mask = arg.getBigUint64(MASK.offset, true);
  const value = arg.getBigUint64(VALUE.offset, true) & mask;
  const came = () => compare(call.user.view(args.addr, 8).getBigUint64(0, true) & mask, value);
  const banned = () => queues.get(execQueueId)?.banned ?? false;

  const absolute = (args.flags & UFENCE_ABSTIME) !== 0;
  const timeout = arg.getBigInt64(TIMEOUT.offset, true);
  const begin = monotonicNow();
  const deadline = absolute ? timeout : timeout < 0n ? null : begin + timeout;
  const finish = (ready: boolean): number => {
    if (!absolute && timeout >= 0n) {
      const left = timeout - (monotonicNow() - begin);
      arg.setBigInt64(TIMEOUT.offset, left > 0n ? left : 0n, true);
    }
    if (!ready) return -ETIME;
    return came() ? 0 : -EIO;
  };
  const ready = call.until({ ready: () => came() || banned(), deadline });
  return typeof ready === "boolean" ? finish(ready) : ready.then(finish);
}
