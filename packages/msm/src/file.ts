/**
 * An open file of the device node, which is one context of the GPU: its handles, its queues, its sync files, and its one VM,
 * which comes with the first ioctl that needs it (`msm_drv.c`, Linux 7.3-rc7). What its ioctls do is in `ioctls.ts`.
 *
 * @module
 */

import {
  type DmaBuf,
  type DrmError,
  type DrmFile,
  EPERM,
  type Fence,
  fail,
  GemHandles,
  type GemObject,
  HandleTable,
  type IoctlTable,
  needOpen,
  type OffsetTarget,
  Syncobjs,
  signaledFence,
  type UserSpace,
} from "@vmbind/drm";
import { MsmBo, type MsmBoDevice, type MsmBoOptions, segmentsOf } from "./bo.ts";
import { KernelIovas } from "./kernel-iovas.ts";
import type { SubmitQueue } from "./submit-queue.ts";
import { BO_NO_SHARE } from "./uapi.ts";
import { MsmVm, type MsmVmDevice } from "./vm.ts";

/** Id by which `DrmFile.vm` knows the file's VM: the uAPI has none. */
export const VM_ID = 1;

/** What a file and its ioctls need of the device; see `MsmDevice`. */
export interface MsmFileDevice extends MsmBoDevice, MsmVmDevice {
  /** A VM was made. @internal */
  register(vm: MsmVm): void;
}

/** What every sync file stands for whose fence has happened. */
const HAPPENED: Fence = signaledFence();

/** An open file. */
export class MsmFile implements DrmFile<MsmBo, MsmVm> {
  /** The device. */
  readonly device: MsmFileDevice;
  /** Its syncobjs. */
  readonly syncobjs: Syncobjs;
  /** Addresses that the kernel gave, or was told, where it manages the VM. */
  readonly kernelIovas: KernelIovas = new KernelIovas();
  /** Why the last ioctl failed. */
  lastError: DrmError | null = null;
  /** Whether user space asked to manage the VM (`MSM_PARAM_EN_VM_BIND`): decides when the VM is made. */
  wantsVmBind = false;
  /** Name of the task, as `MSM_PARAM_COMM` had it, a character a byte; null for the process's own. */
  comm: string | null = null;
  /** Its command line, as `MSM_PARAM_CMDLINE` had it. */
  cmdline: string | null = null;
  #closed = false;
  #vm: MsmVm | null = null;
  readonly #ioctls: IoctlTable<MsmFile>;
  readonly #bos: GemHandles<MsmBo>;
  readonly #queues: Map<number, SubmitQueue> = new Map();
  #nextQueue = 0;
  readonly #syncFiles: HandleTable<Fence> = new HandleTable();

