/**
 * Submit queues: what submits and VM_BINDs are issued on (`msm_submitqueue.c`, Linux 7.3-rc7). A queue is for the one or for
 * the other. Those for VM_BIND are names for an order among the jobs of the file's one VM.
 *
 * @module
 */

import { SUBMITQUEUE_VM_BIND } from "./uapi.ts";

/** Priorities of one ring. */
const PRIORITIES_PER_RING = 3;

/** A submit queue. */
export interface SubmitQueue {
  /** Its number, unique in the file; 0 is made with the file. */
  readonly id: number;
  /** `SUBMITQUEUE_` flags. */
  readonly flags: number;
  /** Priority. */
  readonly prio: number;
  /** Number of the last fence of a submit with commands. */
  lastFence: number;
}

/** @returns priorities of a device with so many rings (`MSM_PARAM_PRIORITIES`) */
export function prioritiesOf(rings: number): number {
  return rings * PRIORITIES_PER_RING;
}

/** @returns whether a queue is for VM_BIND, and for nothing else */
export function isBindQueue({ flags }: SubmitQueue): boolean {
  return (flags & SUBMITQUEUE_VM_BIND) !== 0;
}
