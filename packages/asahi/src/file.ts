/**
 * An open file: its VMs, handles and firmware objects, and the ioctls. Structs are those of `asahi_drm.h` (Linux 7.3-rc7),
 * checks and their order those of the driver (the downstream asahi driver, branches of 2025).
 *
 * The typed methods check and act, and throw `DrmError`. `ioctl()` is the same over bytes: it finds the method by the
 * request's number, as DRM does, and turns an error into a negative errno and a reason that stays readable.
 *
 * @module
 */

import {
  type DmaBuf,
  type DrmError,
  type DrmFile,
  EINVAL,
  ENODEV,
  ENOENT,
  ENOMEM,
  fail,
  GemHandles,
  type GemObject,
  HandleTable,
  hex,
  type IoctlTable,
  needOpen,
  OBJECT_BYTES_MAX,
  type OffsetTarget,
  Syncobjs,
  type UserSpace,
} from "@vmbind/drm";
import { AsahiBo } from "./bo.ts";
import type { FirmwareObject, FirmwareSpace } from "./firmware.ts";
import {
  BIND_OBJECT_OP_BIND,
  BIND_OBJECT_OP_UNBIND,
  BIND_OBJECT_USAGE_TIMESTAMPS,
  GEM_VM_PRIVATE,
  GEM_WRITEBACK,
  type GemBindObject,
  type GemBindOp,
  type GemCreate,
  type GemMmapOffset,
  type GetParams,
  PAGE_BYTES,
  PARAMS_GLOBAL,
  type ParamsGlobal,
  VM_END,
  VM_KERNEL_MIN_SIZE,
  VM_START,
  type VmBind,
  type VmCreate,
  type VmDestroy,
} from "./uapi.ts";
import { AsahiVm, type AsahiVmDevice } from "./vm.ts";
import { runBindOp, vmBind } from "./vm-bind.ts";

/** What a file and its ioctls need of the device; see `AsahiDevice`. */
export interface AsahiFileDevice extends AsahiVmDevice {
  /** What GET_PARAMS returns. */
  readonly params: Readonly<ParamsGlobal>;
  /** The GPU has crashed. */
  readonly crashed: boolean;
  /** Where GEM_BIND_OBJECT maps. */
  readonly firmware: FirmwareSpace;
}

/** An open file of an asahi device. */
export class AsahiFile implements DrmFile<AsahiBo, AsahiVm> {
  /** The device. */
  readonly device: AsahiFileDevice;
  /** Why the last ioctl failed, null when it succeeded. */
  lastError: DrmError | null = null;
  #closed = false;
  readonly #vms: HandleTable<AsahiVm> = new HandleTable();
  /** Its syncobjs; VM_BIND takes none. */
  readonly syncobjs: Syncobjs;
  readonly #bos: GemHandles<AsahiBo>;
  readonly #objects: HandleTable<FirmwareObject> = new HandleTable();

  readonly #ioctls: IoctlTable<AsahiFile>;