  /**
   * @param device - the device; use `MsmDevice.open`
   * @param ioctls - what it answers to
   */
  constructor(device: MsmFileDevice, ioctls: IoctlTable<MsmFile>) {
    this.device = device;
    this.#ioctls = ioctls;
    this.#bos = new GemHandles({
      gems: device.gems,
      memory: device.memory.backing,
      isBo: (gem) => gem instanceof MsmBo,
      checkExport(bo) {
        if ((bo.flags & BO_NO_SHARE) !== 0) fail(EPERM, "export: the object was made with NO_SHARE");
      },
      importForeign: (dmaBuf) => new MsmBo(device, dmaBuf.size, { pages: segmentsOf(dmaBuf), dmaBuf }),
    });
    this.syncobjs = new Syncobjs(device.options.adoptSyncobjs);
    this.addQueue(0, 0);
  }

  /** See `DrmFile.closed`. */
  get closed(): boolean {
    return this.#closed;
  }

  /** See `DrmFile.ioctl`. */
  ioctl(request: number, arg: Uint8Array, user?: UserSpace): number {
    return this.#ioctls.ioctl(this, request, arg, user);
  }

  /** The VM under {@link VM_ID}, once there is one. */
  vms(): [number, MsmVm][] {
    return this.#vm === null ? [] : [[VM_ID, this.#vm]];
  }

  /**
   * @param id - {@link VM_ID}
   * @returns the VM, undefined before it is made and for every other id
   */
  vm(id: number): MsmVm | undefined {
    return id === VM_ID ? (this.#vm ?? undefined) : undefined;
  }

  /** Whether the VM was made: from then on it is settled who manages it. */
  get hasVm(): boolean {
    return this.#vm !== null;
  }

  /**
   * The VM, made now if there is none.
   *
   * @throws `DrmError` ENOMEM
   */
  needVm(): MsmVm {
    if (this.#vm !== null) return this.#vm;
    needOpen(this, "vm");
    const vm = new MsmVm(this.device, this.wantsVmBind, this.#bos);
    this.device.register(vm);
    this.#vm = vm;
    return vm;
  }

  /** Objects with their handles, ascending. */
  bos(): Iterable<[number, MsmBo]> {
    return this.#bos.entries();
  }

  /**
   * @param handle - GEM handle
   * @returns the object, or undefined
   */
  bo(handle: number): MsmBo | undefined {
    return this.#bos.get(handle);
  }

  /**
   * Make an object, without the checks of GEM_NEW.
   *
   * @param size - bytes, a multiple of 4096
   * @param options - see {@link MsmBoOptions}; NO_SHARE makes the file's VM the owner
   * @returns its handle
   */
  createBo(size: number, options: MsmBoOptions = {}): number {
    needOpen(this, "gem_new");
    const owner = ((options.flags ?? 0) & BO_NO_SHARE) !== 0 ? this.needVm() : null;
    return this.#bos.add(new MsmBo(this.device, size, { owner, ...options }));
  }

  /** See `DrmFile.handleOf`. */
  handleOf(gem: GemObject): number {
    return this.#bos.handleOf(gem);
  }

  /** See `DrmFile.objectAt`. */
  objectAt(mmapOffset: number): OffsetTarget<MsmBo> | undefined {
    return this.#bos.objectAt(mmapOffset);
  }

  /** See `DrmFile.exportBo`; EPERM for a NO_SHARE object (`msm_gem_prime.c`). */
  exportBo(handle: number): DmaBuf {
    needOpen(this, "export");
    return this.#bos.export(handle);
  }

  /** See `DrmFile.importBo`; another device's object stays pinned where it is until this one goes. */
  importBo(dmaBuf: DmaBuf): number {
    needOpen(this, "import");
    return this.#bos.import(dmaBuf);
  }

  /** @internal */
  takeBo(handle: number): MsmBo | undefined {
    const bo = this.#bos.remove(handle);
    if (bo !== undefined) this.kernelIovas.drop(bo);
    return bo;
  }

  /** Queues with their ids. */
  queues(): Iterable<[number, SubmitQueue]> {
    return this.#queues.entries();
  }

  /**
   * @param id - queue id
   * @returns the queue, undefined for an id that is not in use
   */
  queue(id: number): SubmitQueue | undefined {
    return this.#queues.get(id);
  }

  /** A new queue: its id, which no queue of the file had before. @internal */
  addQueue(flags: number, prio: number): number {
    const id = this.#nextQueue++;
    this.#queues.set(id, { id, flags, prio, lastFence: 0 });
    return id;
  }

  /** @internal */
  dropQueue(id: number): boolean {
    return this.#queues.delete(id);
  }

  /**
   * Make a sync file (FENCE_FD_OUT).
   *
   * @param fence - what it stands for
   * @returns its number: the lowest that is free, from 1; a process has numbers of its own
   */
  addSyncFile(fence: Fence): number {
    return this.#syncFiles.alloc(fence.signaled ? HAPPENED : fence);
  }

  /**
   * @param fd - from {@link MsmFile.addSyncFile}
   * @returns its fence, undefined for a number that is not in use
   */
  syncFile(fd: number): Fence | undefined {
    return this.#syncFiles.get(fd);
  }

  /**
   * Close a sync file.
   *
   * @param fd - its number; nothing happens for one that is not in use
   */
  closeSyncFile(fd: number): void {
    this.#syncFiles.remove(fd);
  }

  /** Close the file: the VM goes with all that it maps, then the handles. */
  close(): void {
    if (this.closed) return;
    this.#closed = true;
    this.#vm?.close();
    this.#vm = null;
    for (const [handle] of this.#bos.entries()) this.takeBo(handle)?.put();
    this.#queues.clear();
  }
}
