/**
 * The ioctls that make and destroy exec queues (`xe_exec_queue.c`, Linux 7.3), as far as VM_BIND needs them. Checks stand in the kernel's order.
 *
 * @module
 */

import { EINVAL, ENOENT, fail, type UserSpace } from "@vmbind/drm";
import { mustBeZero } from "./device-query.ts";
import type { XeFile } from "./file.ts";
import * as uapi from "./uapi.ts";

/**
 * EXEC_QUEUE_CREATE: an id; of the queue itself the model knows whether it binds.
 *
 * @param file - the open file
 * @param create - the struct
 * @param user - the caller's memory
 * @throws `DrmError` EINVAL, EFAULT, ENOENT
 */
export function execQueueCreate(
  file: XeFile,
  create: uapi.ExecQueueCreate,
  user: UserSpace,
): Partial<uapi.ExecQueueCreate> {
  mustBeZero(create.reserved, "exec_queue_create.reserved");
  if ((create.flags & ~1) !== 0) fail(EINVAL, "exec_queue_create.flags: unknown bits");
  const count = create.width * create.numPlacements;
  if (count === 0) fail(EINVAL, "exec_queue_create: width and num_placements must not be 0");
  const { size } = uapi.ENGINE_CLASS_INSTANCE;
  const view = user.view(create.instances, count * size);
  file.device.counters.payloadBytes += count * size;
  const first = uapi.ENGINE_CLASS_INSTANCE.read(view);
  const binds = first.engineClass === uapi.ENGINE_CLASS_VM_BIND;
  if (binds && (count !== 1 || first.engineInstance !== 0)) {
    fail(EINVAL, "exec_queue_create.instances: a bind queue has one placement, instance 0");
  }
  const vm = file.vm(create.vmId);
  if (vm === undefined) fail(ENOENT, `exec_queue_create.vm_id: no VM ${create.vmId}`);
  vm.gpuvm.get();
  return { execQueueId: file.queues.alloc({ vm, binds }) };
}

/**
 * EXEC_QUEUE_DESTROY.
 *
 * @param file - the open file
 * @param destroy - the struct
 * @throws `DrmError` EINVAL, ENOENT
 */
export function execQueueDestroy(file: XeFile, destroy: uapi.ExecQueueDestroy): void {
  mustBeZero([destroy.pad], "exec_queue_destroy.pad");
  mustBeZero(destroy.reserved, "exec_queue_destroy.reserved");
  const queue = file.queues.remove(destroy.execQueueId);
  if (queue === undefined) {
    fail(ENOENT, `exec_queue_destroy.exec_queue_id: no queue ${destroy.execQueueId}`);
  }
  queue.vm?.gpuvm.put();
}