  /**
   * @param device - the device; use `AsahiDevice.open`
   * @param ioctls - what it answers to
   */
  constructor(device: AsahiFileDevice, ioctls: IoctlTable<AsahiFile>) {
    this.device = device;
    this.#ioctls = ioctls;
    this.syncobjs = new Syncobjs(device.options.adoptSyncobjs);
    this.#bos = new GemHandles({
      gems: device.gems,
      memory: device.memory.backing,
      isBo: (gem) => gem instanceof AsahiBo,
      checkExport(bo) {
        if (bo.vm !== null) fail(EINVAL, "export: the object is VM_PRIVATE");
      },
      importForeign: () => fail(EINVAL, "import: objects of other devices are not modelled"),
    });
  }

  /** VMs with their ids, ascending. */
  vms(): Iterable<[number, AsahiVm]> {
    return this.#vms.entries();
  }

  /**
   * @param id - VM id
   * @returns the VM, or undefined
   */
  vm(id: number): AsahiVm | undefined {
    return this.#vms.get(id);
  }

  /** Objects with their handles, ascending. */
  bos(): Iterable<[number, AsahiBo]> {
    return this.#bos.entries();
  }

  /**
   * @param handle - GEM handle
   * @returns the object, or undefined
   */
  bo(handle: number): AsahiBo | undefined {
    return this.#bos.get(handle);
  }

  /** See `DrmFile.closed`. */
  get closed(): boolean {
    return this.#closed;
  }

  /** See `DrmFile.ioctl`. */
  ioctl(request: number, arg: Uint8Array, user?: UserSpace): number {
    return this.#ioctls.ioctl(this, request, arg, user);
  }

  /**
   * GET_PARAMS.
   *
   * @param args - the struct
   * @param user - memory to write to
   * @throws DrmError EINVAL, ENODEV, EFAULT
   */
  getParams(args: GetParams, user: UserSpace): void {
    if (args.paramGroup !== 0) fail(EINVAL, `get_params.param_group: ${args.paramGroup} is not 0`);
    if (args.pad !== 0) fail(EINVAL, `get_params.pad: ${args.pad} is not 0`);
    if (this.device.crashed) fail(ENODEV, "get_params: the GPU has crashed");
    // A size that is not representable is larger than the struct.
    const size = Number.isNaN(args.size) ? PARAMS_GLOBAL.size : Math.min(args.size, PARAMS_GLOBAL.size);
    if (size > 0) user.write(args.pointer, PARAMS_GLOBAL.encode(this.device.params).subarray(0, size));
  }

  /**
   * VM_CREATE.
   *
   * @param args - `kernelStart` and `kernelEnd`
   * @returns the new id
   * @throws DrmError EINVAL, ENOMEM
   */
  vmCreate(args: VmCreate): number {
    needOpen(this, "vm_create");
    const { kernelStart: start, kernelEnd: end } = args;
    const range = `${hex(start)}..${hex(end)}`;
    if (!(start >= VM_START && end <= VM_END)) {
      fail(EINVAL, `vm_create.kernel_start: ${range} is not inside the window of the device`);
    }
    if (end - start < VM_KERNEL_MIN_SIZE)
      fail(EINVAL, `vm_create.kernel_end: ${range} is shorter than 512 MiB`);
    if (start % PAGE_BYTES !== 0) fail(EINVAL, "vm_create.kernel_start: not a multiple of 0x4000");
    if (end % PAGE_BYTES !== 0) fail(EINVAL, "vm_create.kernel_end: not a multiple of 0x4000");
    return this.#vms.alloc(new AsahiVm(this.device, start, end, this.#bos));
  }

  /**
   * VM_DESTROY: the id is free at once, the mappings go.
   *
   * @param args - `vmId`
   * @throws DrmError ENOENT
   */
  vmDestroy(args: Pick<VmDestroy, "vmId">): void {
    const vm = this.#vms.remove(args.vmId);
    if (vm === undefined) fail(ENOENT, `vm_destroy.vm_id: ${args.vmId} is not a VM of this file`);
    vm.destroy();
  }

  /**
   * VM_BIND.
   *
   * @param args - the struct
   * @param user - memory with the op array
   * @throws DrmError EFAULT, EINVAL, ENOENT, ENOMEM for the first op that fails; those before it stay applied
   */
  vmBind(args: VmBind, user: UserSpace): void {
    vmBind(this, args, user);
  }

  /**
   * Ops without bytes around them: each is checked and run as VM_BIND would.
   *
   * @param vmId - VM id
   * @param ops - in order
   * @throws DrmError EINVAL, ENOENT, ENOMEM for the first op that fails; those before it stay applied
   */
  bind(vmId: number, ops: readonly GemBindOp[]): void {
    ops.forEach((op, i) => {
      runBindOp(this, vmId, op, i);
    });
  }

  /**
   * GEM_CREATE.
   *
   * @param args - `size`, `flags`, `vmId`
   * @returns the new handle
   * @throws DrmError EINVAL, ENOENT, ENOMEM
   */
  gemCreate(args: Pick<GemCreate, "size" | "flags" | "vmId">): number {
    needOpen(this, "gem_create");
    const { size, flags, vmId } = args;
    const isPrivate = (flags & GEM_VM_PRIVATE) !== 0;
    if ((flags & ~(GEM_WRITEBACK | GEM_VM_PRIVATE)) !== 0) {
      fail(EINVAL, `gem_create.flags: 0x${flags.toString(16)} has bits other than WRITEBACK and VM_PRIVATE`);
    }
    if (!isPrivate && vmId !== 0) fail(EINVAL, `gem_create.vm_id: ${vmId} without VM_PRIVATE`);
    const vm = isPrivate ? this.#vms.get(vmId) : null;
    if (vm === undefined) fail(ENOENT, `gem_create.vm_id: ${vmId} is not a VM of this file`);
    if (!(size < OBJECT_BYTES_MAX))
      fail(EINVAL, `gem_create.size: ${hex(size)} in whole pages is more than a file can have`);
    const { gems, memory, options } = this.device;
    const { boFragmentation: fragmentation, allocFault } = options;
    if (allocFault?.("gem")) fail(ENOMEM, "gem_create: no memory for the object (injected)");
    return this.addBo(new AsahiBo({ gems, memory, size, flags, vm, fragmentation, allocFault }));
  }

  /**
   * Give an object a handle in this file, which takes the creator's reference over.
   *
   * @param bo - a fresh object
   * @returns its handle
   */
  addBo(bo: AsahiBo): number {
    needOpen(this, "gem_create");
    return this.#bos.add(bo);
  }

  /** See `DrmFile.handleOf`. */
  handleOf(gem: GemObject): number {
    return this.#bos.handleOf(gem);
  }

  /** See `DrmFile.objectAt`. */
  objectAt(mmapOffset: number): OffsetTarget<AsahiBo> | undefined {
    return this.#bos.objectAt(mmapOffset);
  }

  /** See `DrmFile.exportBo`; EINVAL for a VM_PRIVATE object. */
  exportBo(handle: number): DmaBuf {
    needOpen(this, "export");
    return this.#bos.export(handle);
  }

  /** See `DrmFile.importBo`; EINVAL for an object of another device, which the model has not. */
  importBo(dmaBuf: DmaBuf): number {
    needOpen(this, "import");
    return this.#bos.import(dmaBuf);
  }

  /**
   * GEM_MMAP_OFFSET.
   *
   * @param args - `handle`, `flags`
   * @returns the offset to give to mmap, in bytes; the same for every call
   * @throws DrmError EINVAL, ENOENT, ENOSPC
   */
  gemMmapOffset(args: Pick<GemMmapOffset, "handle" | "flags">): number {
    if (args.flags !== 0) fail(EINVAL, `gem_mmap_offset.flags: 0x${args.flags.toString(16)} is not 0`);
    const bo = this.#bos.get(args.handle);
    if (bo === undefined)
      return fail(ENOENT, `gem_mmap_offset.handle: ${args.handle} is not a handle of this file`);
    return bo.createMmapOffset();
  }

  /**
   * GEM_CLOSE (`drm.h`): every mapping of the object in every VM of this file goes with the handle.
   *
   * @param handle - GEM handle
   * @throws DrmError EINVAL
   */
  gemClose(handle: number): void {
    const bo = this.#bos.remove(handle);
    if (bo === undefined) fail(EINVAL, `gem_close.handle: ${handle} is not a handle of this file`);
    for (const [, vm] of this.#vms.entries()) vm.unbindObject(bo);
    bo.put();
  }

  /**
   * GEM_BIND_OBJECT.
   *
   * @param args - the struct
   * @returns the object handle
   * @throws DrmError EINVAL, ENOENT, ENOMEM
   */
  gemBindObject(args: GemBindObject): number {
    if (args.pad !== 0) fail(EINVAL, `gem_bind_object.pad: ${args.pad} is not 0`);
    if (args.vmId !== 0) fail(EINVAL, `gem_bind_object.vm_id: ${args.vmId} is not 0`);
    if (args.op === BIND_OBJECT_OP_BIND) return this.#bindObject(args);
    if (args.op === BIND_OBJECT_OP_UNBIND) return this.#unbindObject(args);
    return fail(EINVAL, `gem_bind_object.op: ${args.op} is neither BIND nor UNBIND`);
  }

  #bindObject({ flags, handle, offset, range }: GemBindObject): number {
    if (range % PAGE_BYTES !== 0) fail(EINVAL, "gem_bind_object.range: not a multiple of 0x4000");
    if (offset % PAGE_BYTES !== 0) fail(EINVAL, "gem_bind_object.offset: not a multiple of 0x4000");
    if (flags !== BIND_OBJECT_USAGE_TIMESTAMPS) fail(EINVAL, "gem_bind_object.flags: not USAGE_TIMESTAMPS");
    if (offset + range >= 2 ** 64) fail(EINVAL, "gem_bind_object.range: offset + range exceeds 64 bits");
    const bo = this.#bos.get(handle);
    if (bo === undefined)
      return fail(ENOENT, `gem_bind_object.handle: ${handle} is not a handle of this file`);
    if (range === 0) fail(EINVAL, "gem_bind_object.range: 0");
    if (offset + range > bo.size) fail(EINVAL, "gem_bind_object.range: ends behind the object");
    return this.#objects.alloc(this.device.firmware.bind(bo, offset, range));
  }

  #unbindObject({ flags, handle, offset, range, objectHandle: id }: GemBindObject): number {
    if (range !== 0) fail(EINVAL, "gem_bind_object.range: not 0 with UNBIND");
    if (offset !== 0) fail(EINVAL, "gem_bind_object.offset: not 0 with UNBIND");
    if (flags !== 0) fail(EINVAL, "gem_bind_object.flags: not 0 with UNBIND");
    if (handle !== 0) fail(EINVAL, "gem_bind_object.handle: not 0 with UNBIND");
    const object = this.#objects.remove(id);
    if (object === undefined) fail(ENOENT, `gem_bind_object.object_handle: ${id} is not bound`);
    this.device.firmware.unbind(object);
    return id;
  }

  /** Close the file: handles first, with their mappings, then VMs, then firmware objects. */
  close(): void {
    if (this.closed) return;
    this.#closed = true;
    for (const [handle] of this.#bos.entries()) this.gemClose(handle);
    for (const [id] of this.#vms.entries()) this.vmDestroy({ vmId: id });
    for (const [id, object] of this.#objects.entries()) {
      this.#objects.remove(id);
      this.device.firmware.unbind(object);
    }
  }
}
