/**
 * An open file of the device node: its VMs, its handles, its exec queues, and the process's memory that it pinned
 * (`struct xe_file` of `xe_device_types.h`, Linux 7.3-rc7). The ioctls are in `ioctls.ts`.
 *
 * @module
 */

import {
  type DmaBuf,
  type DrmError,
  type DrmFile,
  EBUSY,
  EINVAL,
  EPERM,
  fail,
  GemHandles,
  type GemObject,
  HandleTable,
  type IoctlTable,
  needOpen,
  type OffsetTarget,
  Syncobjs,
  type UserSpace,
} from "@vmbind/drm";
import { ScatterList } from "@vmbind/mmu";
import { PLACEMENT_SYSTEM, XeBo, type XeBoDevice, type XeBoOptions } from "./bo.ts";
import { UserPages } from "./user-pages.ts";
import type { XeVm, XeVmDevice } from "./vm.ts";

/** An exec queue, as far as VM_BIND needs it. */
export interface ExecQueue {
  /** The VM that it works for; null for a queue that only holds its id, see {@link XeFile.reserveExecQueues}. */
  readonly vm: XeVm | null;
  /** It is of engine class VM_BIND (`xe_drm.h`). */
  readonly binds: boolean;
}

/** What a file and its ioctls need of the device; see `XeDevice`. */
export interface XeFileDevice extends XeBoDevice, XeVmDevice {
  /** Runs VM_BIND. @internal */
  readonly binder: { run(file: XeFile, arg: DataView, user: UserSpace): void };
  /** A TLB tag for a new VM. @internal */
  nextAsid(): number;
  /** Memory is short: purges what nobody needs. */
  shrink(): number;
}

/** An open file. */
export class XeFile implements DrmFile<XeBo, XeVm> {
  /** The device. */
  readonly device: XeFileDevice;
  /** Objects by handle. @internal */
  readonly handles: GemHandles<XeBo>;
  /** VMs by id. @internal */
  readonly vmTable: HandleTable<XeVm> = new HandleTable();
  /** Queues by id. @internal */
  readonly queues: HandleTable<ExecQueue> = new HandleTable();
  /** Its syncobjs. */
  readonly syncobjs: Syncobjs;
  /** The memory of processes that MAP_USERPTR pinned. */
  readonly userPages: UserPages;
  /** Why the last ioctl failed, or null when it succeeded. */
  lastError: DrmError | null = null;
  #closed = false;

  readonly #ioctls: IoctlTable<XeFile>;

  /**
   * @param device - the device; use `XeDevice.open`
   * @param ioctls - what it answers to
   */
  constructor(device: XeFileDevice, ioctls: IoctlTable<XeFile>) {
    this.device = device;
    this.#ioctls = ioctls;
    this.handles = new GemHandles({
      gems: device.gems,
      memory: device.memory.backing,
      isBo: (gem) => gem instanceof XeBo,
      checkExport(bo) {
        if (bo.vm !== null) fail(EPERM, "export: the object was made for one VM");
        if (bo.purged) fail(EINVAL, "export: the object is purged");
        if (bo.dontNeed) fail(EBUSY, "export: madvise gave the object's contents up");
      },
      importForeign(dmaBuf) {
        const pages = ScatterList.of(dmaBuf.attach());
        return new XeBo(device, dmaBuf.size, { placement: PLACEMENT_SYSTEM, cpuCaching: 0, pages, dmaBuf });
      },
    });
    this.syncobjs = new Syncobjs(device.options.adoptSyncobjs);
    this.userPages = new UserPages(device.memory, device.systemBytes, this);
  }

  /** See `DrmFile.closed`. */
  get closed(): boolean {
    return this.#closed;
  }

  /** See `DrmFile.ioctl`. */
  ioctl(request: number, arg: Uint8Array, user?: UserSpace): number {
    const result = this.#ioctls.ioctl(this, request, arg, user);
    if (this.device.options.memoryPressure) this.device.shrink();
    return result;
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
    return this.handles.get(handle);
  }

  /** Objects with their handles, ascending. */
  bos(): Iterable<[number, XeBo]> {
    return this.handles.entries();
  }

  /** See `DrmFile.handleOf`. */
  handleOf(gem: GemObject): number {
    return this.handles.handleOf(gem);
  }

  /** See `DrmFile.objectAt`. */
  objectAt(mmapOffset: number): OffsetTarget<XeBo> | undefined {
    return this.handles.objectAt(mmapOffset);
  }

  /** See `DrmFile.exportBo`; EPERM for an object that was made for one VM, EBUSY for one that is not needed, EINVAL
   * for a purged one (`xe_dma_buf.c`). */
  exportBo(handle: number): DmaBuf {
    needOpen(this, "export");
    return this.handles.export(handle);
  }

  /** See `DrmFile.importBo`; another device's object is one in system memory without a
   * caching mode (`xe_dma_buf.c`). */
  importBo(dmaBuf: DmaBuf): number {
    needOpen(this, "import");
    return this.handles.import(dmaBuf);
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
    needOpen(this, "exec_queue_create");
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
    needOpen(this, "gem_create");
    const bo = new XeBo(this.device, size, options);
    return this.handles.add(bo);
  }

  /** Close the file: queues, VMs and handles go. */
  close(): void {
    if (this.closed) return;
    this.#closed = true;
    for (const [id, queue] of this.queues.entries()) {
      this.queues.remove(id);
      queue.vm?.gpuvm.put();
    }
    for (const [id, vm] of this.vmTable.entries()) {
      this.vmTable.remove(id);
      vm.close();
    }
    for (const [handle] of [...this.bos()]) this.handles.remove(handle)?.put();
    this.userPages.release();
  }
}
