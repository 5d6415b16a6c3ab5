/**
 * GETPARAM: facts of the device (`nouveau_abi16.c`, Linux 7.3-rc7).
 *
 * @module
 */

import { EINVAL, fail, hex } from "@vmbind/drm";
import type { FrameAllocator } from "@vmbind/mmu";
import { EXEC_PUSH_MAX } from "./exec.ts";
import type { NouveauDeviceOptions } from "./options.ts";
import * as uapi from "./uapi.ts";

const PCI_VENDOR_NVIDIA = 0x10de;
const BUS_PCIE = 2;
/** Bytes that the GART reaches. */
const GART_BYTES: number = 2 ** 40;
/** 6 GPCs, 34 TPCs, 96 ROPs: those of the default device. */
const GRAPH_UNITS: number = 6 + 34 * 2 ** 8 + 96 * 2 ** 32;
/** Of VRAM the CPU sees this much. */
const BAR_BYTES: number = 2 ** 28;

/** What GETPARAM needs of the device. */
export interface ParamDevice {
  /** What was chosen. */
  readonly options: Readonly<NouveauDeviceOptions>;
  /** VRAM. */
  readonly vramFrames: FrameAllocator;
}

/**
 * @param device - the device
 * @param param - `GETPARAM_` number
 * @returns its value
 * @throws DrmError EINVAL for a parameter that there is not
 */
export function getParam({ options, vramFrames }: ParamDevice, param: number): number {
  switch (param) {
    case uapi.GETPARAM_PCI_VENDOR:
      return PCI_VENDOR_NVIDIA;
    case uapi.GETPARAM_PCI_DEVICE:
      return options.pciDevice;
    case uapi.GETPARAM_BUS_TYPE:
      return BUS_PCIE;
    case uapi.GETPARAM_FB_SIZE:
      return options.vramBytes;
    case uapi.GETPARAM_AGP_SIZE:
      return GART_BYTES;
    case uapi.GETPARAM_CHIPSET_ID:
      return options.chipset;
    case uapi.GETPARAM_VM_VRAM_BASE:
    case uapi.GETPARAM_PTIMER_TIME:
      return 0;
    case uapi.GETPARAM_GRAPH_UNITS:
      return GRAPH_UNITS;
    case uapi.GETPARAM_HAS_BO_USAGE:
    case uapi.GETPARAM_HAS_PAGEFLIP:
    case uapi.GETPARAM_HAS_VMA_TILEMODE:
      return 1;
    case uapi.GETPARAM_EXEC_PUSH_MAX:
      return EXEC_PUSH_MAX;
    case uapi.GETPARAM_VRAM_BAR_SIZE:
      return Math.min(BAR_BYTES, options.vramBytes);
    case uapi.GETPARAM_VRAM_USED:
      return vramFrames.usedBytes;
    default:
      return fail(EINVAL, `getparam.param: ${hex(param)} is not a parameter`);
  }
}
