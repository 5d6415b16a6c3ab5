/**
 * The ioctls of `asahi_drm.h` (Linux 7.3-rc7) that have to do with running jobs, and the GPU's clock. Jobs are not run: what
 * they wait for is what they signal.
 *
 * @module
 */

import {
  GET_TIME,
  IOCTL_GET_TIME,
  IOCTL_QUEUE_CREATE,
  IOCTL_QUEUE_DESTROY,
  IOCTL_SUBMIT,
  QUEUE_CREATE,
  QUEUE_DESTROY,
  SUBMIT,
  SYNC,
} from "@vmbind/asahi";
import { EINVAL, ENOENT, type Fence, fail, type Syncobj } from "@vmbind/drm";
import type { LiveCall } from "../../call.ts";
import { allOf } from "../../core/fences.ts";
import { DriverIoctls } from "../../driver-ioctls.ts";
import { monotonicNow } from "../../scheduler.ts";
import type { AsahiLiveFile } from "./file.ts";

/** `DRM_ASAHI_SYNC_TIMELINE_SYNCOBJ`, the higher of the two types of a sync. */
const SYNC_TIMELINE = 1;
/** Syncs of one submission. */
const MAX_SYNCS = 1024;
/** Highest priority of a queue, `DRM_ASAHI_PRIORITY_REALTIME`. */
const PRIORITY_LAST = 3;

/** The rows. */
export const IOCTLS: DriverIoctls<AsahiLiveFile> = new DriverIoctls<AsahiLiveFile>([
  { name: "ASAHI_GET_TIME", request: IOCTL_GET_TIME, layout: GET_TIME, act: getTime },
  { name: "ASAHI_QUEUE_CREATE", request: IOCTL_QUEUE_CREATE, layout: QUEUE_CREATE, act: queueCreate },
  { name: "ASAHI_QUEUE_DESTROY", request: IOCTL_QUEUE_DESTROY, layout: QUEUE_DESTROY, act: queueDestroy },
  { name: "ASAHI_SUBMIT", request: IOCTL_SUBMIT, layout: SUBMIT, act: submit },
]);

function getTime(_: AsahiLiveFile, __: LiveCall, arg: DataView): void {
  if (GET_TIME.read(arg).flags !== 0) fail(EINVAL, "get_time.flags: must be 0");
  GET_TIME.fields.gpuTimestamp.write(arg, 0, Number(monotonicNow()));
}

function queueCreate({ model, queues }: AsahiLiveFile, _: LiveCall, arg: DataView): void {
  const { flags, vmId, priority } = QUEUE_CREATE.read(arg);
  if (flags !== 0) fail(EINVAL, "queue_create.flags: must be 0");
  if (priority > PRIORITY_LAST) fail(EINVAL, `queue_create.priority: ${priority} is none`);
  if (model.vm(vmId) === undefined) fail(ENOENT, `queue_create.vm_id: no VM ${vmId}`);
  QUEUE_CREATE.fields.queueId.write(arg, 0, queues.alloc(vmId));
}

function queueDestroy({ queues }: AsahiLiveFile, _: LiveCall, arg: DataView): void {
  const { queueId } = QUEUE_DESTROY.read(arg);
  if (queues.remove(queueId) === undefined) fail(ENOENT, `queue_destroy.queue_id: no queue ${queueId}`);
}

/** SUBMIT: the syncs that it waits for stand before those that it signals. */
function submit({ model, queues }: AsahiLiveFile, call: LiveCall, arg: DataView): void {
  const { flags, pad, queueId, syncs, inSyncCount, outSyncCount } = SUBMIT.read(arg);
  if (flags !== 0 || pad !== 0) fail(EINVAL, "submit: flags and pad must be 0");
  const count = inSyncCount + outSyncCount;
  if (count > MAX_SYNCS) fail(EINVAL, `submit: ${count} syncs are above ${MAX_SYNCS}`);
  if (queues.get(queueId) === undefined) fail(ENOENT, `submit.queue_id: no queue ${queueId}`);
  const view = count > 0 ? call.user.view(syncs, count * SYNC.size) : null;
  const waits: Fence[] = [];
  const signals: { readonly syncobj: Syncobj; readonly point: number }[] = [];
  for (let i = 0; view !== null && i < count; i++) {
    const { syncType, handle, timelineValue } = SYNC.read(view, i * SYNC.size);
    const name = `syncs[${i}]`;
    if (syncType > SYNC_TIMELINE) fail(EINVAL, `${name}.sync_type: ${syncType} is none`);
    if (syncType !== SYNC_TIMELINE && timelineValue !== 0) {
      fail(EINVAL, `${name}.timeline_value: must be 0 for a binary syncobj`);
    }
    const syncobj = model.syncobjs.get(handle) ?? fail(ENOENT, `${name}.handle: ${handle} is no syncobj`);
    const point = timelineValue;
    if (i >= inSyncCount) signals.push({ syncobj, point });
    else
      waits.push(syncobj.find(point) ?? fail(EINVAL, `${name}: syncobj ${handle} has no fence to wait for`));
  }
  const end = allOf(waits);
  for (const { syncobj, point } of signals) syncobj.attach(point, end);
}
