/**
 * The ioctls of `xe_drm.h` (Linux 7.3-rc7) that have to do with running jobs.
 *
 * @module
 */

import { EINVAL, ENOENT, fail, userArray } from "@vmbind/drm";
import {
  DEVICE_QUERY,
  EXEC_QUEUE_CREATE,
  EXEC_QUEUE_DESTROY,
  IOCTL_DEVICE_QUERY,
  IOCTL_EXEC_QUEUE_CREATE,
  IOCTL_EXEC_QUEUE_DESTROY,
  SYNC,
} from "@vmbind/xe";
import type { LiveCall } from "../../call.ts";
import { DriverIoctls } from "../../driver-ioctls.ts";
import { askModel } from "../../hardware.ts";
import { exec } from "./exec.ts";
import type { XeLiveFile } from "./file.ts";
import { JobQueue } from "./jobs.ts";
import { answerOf } from "./queries.ts";
import * as uapi from "./uapi.ts";
import { waitUserFence } from "./wait-user-fence.ts";

const { width: WIDTH, execQueueId: QUEUE_ID } = EXEC_QUEUE_CREATE.fields;

/** The rows. */
export const IOCTLS: DriverIoctls<XeLiveFile> = new DriverIoctls<XeLiveFile>([
  { name: "XE_DEVICE_QUERY", request: IOCTL_DEVICE_QUERY, layout: DEVICE_QUERY, run: deviceQuery },
  {
    name: "XE_EXEC_QUEUE_CREATE",
    request: IOCTL_EXEC_QUEUE_CREATE,
    layout: EXEC_QUEUE_CREATE,
    run: queueCreate,
  },
  {
    name: "XE_EXEC_QUEUE_DESTROY",
    request: IOCTL_EXEC_QUEUE_DESTROY,
    layout: EXEC_QUEUE_DESTROY,
    run: queueDestroy,
  },
  {
    name: "XE_EXEC_QUEUE_GET_PROPERTY",
    request: uapi.IOCTL_EXEC_QUEUE_GET_PROPERTY,
    layout: uapi.EXEC_QUEUE_GET_PROPERTY,
    act: queueGetProperty,
  },
  {
    name: "XE_EXEC",
    request: uapi.IOCTL_EXEC,
    layout: uapi.EXEC,
    arrays: [userArray(uapi.EXEC, "syncs", { field: "syncs", count: "numSyncs", element: SYNC })],
    act: (file, call, arg) => exec(file, arg, call.user),
  },
  {
    name: "XE_WAIT_USER_FENCE",
    request: uapi.IOCTL_WAIT_USER_FENCE,
    layout: uapi.WAIT_USER_FENCE,
    run: (file, call, arg) => waitUserFence(file.model, file.queues, call, arg),
  },
]);

/** An ioctl of the model, over the struct as the room has it. */
function byModel(file: XeLiveFile, call: LiveCall, request: number, arg: DataView): number {
  return askModel(file.model, call, request, new Uint8Array(arg.buffer, arg.byteOffset, arg.byteLength));
}

function deviceQuery(file: XeLiveFile, call: LiveCall, arg: DataView): number {
  const query = DEVICE_QUERY.read(arg);
  if (query.extensions !== 0 || query.reserved.some((value) => value !== 0)) {
    fail(EINVAL, "device_query: extensions and reserved must be 0");
  }
  const data = answerOf(file.device, query, call.user);
  if (data === null) return byModel(file, call, IOCTL_DEVICE_QUERY, arg);
  if (query.size === 0) DEVICE_QUERY.fields.size.write(arg, 0, data.length);
  else if (query.size !== data.length) {
    fail(EINVAL, `device_query.size: expected 0 or ${data.length}, got ${query.size}`);
  } else call.user.write(query.data, data);
  return 0;
}

/** The model says whether it may be made; what it runs, if it is of engines, is kept here. */
function queueCreate(file: XeLiveFile, call: LiveCall, arg: DataView): number {
  const result = byModel(file, call, IOCTL_EXEC_QUEUE_CREATE, arg);
  if (result !== 0) return result;
  const id = QUEUE_ID.read(arg, 0);
  const made = file.model.execQueue(id);
  if (made?.vm && !made.binds) file.queues.set(id, new JobQueue(made.vm, WIDTH.read(arg, 0)));
  return 0;
}

/** A queue that goes takes what still runs on it off the GPU. */
function queueDestroy(file: XeLiveFile, call: LiveCall, arg: DataView): number {
  const result = byModel(file, call, IOCTL_EXEC_QUEUE_DESTROY, arg);
  if (result === 0) file.dropQueue(EXEC_QUEUE_DESTROY.read(arg).execQueueId);
  return result;
}

function queueGetProperty(file: XeLiveFile, _: LiveCall, arg: DataView): void {
  const { extensions, reserved, execQueueId, property } = uapi.EXEC_QUEUE_GET_PROPERTY.read(arg);
  if (extensions !== 0 || reserved.some((value) => value !== 0)) {
    fail(EINVAL, "exec_queue_get_property: extensions and reserved must be 0");
  }
  if (file.model.execQueue(execQueueId) === undefined) {
    fail(ENOENT, `exec_queue_get_property.exec_queue_id: no queue ${execQueueId}`);
  }
  if (property !== uapi.EXEC_QUEUE_GET_PROPERTY_BAN) {
    fail(EINVAL, `exec_queue_get_property.property: ${property} is none`);
  }
  const banned = file.queues.get(execQueueId)?.banned ?? false;
  uapi.EXEC_QUEUE_GET_PROPERTY.fields.value.write(arg, 0, banned ? 1 : 0);
}
