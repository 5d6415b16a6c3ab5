/**
 * The ioctls of groups (`panthor_drv.c`, `panthor_sched.c`, Linux 7.3-rc7). Checks stand in the driver's order.
 *
 * @module
 */

import { EACCES, EINVAL, Fence, fail, type HandleTable, type Syncobj, type UserSpace } from "@vmbind/drm";
import {
  type ObjArray,
  type PanthorFile,
  SYNC_OP,
  SYNC_OP_SIGNAL,
  SYNC_OP_TIMELINE,
  SYNC_OP_TYPE_MASK,
} from "@vmbind/panthor";
import { Group, type GroupScheduler, type StreamJob } from "./groups.ts";
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

/** Elements of an array as this header knows them. */
function elements(
  user: UserSpace,
  name: string,
  { stride, count, array }: ObjArray,
  size: number,
): DataView[] {
  if (count === 0) return [];
  if (stride < size) fail(EINVAL, `${name}.stride: ${stride} is below ${size}`);
  const view = user.view(array, stride * count);
  return Array.from(
    { length: count },
    (_, i) => new DataView(view.buffer, view.byteOffset + i * stride, size),
  );
}

/** GROUP_CREATE. @throws `DrmError` EINVAL, EACCES, EFAULT */
export function groupCreate(file: GroupFile, arg: DataView, user: UserSpace): void {
  const create = uapi.GROUP_CREATE.read(arg);
  if (create.pad !== 0) fail(EINVAL, "group_create.pad: must be 0");
  if (create.priority >= PRIORITIES) fail(EINVAL, `group_create.priority: ${create.priority} is none`);
  if (((file.model.device.options.groupPriorities >>> create.priority) & 1) === 0) {
    fail(EACCES, `group_create.priority: ${create.priority} needs CAP_SYS_NICE`);
  }
  const queues = elements(user, "group_create.queues", create.queues, uapi.QUEUE_CREATE.size);
  if (queues.length === 0 || queues.length > MAX_QUEUES) {
    fail(EINVAL, `group_create.queues: ${queues.length} are not 1 to ${MAX_QUEUES}`);
  }
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

/** A point that jobs of a call signal: what is to be there at its end. */
interface SignalEntry {
  readonly syncobj: Syncobj;
  readonly point: number;
  fence: Fence | null;
}

/**
 * GROUP_SUBMIT: one job for each element. As with VM_BIND, what the call itself signals can be waited for in it.
 *
 * @throws `DrmError` EINVAL, EFAULT; nothing is queued then
 */
export function groupSubmit(file: GroupFile, arg: DataView, user: UserSpace): void {
  const { groupHandle, pad, queueSubmits } = uapi.GROUP_SUBMIT.read(arg);
  if (pad !== 0) fail(EINVAL, "group_submit.pad: must be 0");
  const views = elements(user, "group_submit.queue_submits", queueSubmits, uapi.QUEUE_SUBMIT.size);
  const group = groupOf(file, "group_submit", groupHandle);
  if (group.fatalQueues !== 0) fail(EINVAL, `group_submit.group_handle: group ${groupHandle} has faulted`);
  const jobs: { readonly queue: number; readonly job: StreamJob }[] = [];
  const entries = new Map<string, SignalEntry>();
  views.forEach((view, i) => {
    const name = `queue_submits[${i}]`;
    const submit = uapi.QUEUE_SUBMIT.read(view);
    checkSubmit(name, submit, group);
    const fence = new Fence();
    const waits = resolveSyncs(file, name, submit.syncs, user, fence, entries);
    const { queueIndex: queue, streamAddr: start, streamSize: bytes } = submit;
    jobs.push({ queue, job: { waits, start, bytes, fence } });
  });
  for (const { queue, job } of jobs) file.scheduler.submit(group, queue, job);
  for (const { syncobj, point, fence } of entries.values()) if (fence !== null) syncobj.attach(point, fence);
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

function resolveSyncs(
  { model }: GroupFile,
  name: string,
  array: ObjArray,
  user: UserSpace,
  fence: Fence,
  entries: Map<string, SignalEntry>,
): Fence[] {
  const waits: Fence[] = [];
  const signals: { readonly key: string; readonly entry: SignalEntry }[] = [];
  elements(user, `${name}.syncs`, array, SYNC_OP.size).forEach((view, i) => {
    const { flags, handle, timelineValue } = SYNC_OP.read(view);
    const type = flags & SYNC_OP_TYPE_MASK;
    const sync = `${name}.syncs[${i}]`;
    if (type > SYNC_OP_TIMELINE || (flags & ~(SYNC_OP_TYPE_MASK | SYNC_OP_SIGNAL)) !== 0) {
      fail(EINVAL, `${sync}.flags: 0x${(flags >>> 0).toString(16)} is not known`);
    }
    if (type !== SYNC_OP_TIMELINE && timelineValue !== 0) {
      fail(EINVAL, `${sync}.timeline_value: must be 0 for a binary syncobj`);
    }
    const syncobj = model.syncobjs.get(handle) ?? fail(EINVAL, `${sync}.handle: ${handle} is no syncobj`);
    const key = `${handle}@${timelineValue}`;
    if ((flags & SYNC_OP_SIGNAL) !== 0) {
      const entry = entries.get(key) ?? { syncobj, point: timelineValue, fence: null };
      signals.push({ key, entry });
      return;
    }
    const found = entries.get(key)?.fence ?? syncobj.find(timelineValue);
    waits.push(found ?? fail(EINVAL, `${sync}.handle: syncobj ${handle} has no fence to wait for`));
  });
  for (const { key, entry } of signals) {
    entry.fence = fence;
    entries.set(key, entry);
  }
  return waits;
}
