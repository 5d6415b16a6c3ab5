/**
 * An open file of the device node: its handles, its VMs and its dummy object (`panthor_drv.c`, Linux 7.3-rc7). What its ioctls do is in
 * `ioctls.ts`.
 *
 * @module
 */

import {
  type DmaBuf,
  type DrmError,
  type DrmFile,
  EBUSY,
  EINVAL,
  ENOMEM,
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
import { dmaSegments, PanthorBo, type PanthorBoDevice, type PanthorBoOptions } from "./bo.ts";
import type { DriverVersion } from "./options.ts";
import * as uapi from "./uapi.ts";
import { PanthorVm, type PanthorVmDevice } from "./vm.ts";

/** What a file and its ioctls need of the device; see `PanthorDevice`. */
export interface PanthorFileDevice extends PanthorBoDevice, PanthorVmDevice {
  /** Whether MAP_SPARSE exists. */
  readonly sparse: boolean;
  /** Whether MAP_REPEAT exists and bind operations have 56 bytes. */
  readonly repeats: boolean;
  /** `MAP_` flags that exist. */
  readonly mapFlags: number;
  /**
   * @param version - a driver version
   * @returns true when this device's driver is that one or later
   */
  since(version: DriverVersion): boolean;
  /** The dummy object of a file that is being opened, referenced. @internal */
  dummyForFile(): PanthorBo;
  /** A VM was made. @internal */
  register(vm: PanthorVm): void;
  /** A number for a new VM, unique in the device. @internal */
  nextVmNumber(): number;
}

/** An open file. */
export class PanthorFile implements DrmFile<PanthorBo, PanthorVm> {
  /** The device. */
  readonly device: PanthorFileDevice;
  /** The object behind every sparse range of this file: 2 MiB, without a handle (driver 1.9, Linux 7.3-rc7). */
  readonly dummy: PanthorBo;
  /** Its syncobjs. */
  readonly syncobjs: Syncobjs;
  /** Why the last ioctl failed. */
  lastError: DrmError | null = null;
  #closed = false;
  readonly #vms: HandleTable<PanthorVm> = new HandleTable(1, uapi.MAX_VMS_PER_FILE);
  readonly #ioctls: IoctlTable<PanthorFile>;
  readonly #bos: GemHandles<PanthorBo>;

  /**
   * @param device - the device; use `PanthorDevice.open`
   * @param ioctls - what it answers to
   */
  constructor(device: PanthorFileDevice, ioctls: IoctlTable<PanthorFile>) {
    this.device = device;
    this.#ioctls = ioctls;
    this.dummy = device.dummyForFile();
    this.#bos = new GemHandles({
      gems: device.gems,
      memory: device.memory.backing,
      isBo: (gem) => gem instanceof PanthorBo,
      checkExport(bo) {
        if (bo.exclusiveVm !== null) fail(EINVAL, "export: the object is exclusive to a VM");
      },
      importForeign(dmaBuf) {
        const pages = ScatterList.of(dmaBuf.attach());
        return new PanthorBo(device, dmaBuf.size, { pages: dmaSegments(pages), dmaBuf });
      },
    });
    this.syncobjs = new Syncobjs(device.options.adoptSyncobjs);
  }

  /** See `DrmFile.closed`. */
  get closed(): boolean {
    return this.#closed;
  }

  /** See `DrmFile.ioctl`. */
  ioctl(request: number, arg: Uint8Array, user?: UserSpace): number {
    return this.#ioctls.ioctl(this, request, arg, user);
  }

  /** VMs with their ids, ascending. */
  vms(): Iterable<[number, PanthorVm]> {
    return this.#vms.entries();
  }

  /**
   * @param id - VM id
   * @returns the VM, or undefined
   */
  vm(id: number): PanthorVm | undefined {
    return this.#vms.get(id);
  }

  /** Objects with their handles, ascending. */
  bos(): Iterable<[number, PanthorBo]> {
    return this.#bos.entries();
  }

  /**
   * @param handle - GEM handle
   * @returns the object, or undefined
   */
  bo(handle: number): PanthorBo | undefined {
    return this.#bos.get(handle);
  }

  /**
   * Make a VM, without the checks of VM_CREATE.
   *
   * @param userRange - bytes of user VA
   * @returns its id
   * @throws `DrmError` EBUSY for the 33rd VM of a file (`PANTHOR_MAX_VMS_PER_FILE` of `panthor_mmu.c`), ENOMEM without a
   * page for its root table
   */
  createVm(userRange: number): number {
    needOpen(this, "vm_create");
    if (this.#vms.size >= uapi.MAX_VMS_PER_FILE)
      fail(EBUSY, `vm_create: this file has ${uapi.MAX_VMS_PER_FILE} VMs`);
    const { tables } = this.device.memory;
    if (tables.live === tables.limit) fail(ENOMEM, `vm_create: no root table, ${tables.whenFull()}`);
    const vm = new PanthorVm(this.device, userRange, this.dummy, this.device.nextVmNumber(), this.#bos);
    this.device.register(vm);
    return this.#vms.alloc(vm);
  }

  /**
   * Make an object, without the checks of BO_CREATE.
   *
   * @param size - bytes, a multiple of 4096
   * @param options - see {@link PanthorBoOptions}
   * @returns its handle
   */
  createBo(size: number, options: PanthorBoOptions = {}): number {
    needOpen(this, "bo_create");
    const pages = options.pages && dmaSegments(options.pages);
    const bo = new PanthorBo(this.device, size, { ...options, ...(pages && { pages }) });
    return this.#bos.add(bo);
  }

  /** See `DrmFile.handleOf`. */
  handleOf(gem: GemObject): number {
    return this.#bos.handleOf(gem);
  }

  /** See `DrmFile.objectAt`. */
  objectAt(mmapOffset: number): OffsetTarget<PanthorBo> | undefined {
    return this.#bos.objectAt(mmapOffset);
  }

  /** See `DrmFile.exportBo`; EINVAL for an object that is exclusive to a VM (`panthor_gem.c`). */
  exportBo(handle: number): DmaBuf {
    needOpen(this, "export");
    return this.#bos.export(handle);
  }

  /** See `DrmFile.importBo`; another device's object stays pinned where it is until this one
   * goes (`drm_gem_shmem_helper.c`). */
  importBo(dmaBuf: DmaBuf): number {
    needOpen(this, "import");
    return this.#bos.import(dmaBuf);
  }

  /** @internal */
  takeVm(id: number): PanthorVm | undefined {
    return this.#vms.remove(id);
  }

  /** @internal */
  takeBo(handle: number): PanthorBo | undefined {
    return this.#bos.remove(handle);
  }

  /**
   * Make a syncobj (`DRM_IOCTL_SYNCOBJ_CREATE`, whose bytes are not modelled).
   *
   * @returns its handle
   */
  createSyncobj(): number {
    needOpen(this, "syncobj_create");
    return this.syncobjs.create();
  }

  /** Close the file: VMs are destroyed, handles dropped, the dummy's reference given back. */
  close(): void {
    if (this.closed) return;
    this.#closed = true;
    for (const [id] of this.#vms.entries()) this.takeVm(id)?.destroy();
    for (const [handle] of this.#bos.entries()) this.takeBo(handle)?.put();
    this.dummy.put();
  }
}
