/**
 * An open file of the node: the model's, and queries of the hardware around it.
 *
 * @module
 */

import { type AmdgpuBo, type AmdgpuFile, INFO, IOCTL_INFO } from "@vmbind/amdgpu";
import type { LiveCall } from "../../call.ts";
import type { DriverIoctls } from "../../driver-ioctls.ts";
import { type Answer, askModel, type LiveFile } from "../../hardware.ts";
import type { Chip } from "./chips.ts";
import { completeDevice, hardwareInfo, isDeviceQuery } from "./queries.ts";
import type { GemMetadata } from "./uapi.ts";

/** What an object's users said of it; objects that are shared have one. */
export type Metadata = Pick<GemMetadata, "flags" | "tilingInfo" | "data" | "dataSizeBytes">;

/** What a file needs of the device. */
export interface AmdgpuLiveDevice {
  /** The GPU. */
  readonly chip: Chip;
  /** What users of objects said of them. */
  readonly metadata: WeakMap<AmdgpuBo, Metadata>;
  /** The ioctls that the model leaves out. */
  readonly ioctls: DriverIoctls<AmdgpuLiveFile>;
}

/** An open file. */
export class AmdgpuLiveFile implements LiveFile {
  /** See {@link LiveFile.model}. */
  readonly model: AmdgpuFile;

  /** See {@link AmdgpuLiveDevice}. */
  readonly device: AmdgpuLiveDevice;

  /**
   * @param model - the model's file
   * @param device - see {@link AmdgpuLiveDevice}
   */
  constructor(model: AmdgpuFile, device: AmdgpuLiveDevice) {
    this.model = model;
    this.device = device;
  }

  /** See {@link LiveFile.ioctl}. */
  ioctl(call: LiveCall, request: number, arg: Uint8Array): Answer {
    const { device } = this;
    if ((request & 0xff) !== (IOCTL_INFO & 0xff) || arg.length < INFO.size) {
      return device.ioctls.answer(this, call, request, arg) ?? askModel(this.model, call, request, arg);
    }
    const { returnPointer, returnSize, query, argument0, argument1 } = INFO.read(
      new DataView(arg.buffer, arg.byteOffset, arg.length),
    );
    const own = hardwareInfo(device.chip, query, argument0, argument1, returnSize);
    if (own !== null && returnSize > 0 && returnPointer !== 0) {
      call.user.write(returnPointer, own.subarray(0, returnSize));
      return 0;
    }
    const ret = askModel(this.model, call, request, arg);
    if (ret === 0 && isDeviceQuery(query)) {
      const answer = call.user.view(returnPointer, Math.min(returnSize, 448));
      completeDevice(device.chip, answer);
      // The view may be a piece of a longer buffer.
      call.user.write(returnPointer, new Uint8Array(answer.buffer, answer.byteOffset, answer.byteLength));
    }
    return ret;
  }

  /** See {@link LiveFile.close}. */
  close(): void {
    this.model.close();
  }
}
