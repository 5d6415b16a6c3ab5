/**
 * The ioctls that make and destroy exec queues (`xe_exec_queue.c`, Linux 7.3-rc7), as far as VM_BIND needs them. Checks stand in
 * the kernel's order: the struct, the instances, the VM, and the extensions last.
 *
 * @module
 */

import { decimal, EINVAL, ENOENT, EPERM, fail, type UserSpace } from "@vmbind/drm";
import { mustBeZero } from "./device-query.ts";
import type { XeFile } from "./file.ts";
import * as uapi from "./uapi.ts";
import { eachProperty } from "./user-extensions.ts";

/** `XE_HW_ENGINE_MAX_INSTANCE`: most instances of one queue. */
const MAX_INSTANCES = 9;
/** Highest priority there is, and the highest without CAP_SYS_NICE. */
const PRIORITY_HIGH = 2;
const PRIORITY_NORMAL = 1;
/** Longest timeslice in microseconds (`CONFIG_DRM_XE_TIMESLICE_MAX` as it is by default). */
const TIMESLICE_MAX = 10_000_000;

/**
 * EXEC_QUEUE_CREATE: an id; of the queue itself the model knows whether it binds.
 *
 * @param file - the open file
 * @param create - the struct
 * @param user - the caller's memory
 * @throws `DrmError` EINVAL, EFAULT, ENOENT, E2BIG, EPERM; then there is no queue
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
  if (count > MAX_INSTANCES) {
    fail(EINVAL, `exec_queue_create: width x num_placements is ${count}, above ${MAX_INSTANCES}`);
  }
  const { size } = uapi.ENGINE_CLASS_INSTANCE;
  const view = user.view(create.instances, count * size);
  file.device.counters.payloadBytes += count * size;
  const instances = Array.from({ length: count }, (_, i) => uapi.ENGINE_CLASS_INSTANCE.read(view, i * size));
  const binds = checkInstances(instances, create, file.device.platform.gts);
  const vm = file.vm(create.vmId);
  if (vm === undefined) fail(ENOENT, `exec_queue_create.vm_id: no VM ${create.vmId}`);
  const { sysNice } = file.device.options;
  eachProperty(user, create.extensions, "exec_queue_create.extensions", (property, name) =>
    checkProperty(property, name, sysNice),
  );
  vm.gpuvm.get();
  return { execQueueId: file.queues.alloc({ vm, binds }) };
}

/** Whether the instances make a bind queue; EINVAL where they make no queue at all. */
function checkInstances(
  instances: readonly uapi.EngineClassInstance[],
  { width, numPlacements }: uapi.ExecQueueCreate,
  gts: number,
): boolean {
  const [first] = instances as [uapi.EngineClassInstance];
  instances.forEach(({ gtId }, i) => {
    if (gtId >= gts) fail(EINVAL, `instances[${i}].gt_id: the device has no GT ${gtId}`);
  });
  if (first.engineClass === uapi.ENGINE_CLASS_VM_BIND) {
    if (instances.length !== 1 || first.engineInstance !== 0) {
      fail(EINVAL, "exec_queue_create.instances: a bind queue has one placement, instance 0");
    }
    return true;
  }
  instances.forEach(({ engineClass, gtId }, i) => {
    if (engineClass >= uapi.ENGINE_CLASS_VM_BIND) {
      fail(EINVAL, `instances[${i}].engine_class: ${engineClass} is no class of engines`);
    }
    if (engineClass !== first.engineClass || gtId !== first.gtId) {
      fail(EINVAL, `instances[${i}]: another class or GT than the first one's`);
    }
  });
  // Engines that run side by side are numbered one behind the other, in every placement.
  for (let i = 1; i < width; i++) {
    if (maskOf(instances, i, width, numPlacements) !== maskOf(instances, i - 1, width, numPlacements) << 1) {
      fail(
        EINVAL,
        `exec_queue_create.instances: those of engine ${i} do not follow those of engine ${i - 1}`,
      );
    }
  }
  return false;
}

/** Engine instances that the `i`th of `width` engines may run on. */
function maskOf(
  instances: readonly uapi.EngineClassInstance[],
  i: number,
  width: number,
  numPlacements: number,
): number {
  let mask = 0;
  for (let placement = 0; placement < numPlacements; placement++) {
    mask |= 1 << (instances[placement * width + i] as uapi.EngineClassInstance).engineInstance;
  }
  return mask;
}

/** The properties change nothing that is modelled, but a bad one refuses the queue. */
function checkProperty(
  { property, propertyPad, value, reserved }: uapi.ExtSetProperty,
  name: string,
  sysNice: boolean,
): void {
  if (property > uapi.EXEC_QUEUE_SET_PROPERTY_LAST)
    fail(EINVAL, `${name}.property: ${property} is no property`);
  mustBeZero([propertyPad], `${name}.pad`);
  mustBeZero(reserved, `${name}.reserved`);
  if (property === uapi.EXEC_QUEUE_SET_PROPERTY_PRIORITY) {
    // Not above, but not at or below: a value that no double holds is none either.
    if (!(value <= PRIORITY_HIGH)) fail(EINVAL, `${name}.value: ${decimal(value)} is no priority`);
    if (value > PRIORITY_NORMAL && !sysNice)
      fail(EPERM, `${name}.value: priority ${value} needs CAP_SYS_NICE`);
  } else if (property === uapi.EXEC_QUEUE_SET_PROPERTY_TIMESLICE) {
    if (!(value >= 1 && value <= TIMESLICE_MAX)) {
      fail(
        EINVAL,
        `${name}.value: a timeslice of ${decimal(value)} microseconds is not in 1..${TIMESLICE_MAX}`,
      );
    }
  }
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
