/**
 * The part of the cost sheet that counts what the VA manager does.
 *
 * @module
 */

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
