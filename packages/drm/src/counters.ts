/**
 * The part of the cost sheet that counts what crosses from user space.
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
