/**
 * An open file of the node: the model's, and ids of queues.
 *
 * @module
 */

import type { AsahiFile } from "@vmbind/asahi";
import { HandleTable } from "@vmbind/drm";
import type { LiveCall } from "../../call.ts";
import type { DriverIoctls } from "../../driver-ioctls.ts";
import { type Answer, askModel, type LiveFile } from "../../hardware.ts";

/** An open file. */
export class AsahiLiveFile implements LiveFile {
  /** See {@link LiveFile.model}. */
  readonly model: AsahiFile;
  /** Queues by id: the VM of each. */
  readonly queues: HandleTable<number> = new HandleTable();
  readonly #ioctls: DriverIoctls<AsahiLiveFile>;

  /**
   * @param model - the model's file
   * @param ioctls - those that the model leaves out
   */
  constructor(model: AsahiFile, ioctls: DriverIoctls<AsahiLiveFile>) {
    this.model = model;
    this.#ioctls = ioctls;
  }

  /** See {@link LiveFile.ioctl}. */
  ioctl(call: LiveCall, request: number, arg: Uint8Array): Answer {
    return this.#ioctls.answer(this, call, request, arg) ?? askModel(this.model, call, request, arg);
  }

  /** See {@link LiveFile.close}. */
  close(): void {
    this.model.close();
  }
}
