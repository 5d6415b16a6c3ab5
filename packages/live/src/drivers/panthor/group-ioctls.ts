/**
 * The ioctls of groups (`panthor_drv.c`, `panthor_sched.c`, Linux 7.3-rc7). Checks stand in the driver's order.
 *
 * @module
 */

import { EACCES, EINVAL, Fence, fail, type HandleTable, type UserSpace } from "@vmbind/drm";
import { type ObjArray, type PanthorFile, SYNC_OP, type SyncOp } from "@vmbind/panthor";
import { copyArray, resolveSyncs, type SyncedJob } from "@vmbind/panthor/internals";
import { Group, type GroupScheduler } from "./groups.ts";
import * as uapi from "./uapi.ts";

/** Queues that a group can have: command streams of a slot of the firmware. */
const MAX_QUEUES = 8;
const PRIORITIES = 4;
const MAX_QUEUE_PRIORITY = 15;
const RING_MIN = 4096;
const RING_MAX = 65536;
/** Shader cores and tilers of a Mali-G610 MC4, as DEV_QUERY tells. */
const CORES_PRESENT = 0x50005;
const TILERS_PRESENT = 1;

/** What the ioctls need of the open file. */
export interface GroupFile {
  /** The model's. */
  readonly model: PanthorFile;
  /** Groups by handle. */
  readonly groups: HandleTable<Group>;
  /** What runs them. */
  readonly scheduler: GroupScheduler;
}

/** Elements of an array as this header knows them; copied in as the model does it, whose cost sheet they are not on. */
function elements(
  { model }: GroupFile,
  name: string,
  array: ObjArray,
  size: number,
  user: UserSpace,
): DataView[] {
  const { count } = array;
  if (count === 0) return [];
  const { options } = model.device;
  const file = { device: { options, counters: { payloadBytes: 0 } } };
  const { view, stride } = copyArray(file, name, array, size, size, user);
  return Array.from(
    { length: count },
    (_, i) => new DataView(view.buffer, view.byteOffset + i * stride, size),
  );
}

/** GROUP_CREATE. @throws `DrmError` EINVAL, EACCES, EFAULT, E2BIG */
export function groupCreate(file: GroupFile, arg: DataView, user: UserSpace): void {
  const create = uapi.GROUP_CREATE.read(arg);
  const { count } = create.queues;
  if (count === 0 || count > MAX_QUEUES)
    fail(EINVAL, `group_create.queues.count: ${count} is not in 1..${MAX_QUEUES}`);
  if (create.pad !== 0) fail(EINVAL, "group_create.pad: must be 0");
  if (create.priority >= PRIORITIES) fail(EINVAL, `group_create.priority: ${create.priority} is none`);
  if (((file.model.device.options.groupPriorities >>> create.priority) & 1) === 0) {
    fail(EACCES, `group_create.priority: ${create.priority} needs CAP_SYS_NICE`);
  }
  const queues = elements(file, "group_create.queues", create.queues, uapi.QUEUE_CREATE.size, user);
  checkCores("compute", create.computeCoreMask, create.maxComputeCores, CORES_PRESENT);
  checkCores("fragment", create.fragmentCoreMask, create.maxFragmentCores, CORES_PRESENT);
  checkCores("tiler", create.tilerCoreMask, create.maxTilerCores, TILERS_PRESENT);
  const vm = file.model.vm(create.vmId) ?? fail(EINVAL, `group_create.vm_id: no VM ${create.vmId}`);
  queues.forEach((view, i) => {
    const { priority, pad, ringbufSize } = uapi.QUEUE_CREATE.read(view);
    const name = `queues[${i}]`;
    if (pad.some((byte) => byte !== 0)) fail(EINVAL, `${name}.pad: must be 0`);
    if (ringbufSize < RING_MIN || ringbufSize > RING_MAX || (ringbufSize & (ringbufSize - 1)) !== 0) {
      fail(EINVAL, `${name}.ringbuf_size: ${ringbufSize} is no power of two from ${RING_MIN} to ${RING_MAX}`);
    }
    if (priority > MAX_QUEUE_PRIORITY)
      fail(EINVAL, `${name}.priority: ${priority} is above ${MAX_QUEUE_PRIORITY}`);
  });
  const handle = file.groups.alloc(new Group(vm, queues.length));
  uapi.GROUP_CREATE.fields.groupHandle.write(arg, 0, handle);
}

