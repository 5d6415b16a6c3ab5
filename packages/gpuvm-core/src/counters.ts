/**
 * The parts of the cost sheet that every driver has in common.
 *
 * One plain object per device carries the counters of all layers; each layer adds to its own fields of it. Costs are
 * counted where they arise and never estimated from time.
 *
 * @module
 */

/** What crosses from user space, and what the driver reserves before it knows what it needs. */
export interface UapiCounters {
  /** ioctl calls. */
  ioctls: number;
  /** ioctl calls that returned an error. */
  ioctlErrors: number;
  /** VM_BIND calls. */
  bindIoctls: number;
  /** VM_BIND operations decoded from those calls. */
  bindOps: number;
  /** Bytes copied from user space: argument structs and the arrays that they point to. */
  payloadBytes: number;
  /** Page-table pages set aside before operations. */
  tablesReserved: number;
  /** Of these, pages that were not needed and went back. */
  tablesReturned: number;
}

/** What the VA manager does. */
export interface GpuvmCounters {
  /** Map steps that smMap and the lists produced. */
  mapSteps: number;
  /** Remap steps. */
  remapSteps: number;
  /** Unmap steps. */
  unmapSteps: number;
  /** Mappings in the trees now, kernel nodes left out. */
  gpuvasLive: number;
  /** The most that `gpuvasLive` ever was. */
  gpuvasPeak: number;
  /** (VM, GEM object) pairs alive now, zombies included. */
  vmBosLive: number;
  /** The most that `vmBosLive` ever was. */
  vmBosPeak: number;
}

/** @returns all zero */
export function uapiCounters(): UapiCounters {
  return {
    ioctls: 0,
    ioctlErrors: 0,
    bindIoctls: 0,
    bindOps: 0,
    payloadBytes: 0,
    tablesReserved: 0,
    tablesReturned: 0,
  };
}

/** @returns all zero */
export function gpuvmCounters(): GpuvmCounters {
  return {
    mapSteps: 0,
    remapSteps: 0,
    unmapSteps: 0,
    gpuvasLive: 0,
    gpuvasPeak: 0,
    vmBosLive: 0,
    vmBosPeak: 0,
  };
}
