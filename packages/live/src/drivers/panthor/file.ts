/**
 * An open file of the node: the model's, its groups of queues and the tiler's heaps.
 *
 * @module
 */

import { HandleTable } from "@vmbind/drm";
import type { PanthorFile } from "@vmbind/panthor";
import type { LiveCall } from "../../call.ts";
import type { DriverIoctls } from "../../driver-ioctls.ts";
import { type Answer, askModel, type LiveFile } from "../../hardware.ts";
import type { Group, GroupScheduler } from "./groups.ts";

/** `DRM_PANTHOR_USER_MMIO_OFFSET_64BIT` of `panthor_drm.h`, and where 32-bit processes have it. */
const USER_MMIO_OFFSET = 2 ** 56;
const USER_MMIO_OFFSET_32 = 2 ** 43;

/** An open file. */
export class PanthorLiveFile implements LiveFile {
  /** See {@link LiveFile.model}. */
  readonly model: PanthorFile;
  /** What runs groups. */
  readonly scheduler: GroupScheduler;
  /** Groups by handle. */
  readonly groups: HandleTable<Group> = new HandleTable();
  /** Heaps by the lower half of their handles: the VM that each is for. */
  readonly heaps: HandleTable<number> = new HandleTable();
  readonly #ioctls: DriverIoctls<PanthorLiveFile>;

  /**
   * @param model - the model's file
   * @param scheduler - what runs groups
   * @param ioctls - those that the model leaves out
   */
  constructor(model: PanthorFile, scheduler: GroupScheduler, ioctls: DriverIoctls<PanthorLiveFile>) {
    this.model = model;
    this.scheduler = scheduler;
    this.#ioctls = ioctls;
  }

  /** See {@link LiveFile.ioctl}. */
  ioctl(call: LiveCall, request: number, arg: Uint8Array): Answer {
    return this.#ioctls.answer(this, call, request, arg) ?? askModel(this.model, call, request, arg);
  }

  /** See {@link LiveFile.hasPage}: the page of the flush-id register, which reads as zero. */
  hasPage(offset: number): boolean {
    return offset === USER_MMIO_OFFSET || offset === USER_MMIO_OFFSET_32;
  }

  /** See {@link LiveFile.close}. */
  close(): void {
    for (const [, group] of this.groups.entries()) this.scheduler.drop(group);
    this.model.close();
  }
}
