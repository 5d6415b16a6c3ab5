/**
 * The operations that split and merge produces (`struct drm_gpuva_op`), and who receives them
 * (`include/drm/drm_gpuvm.h`, Linux 7.3-rc7).
 *
 * @module
 */

import type { GemObject } from "@vmbind/drm";

/** Mapping flag: the backing object was invalidated (`DRM_GPUVA_INVALIDATED`). */
export const GPUVA_INVALIDATED = 0x1;
/** Mapping flag: a sparse mapping, for the driver (`DRM_GPUVA_SPARSE`). */
export const GPUVA_SPARSE = 0x2;
/** Mapping flag of the proposed extension: the object's window repeats. */
export const GPUVA_REPEAT = 0x4;
/** Lowest bit that belongs to the driver (`DRM_GPUVA_USERBITS`). The proposal moves it from 2 to 3. */
export const GPUVA_USERBITS_SHIFT = 3;

/** What a caller of {@link Gpuvm.smMap} asks for. */
export interface MapRequest {
  /** First VA in bytes. */
  addr: number;
  /** Bytes. */
  range: number;
  /** Object to map, or null. */
  gem: GemObject | null;
  /** Byte offset into the object. */
  offset: number;
  /** Flags of the new mapping, 0 unless given. */
  flags?: number;
  /** With {@link GPUVA_REPEAT}: bytes of the object that repeat, 1..2^32-1. */
  gemRange?: number;
}

/** A mapping to make: the request's own, or what is left of one that was cut. */
export interface MapStep {
  /** Tells the steps apart in lists. */
  readonly kind: "map";
  /** First VA in bytes. */
  addr: number;
  /** Bytes. */
  range: number;
  /** Object, or null. */
  gem: GemObject | null;
  /** Byte offset into the object. A driver may overwrite it before it applies the step. */
  offset: number;
  /** Flags: the request's, or those of the mapping that was cut. */
  flags: number;
  /** Bytes of the repeated window, 0 without {@link GPUVA_REPEAT}. */
  gemRange: number;
  /** Byte of the window that the mapping begins with; always 0 outside mode `phase`. */
  phase: number;
}

/** A mapping that goes. */
export interface UnmapStep {
  /** Tells the steps apart in lists. */
  readonly kind: "unmap";
  /** Handle of the mapping. */
  va: number;
  /** True when the request shows the same bytes at the same addresses, so that page tables may stay. A hint. */
  keep: boolean;
}

/** A mapping that is cut: it goes, and one or two pieces of it stay. */
export interface RemapStep {
  /** Tells the steps apart in lists. */
  readonly kind: "remap";
  /** The mapping that is cut. */
  readonly unmap: UnmapStep;
  /** Whether a piece stays in front; {@link RemapStep.prev} means nothing otherwise. */
  hasPrev: boolean;
  /** The piece in front. */
  readonly prev: MapStep;
  /** Whether a piece stays behind; {@link RemapStep.next} means nothing otherwise. */
  hasNext: boolean;
  /** The piece behind. */
  readonly next: MapStep;
  /** Handle of the piece in front, set by {@link Gpuvm.remap}; 0 = none. */
  prevVa: number;
  /** Handle of the piece behind, set by {@link Gpuvm.remap}; 0 = none. */
  nextVa: number;
}

/** A mapping to prefetch; only in prefetch lists. */
export interface PrefetchStep {
  /** Tells the steps apart in lists. */
  readonly kind: "prefetch";
  /** Handle of the mapping. */
  va: number;
}

/** Element of an operation list. */
export type GpuvmOp = MapStep | RemapStep | UnmapStep | PrefetchStep;

/**
 * Receives the steps of a request in order. Step objects are reused: copy what is to be kept. A handler returns 0 to
 * go on, a negative errno to stop the walk; steps before it stay as the driver applied them.
 */
export interface StepHandlers {
  /** Once, last, for {@link Gpuvm.smMap}. */
  map?(op: MapStep): number;
  /** At most twice. */
  remap?(op: RemapStep): number;
  /** Any number of times. */
  unmap?(op: UnmapStep): number;
}

/**
 * Looks on: sees each step before the driver does.
 *
 * @param step - reused: copy what is to be kept
 * @param op - index of the operation of the VM_BIND that causes it
 */
export type StepObserver = (step: GpuvmOp, op: number) => void;

/** @internal A step whose number fields are doubles from the start, so that storing one never changes its shape. */
export function mapStep(): MapStep {
  return { kind: "map", addr: 0.5, range: 0.5, gem: null, offset: 0.5, flags: 0, gemRange: 0.5, phase: 0.5 };
}

/** @internal */
export function unmapStep(): UnmapStep {
  return { kind: "unmap", va: 0, keep: false };
}

/** @internal */
export function remapStep(): RemapStep {
  return {
    kind: "remap",
    unmap: unmapStep(),
    hasPrev: false,
    prev: mapStep(),
    hasNext: false,
    next: mapStep(),
    prevVa: 0,
    nextVa: 0,
  };
}
