/**
 * INFO, as far as it tells of memory: the VA space, the heaps, and how full they are (`amdgpu_kms.c`, Linux 7.3-rc7).
 *
 * @module
 */

import type { AmdgpuDeviceOptions } from "./options.ts";
import {
  PAGE_BYTES,
  PTE_FRAGMENT_BYTES,
  VA_ALIGNMENT,
  VA_END,
  VA_HOLE_END,
  VA_HOLE_START,
  VA_START,
} from "./uapi.ts";

/** Query: total and usable bytes of the heaps (`drm_amdgpu_info_vram_gtt`). */
export const INFO_VRAM_GTT = 0x14;
/** Query: the device (`drm_amdgpu_info_device`). */
export const INFO_DEV_INFO = 0x16;
/** Query: the heaps and how full they are (`drm_amdgpu_memory_info`). */
export const INFO_MEMORY = 0x19;

/** Bytes of `drm_amdgpu_info_device`. */
const DEVICE_BYTES = 448;

/** What answers need of the device. */
export interface InfoDevice {
  /** What was chosen. */
  readonly options: Pick<AmdgpuDeviceOptions, "vramBytes">;
  /** Bytes of system memory. */
  readonly gttBytes: number;
  /** The memory of objects in VRAM. */
  readonly vram: { readonly usedBytes: number };
  /** Physical memory. */
  readonly memory: { readonly frames: { readonly usedBytes: number } };
}

/**
 * `drm_amdgpu_info_device`, with what has to do with memory; the rest is zero.
 *
 * @returns the bytes
 */
export function deviceInfo(): Uint8Array {
  const bytes = new Uint8Array(DEVICE_BYTES);
  const view = new DataView(bytes.buffer);
  const u64 = (at: number, value: number): void => view.setBigUint64(at, BigInt(value), true);
  u64(144, VA_START);
  u64(152, VA_HOLE_START);
  view.setUint32(160, VA_ALIGNMENT, true);
  view.setUint32(164, PTE_FRAGMENT_BYTES, true);
  view.setUint32(168, PAGE_BYTES, true);
  u64(336, VA_HOLE_END);
  // The upper range, sign-extended: its last part is the driver's own.
  view.setBigUint64(344, (0xffffn << 48n) | BigInt(VA_END), true);
  return bytes;
}

/** `drm_amdgpu_memory_info`. @returns the bytes */
export function memoryInfo({ options, gttBytes, vram, memory }: InfoDevice): Uint8Array {
  const heaps = [
    [options.vramBytes, vram.usedBytes],
    [options.vramBytes, vram.usedBytes],
    [gttBytes, memory.frames.usedBytes],
  ] as const;
  const words = heaps.flatMap(([total, used]) => [total, total, used, Math.floor((total / 4) * 3)]);
  return new Uint8Array(BigUint64Array.from(words, BigInt).buffer);
}

/** `drm_amdgpu_info_vram_gtt`. @returns the bytes */
export function vramGtt({ options, gttBytes }: InfoDevice): Uint8Array {
  return new Uint8Array(BigUint64Array.from([options.vramBytes, options.vramBytes, gttBytes], BigInt).buffer);
}