function checkCores(what: string, mask: number, most: number, present: number): void {
  // A mask that a double cannot hold, or above 32 bits, has cores that are not there.
  if (!(mask <= 0xffff_ffff) || (mask & ~present) !== 0) {
    fail(EINVAL, `group_create.${what}_core_mask: names cores that are not present`);
  }
  let count = 0;
  for (let left = mask; left !== 0; left &= left - 1) count++;
  if (count < most) fail(EINVAL, `group_create.max_${what}_cores: ${most}, but the mask has ${count}`);
}

/** GROUP_DESTROY. @throws `DrmError` EINVAL */
export function groupDestroy(file: GroupFile, arg: DataView): void {
  const { groupHandle, pad } = uapi.GROUP_DESTROY.read(arg);
  if (pad !== 0) fail(EINVAL, "group_destroy.pad: must be 0");
  const group = file.groups.remove(groupHandle);
  if (group === undefined) fail(EINVAL, `group_destroy.group_handle: no group ${groupHandle}`);
  file.scheduler.drop(group);
}

/** GROUP_GET_STATE. @throws `DrmError` EINVAL */
export function groupGetState(file: GroupFile, arg: DataView): void {
  const { groupHandle, pad } = uapi.GROUP_GET_STATE.read(arg);
  if (pad !== 0) fail(EINVAL, "group_get_state.pad: must be 0");
  const group = groupOf(file, "group_get_state", groupHandle);
  const { state, fatalQueues } = uapi.GROUP_GET_STATE.fields;
  state.write(arg, 0, group.fatalQueues === 0 ? 0 : uapi.GROUP_STATE_FATAL_FAULT);
  fatalQueues.write(arg, 0, group.fatalQueues);
}

function groupOf(file: GroupFile, ioctl: string, handle: number): Group {
  return file.groups.get(handle) ?? fail(EINVAL, `${ioctl}.group_handle: no group ${handle}`);
}

/** A job before it is queued. */
interface NewJob extends SyncedJob {
  readonly queue: number;
  readonly start: number;
  readonly bytes: number;
}

/**
 * GROUP_SUBMIT: one job for each element. As with VM_BIND, what the call itself signals can be waited for in it, and everything is
 * copied in before any sync is looked at.
 *
 * @throws `DrmError` EINVAL, ENOENT, EFAULT, E2BIG, ENOMEM; nothing is queued then
 */
export function groupSubmit(file: GroupFile, arg: DataView, user: UserSpace): void {
  const { groupHandle, pad, queueSubmits } = uapi.GROUP_SUBMIT.read(arg);
  if (pad !== 0) fail(EINVAL, "group_submit.pad: must be 0");
  const views = elements(file, "group_submit.queue_submits", queueSubmits, uapi.QUEUE_SUBMIT.size, user);
  const group = groupOf(file, "group_submit", groupHandle);
  if (group.fatalQueues !== 0) fail(EINVAL, `group_submit.group_handle: group ${groupHandle} has faulted`);
  const jobs: NewJob[] = [];
  const syncs: SyncOp[][] = [];
  views.forEach((view, i) => {
    const name = `queue_submits[${i}]`;
    const submit = uapi.QUEUE_SUBMIT.read(view);
    checkSubmit(name, submit, group);
    const { queueIndex: queue, streamAddr: start, streamSize: bytes } = submit;
    jobs.push({ queue, start, bytes, waits: [], done: new Fence() });
    syncs.push(
      elements(file, `${name}.syncs`, submit.syncs, SYNC_OP.size, user).map((one) => SYNC_OP.read(one)),
    );
  });
  const publish = resolveSyncs(file.model, jobs, syncs, "queue_submits");
  for (const { queue, start, bytes, waits, done: fence } of jobs)
    file.scheduler.submit(group, queue, { waits, start, bytes, fence });
  publish();
}

function checkSubmit(name: string, submit: uapi.QueueSubmit, group: Group): void {
  const { queueIndex, streamAddr, streamSize, pad } = submit;
  if (pad !== 0) fail(EINVAL, `${name}.pad: must be 0`);
  if ((streamSize === 0) !== (streamAddr === 0))
    fail(EINVAL, `${name}: a size without an address, or an address without a size`);
  if (!(streamAddr % 64 === 0)) fail(EINVAL, `${name}.stream_addr: must be a multiple of 64`);
  if (streamSize % 8 !== 0) fail(EINVAL, `${name}.stream_size: must be a multiple of 8`);
  if (queueIndex >= group.queues.length)
    fail(EINVAL, `${name}.queue_index: the group has no queue ${queueIndex}`);
}
