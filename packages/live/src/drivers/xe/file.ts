/**
 * An open file of the node: the model's, and the queues of engines.
 *
 * @module
 */

import type { XeFile } from "@vmbind/xe";
import type { LiveCall } from "../../call.ts";
import type { DriverIoctls } from "../../driver-ioctls.ts";
import { type Answer, askModel, type LiveFile } from "../../hardware.ts";
import { ProcessMemory } from "../../process-memory.ts";
import type { Engines, JobQueue } from "./jobs.ts";
import type { QueryContext } from "./queries.ts";
import { type VramUsers, waitForVram } from "./wait-for-vram.ts";

/** Offset of the page that orders writes over PCI; there is no memory behind it. */
const PCI_BARRIER_OFFSET = 0x500_0000_0000;

/** What a file needs of the device. */
export interface XeLiveDevice extends QueryContext, VramUsers {
  /** What runs jobs. */
  readonly engines: Engines;
  /** A file is closed. */
  closed(file: XeLiveFile): void;
}

/** An open file. */
export class XeLiveFile implements LiveFile {
  /** See {@link LiveFile.model}. */
  readonly model: XeFile;
  /** The device. */
  readonly device: XeLiveDevice;
  /** Queues of engines by id; those that bind are the model's alone. */
  readonly queues: Map<number, JobQueue> = new Map();
  readonly #ioctls: DriverIoctls<XeLiveFile>;

  /**
   * @param model - the model's file
   * @param device - the device
   * @param ioctls - those that the model leaves out
   */
  constructor(model: XeFile, device: XeLiveDevice, ioctls: DriverIoctls<XeLiveFile>) {
    this.model = model;
    this.device = device;
    this.#ioctls = ioctls;
    // What a process has mapped is known here, so the model need not take every address for memory.
    model.userPages.access = ({ process, addr }) =>
      process instanceof ProcessMemory ? process.accessAt(addr) : "none";
  }

  /** What runs jobs. */
  get engines(): Engines {
    return this.device.engines;
  }

  /** See {@link LiveFile.ioctl}. */
  ioctl(call: LiveCall, request: number, arg: Uint8Array): Answer {
    return waitForVram(
      call,
      this.device,
      () => this.#ioctls.answer(this, call, request, arg) ?? askModel(this.model, call, request, arg),
    );
  }

  /** See {@link LiveFile.hasPage}. */
  hasPage(offset: number): boolean {
    return offset === PCI_BARRIER_OFFSET;
  }

  /** A queue is destroyed. */
  dropQueue(id: number): void {
    const queue = this.queues.get(id);
    if (queue !== undefined && queue.jobs.length > 0) this.engines.ban(queue);
    this.queues.delete(id);
  }

  /** See {@link LiveFile.close}. */
  close(): void {
    for (const id of [...this.queues.keys()]) this.dropQueue(id);
    this.device.closed(this);
    this.model.close();
  }
}
