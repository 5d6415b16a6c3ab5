/**
 * NVIF, the driver's own tree of objects behind one ioctl (`nvif/ioctl.h`, `nvif/cl0080.h`, Linux 7.3-rc7): as much as a Vulkan
 * driver asks of it: what the GPU is, which classes of engines a channel has, and objects of them.
 *
 * ```text
 * 0:1 version  1:1 type  8:8 token  16:8 object  24 data of the type
 * NEW     24:1 version 31:1 route 32:8 token 40:8 object 48:4 handle 52:4 class
 * MTHD    24:1 version 25:1 method 32 data of the method
 * SCLASS  24:1 version 25:1 count  32 count x { i32 class, i16 least version, i16 last version }
 * ```
 *
 * @module
 */

import { EINVAL, fail, writeU64 } from "@vmbind/drm";

const AT_TYPE = 1;
const AT_DATA = 24;
const AT_METHOD = 25;
const AT_COUNT = 25;
const AT_BODY = 32;
const TYPE = { nop: 0, sclass: 1, new: 2, del: 3, method: 4 } as const;
/** `NV_DEVICE_V0_INFO`, and bytes of its answer. */
const METHOD_INFO = 0;
const INFO_BYTES = 104;
/** `NV_DEVICE_INFO_V0_PCIE`. */
const PLATFORM_PCIE = 3;
const CLASS_BYTES = 8;

/** What NVIF tells of a GPU. */
export interface NvifGpu {
  /** Chipset, e.g. 0x172. */
  readonly chipset: number;
  /** `NV_DEVICE_INFO_V0_` number of the generation. */
  readonly family: number;
  /** Name of the chip, at most 15 characters. */
  readonly chip: string;
  /** Name of the card, at most 63 characters. */
  readonly name: string;
  /** Bytes of VRAM. */
  readonly vramBytes: number;
  /** Classes of its engines. */
  readonly classes: readonly number[];
}

/**
 * Answer a call.
 *
 * @param gpu - the GPU
 * @param arg - the argument, of any length; changed in place
 * @throws `DrmError` EINVAL for what is too short, and for a type or a method that is not known
 */
export function nvif(gpu: NvifGpu, arg: Uint8Array): void {
  const view = new DataView(arg.buffer, arg.byteOffset, arg.length);
  if (arg.length < AT_DATA) fail(EINVAL, `nvif: ${arg.length} bytes are no call`);
  const type = view.getUint8(AT_TYPE);
  if (type === TYPE.nop || type === TYPE.new || type === TYPE.del) return;
  if (arg.length < AT_BODY) fail(EINVAL, `nvif: ${arg.length} bytes are too short for type ${type}`);
  if (type === TYPE.sclass) listClasses(gpu, view);
  else if (type === TYPE.method) callMethod(gpu, view);
  else fail(EINVAL, `nvif.type: ${type} is not modelled`);
}

/** As many as there is room for; the count becomes how many there are. */
function listClasses({ classes }: NvifGpu, view: DataView): void {
  const room = Math.min(view.getUint8(AT_COUNT), Math.floor((view.byteLength - AT_BODY) / CLASS_BYTES));
  classes.slice(0, room).forEach((id, i) => {
    view.setInt32(AT_BODY + CLASS_BYTES * i, id, true);
    view.setInt16(AT_BODY + CLASS_BYTES * i + 4, -1, true);
    view.setInt16(AT_BODY + CLASS_BYTES * i + 6, -1, true);
  });
  view.setUint8(AT_COUNT, classes.length);
}

function callMethod(gpu: NvifGpu, view: DataView): void {
  const method = view.getUint8(AT_METHOD);
  if (method !== METHOD_INFO) fail(EINVAL, `nvif.mthd.method: ${method} is not modelled`);
  if (view.byteLength < AT_BODY + INFO_BYTES) fail(EINVAL, "nvif.mthd: no room for the device's facts");
  const at = AT_BODY;
  view.setUint8(at + 1, PLATFORM_PCIE);
  view.setUint16(at + 2, gpu.chipset, true);
  view.setUint8(at + 4, 0xa1);
  view.setUint8(at + 5, gpu.family);
  writeU64(view, at + 8, gpu.vramBytes);
  writeU64(view, at + 16, gpu.vramBytes);
  putText(view, at + 24, gpu.chip);
  putText(view, at + 40, gpu.name);
}

function putText(view: DataView, at: number, text: string): void {
  new TextEncoder().encode(text).forEach((byte, i) => {
    view.setUint8(at + i, byte);
  });
}
