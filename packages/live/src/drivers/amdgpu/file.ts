/**
 * An open file of the node: the model's, and queries of the hardware around it.
 *
 * @module
 */

import { type AmdgpuFile, INFO, IOCTL_INFO } from "@vmbind/amdgpu";
import type { LiveCall } from "../../call.ts";
import { type Answer, askModel, type LiveFile } from "../../hardware.ts";
import { completeDevice, hardwareInfo, isDeviceQuery } from "./queries.ts";

/** An open file. */
export class AmdgpuLiveFile implements LiveFile {
  /** See {@link LiveFile.model}. */
  readonly model: AmdgpuFile;

  /** @param model - the model's file */
  constructor(model: AmdgpuFile) {
    this.model = model;
  }

  /** See {@link LiveFile.ioctl}. */
  ioctl(call: LiveCall, request: number, arg: Uint8Array): Answer {
    if ((request & 0xff) !== (IOCTL_INFO & 0xff) || arg.length < INFO.size) {
      return askModel(this.model, call, request, arg);
    }
    const { returnPointer, returnSize, query, argument0 } = INFO.read(
      new DataView(arg.buffer, arg.byteOffset, arg.length),
    );
    const own = hardwareInfo(query, argument0, returnSize);
    if (own !== null && returnSize > 0 && returnPointer !== 0) {
      call.user.write(returnPointer, own.subarray(0, returnSize));
      return 0;
    }
    const ret = askModel(this.model, call, request, arg);
    if (ret === 0 && isDeviceQuery(query)) {
      const answer = call.user.view(returnPointer, Math.min(returnSize, 448));
      completeDevice(answer);
      call.user.write(returnPointer, new Uint8Array(answer.buffer));
    }
    return ret;
  }

  /** See {@link LiveFile.close}. */
  close(): void {
    this.model.close();
  }
}
