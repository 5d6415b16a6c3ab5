/**
 * What a run tells of itself: its resources and its ioctls.
 *
 * @module
 */

import type { IoctlCall } from "@vmbind/drm";
import type { Phase } from "@vmbind/trace";
import type { MemoryObject } from "./strategy.ts";

/** A sparse resource that is alive. */
export interface SparseResource {
  /** Its name in the workload. */
  name: string;
  /** Its address: where shaders write it. */
  va: number;
  /** Bytes that the application asked for. */
  size: number;
  /** Bytes that it takes: whole blocks. */
  bytes: number;
  /** Which VM it is in. */
  vm: number;
  /** It is a range of addresses without sparse residency. */
  plain: boolean;
}

/** One ioctl of a run. */
export interface RunCall {
  /** Counts the calls of the steps from 0; calls that open the device are left out. */
  seq: number;
  /** What the application was doing. */
  phase: Phase;
  /** Index of the step in the workload. */
  step: number;
  /** The call; `arg` is as the driver left it. */
  call: IoctlCall;
  /** `arg` as it was sent. */
  argIn: Uint8Array;
  /** The resources that were alive, by name: what the addresses belong to. */
  resources: ReadonlyMap<string, SparseResource>;
  /** The memory that was allocated, by name. */
  memory: ReadonlyMap<string, MemoryObject>;
}

/** Sees each ioctl of a run after the driver has done it. */
export type RunObserver = (call: RunCall) => void;
