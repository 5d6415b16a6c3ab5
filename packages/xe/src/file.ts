/**
 * An open file of the device node: its VMs, its handles, its exec queues, and the process's memory that it pinned
 * (`struct xe_file` of `xe_device_types.h`, Linux 7.3). The ioctls are in `ioctls.ts`.
 *
 * @module
 */

import {
  type DrmError,
  type DrmFile,
  HandleTable,
  type IoctlTable,
  Syncobjs,
  type UserSpace,
} from "@vmbind/drm";
import { XeBo, type XeBoOptions } from "./bo.ts";
import type { XeDevice } from "./device.ts";
import { UserPages } from "./user-pages.ts";
import type { XeVm } from "./vm.ts";

/** An exec queue, as far as VM_BIND needs it. */
export interface ExecQueue {
  /** The VM that it works for; null for a queue that only holds its id, see {@link XeFile.reserveExecQueues}. */
  readonly vm: XeVm | null;
  /** It is of engine class VM_BIND (`xe_drm.h`). */
  readonly binds: boolean;
}

/** An open file. */
export class XeFile implements DrmFile {
  /** The device. */
  readonly device: XeDevice;
  /** Objects by handle. @internal */
  readonly bos: HandleTable<XeBo> = new HandleTable();
  /** VMs by id. @internal */
  readonly vmTable: HandleTable<XeVm> = new HandleTable();
  /** Queues by id. @internal */
  readonly queues: HandleTable<ExecQueue> = new HandleTable();
  /** Its syncobjs. */
  readonly syncobjs: Syncobjs;
  /** The process's memory that MAP_USERPTR pinned. */
  readonly userPages: UserPages;
  /** Why the last ioctl failed, or null when it succeeded. */
  lastError: DrmError | null = null;

  readonly #ioctls: IoctlTable<XeFile>;

  /**
   * @param device - the device; use {@link XeDevice.open}
   * @param ioctls - what it answers to
   */
  constructor(device: XeDevice, ioctls: IoctlTable<XeFile>) {
    this.device = device;
    this.#ioctls = ioctls;
    this.syncobjs = new Syncobjs(device.options.adoptSyncobjs);
    this.userPages = new UserPages(device.memory, device.systemBytes);
  }

  /** See `DrmFile.ioctl`. */
  ioctl(request: number, arg: Uint8Array, user?: UserSpace): number {
    return this.#ioctls.ioctl(this, request, arg, user);
  }

  /**
   * @param id - a VM id
   * @returns the VM, undefined for an id that is not in use
   */
  vm(id: number): XeVm | undefined {
    return this.vmTable.get(id);
  }

  /** VMs by id, ascending. */
  vms(): Iterable<[number, XeVm]> {
    return this.vmTable.entries();
  }

  /**
   * @param handle - a GEM handle
   * @returns the object, undefined for a handle that is not in use
   */
  bo(handle: number): XeBo | undefined {
    return this.bos.get(handle);
  }

  /**
   * @param id - an exec queue id
   * @returns the queue, undefined for an id that is not in use
   */
  execQueue(id: number): ExecQueue | undefined {
    return this.queues.get(id);
  }

  /**
   * Take queue ids without an ioctl: recordings leave out the queues of hardware engines, but not their ids.
   *
   * @param next - the id that the next EXEC_QUEUE_CREATE is to get; ids below it that are free become inert queues
   */
  reserveExecQueues(next: number): void {
    const inert = { vm: null, binds: false };
    let id = this.queues.alloc(inert);
    while (id < next) id = this.queues.alloc(inert);
    this.queues.remove(id);
  }

  /**
   * Make an object without an ioctl: with memory of one's own choice, or as an imported one.
   *
   * @param size - bytes, a multiple of 4096
   * @param options - see {@link XeBoOptions}
   * @returns its handle
   */
  createBo(size: number, options: XeBoOptions): number {
    const bo = new XeBo(this.device, size, options);
    bo.handle = this.bos.alloc(bo);
    return bo.handle;
  }

  /** Close the file: queues, VMs and handles go. */
  close(): void {
    for (const [id, queue] of [...this.queues.entries()]) {
      this.queues.remove(id);
      queue.vm?.gpuvm.put();
    }
    for (const [id, vm] of [...this.vmTable.entries()]) {
      this.vmTable.remove(id);
      vm.close();
    }
    for (const [handle, bo] of [...this.bos.entries()]) {
      this.bos.remove(handle);
      bo.handle = 0;
      bo.put();
    }
    this.userPages.release();
  }
}
