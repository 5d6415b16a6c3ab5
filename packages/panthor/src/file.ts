/**
 * An open file of the device node: its handles, its VMs, its dummy object, and the ioctls with their checks
 * (`panthor_drv.c`, Linux 7.3).
 *
 * @module
 */

import {
  DRM_COMMAND_BASE,
  DRM_IOCTL_GEM_CLOSE,
  type DrmError,
  type DrmFile,
  EBUSY,
  EINVAL,
  ENOENT,
  ENOMEM,
  EOPNOTSUPP,
  EPERM,
  Fence,
  fail,
  HandleTable,
  IoctlTable,
  ioctlRow,
  type Syncobj,
  Syncobjs,
  type UserSpace,
} from "@vmbind/drm";
import { dmaSegments, PanthorBo, type PanthorBoOptions } from "./bo.ts";
import type { PanthorDevice } from "./device.ts";
import { PAGE_BYTES, PAGE_SIZE_BITMAP } from "./page-sizes.ts";
import * as uapi from "./uapi.ts";
import { divideVa } from "./va-ranges.ts";
import { PanthorVm } from "./vm.ts";
import { vmBind } from "./vm-bind.ts";

/** What clear_user writes at a time. */
const ZEROS = new Uint8Array(4096);

/** Output address sizes that `io-pgtable-arm.c` knows, in bits. */
const PA_BITS = [32, 36, 40, 42, 44, 48, 52];

/** `DRM_PANTHOR_*` behind BO_MMAP_OFFSET, in the order of their numbers. */
const NOT_MODELLED = [
  "GROUP_CREATE",
  "GROUP_DESTROY",
  "GROUP_SUBMIT",
  "GROUP_GET_STATE",
  "TILER_HEAP_CREATE",
  "TILER_HEAP_DESTROY",
  "BO_SET_LABEL",
  "SET_USER_MMIO_OFFSET",
  "BO_SYNC",
  "BO_QUERY_INFO",
];

const IOCTLS: IoctlTable<PanthorFile> = new IoctlTable<PanthorFile>(
  [
    ioctlRow(DRM_IOCTL_GEM_CLOSE, uapi.GEM_CLOSE, gemClose),
    ioctlRow(uapi.IOCTL_DEV_QUERY, uapi.DEV_QUERY_ARG, devQuery),
    ioctlRow(uapi.IOCTL_VM_CREATE, uapi.VM_CREATE, vmCreate),
    ioctlRow(uapi.IOCTL_VM_DESTROY, uapi.VM_DESTROY, vmDestroy),
    [uapi.IOCTL_VM_BIND, vmBind],
    ioctlRow(uapi.IOCTL_VM_GET_STATE, uapi.VM_GET_STATE, vmGetState),
    ioctlRow(uapi.IOCTL_BO_CREATE, uapi.BO_CREATE, boCreate),
    ioctlRow(uapi.IOCTL_BO_MMAP_OFFSET, uapi.BO_MMAP_OFFSET, boMmapOffset),
  ],
  {
    notModelled: NOT_MODELLED.map((name, i) => [DRM_COMMAND_BASE + uapi.IOCTL_ID.groupCreate + i, name]),
  },
);

/** An open file. */
export class PanthorFile implements DrmFile {
  /** The device. */
  readonly device: PanthorDevice;
  /** The object behind every sparse range of this file: 2 MiB, without a handle (driver 1.9, Linux 7.3). */
  readonly dummy: PanthorBo;
  /** Its syncobjs. */
  readonly syncobjs: Syncobjs;
  /** Why the last ioctl failed. */
  lastError: DrmError | null = null;
  readonly #vms: HandleTable<PanthorVm> = new HandleTable(1, uapi.MAX_VMS_PER_FILE);
  readonly #bos: HandleTable<PanthorBo> = new HandleTable();

  /** @param device - the device; use {@link PanthorDevice.open} */
  constructor(device: PanthorDevice) {
    this.device = device;
    this.dummy = device.dummyForFile();
    this.syncobjs = new Syncobjs(device.options.adoptSyncobjs);
  }

  /** See `DrmFile.ioctl`. `DRM_IOCTL_GEM_CLOSE` and the ioctls of `panthor_drm.h` that deal with memory. */
  ioctl(request: number, arg: Uint8Array, user?: UserSpace): number {
    return IOCTLS.ioctl(this, request, arg, user);
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
    if (this.#vms.size >= uapi.MAX_VMS_PER_FILE)
      fail(EBUSY, `vm_create: this file has ${uapi.MAX_VMS_PER_FILE} VMs`);
    const { tables } = this.device.memory;
    if (tables.live === tables.limit) fail(ENOMEM, "vm_create: no page is left for the root table");
    const vm = new PanthorVm(this.device, userRange, this.dummy, this.device.nextAsid());
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
    const pages = options.pages && dmaSegments(options.pages);
    const bo = new PanthorBo(this.device, size, { ...options, ...(pages && { pages }) });
    bo.handle = this.#bos.alloc(bo);
    return bo.handle;
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
    return this.syncobjs.create();
  }

  /**
   * @param handle - syncobj handle
   * @returns the syncobj; undefined for an unknown handle, unless the device adopts those
   */
  syncobj(handle: number): Syncobj | undefined {
    return this.syncobjs.get(handle);
  }

  /**
   * Put a fence into a syncobj, as a job of another driver or queue does.
   *
   * @param handle - syncobj handle
   * @param point - timeline point, 0 (unless told) for the binary payload
   * @returns the fence, to be signalled by the caller
   * @throws `DrmError` ENOENT for an unknown handle
   */
  attachFence(handle: number, point = 0): Fence {
    const syncobj = this.syncobj(handle) ?? fail(ENOENT, `syncobj: ${handle} is not a syncobj of this file`);
    const fence = new Fence();
    syncobj.attach(point, fence);
    return fence;
  }

  /** Close the file: VMs are destroyed, handles dropped, the dummy's reference given back. */
  close(): void {
    for (const [id] of this.#vms.entries()) this.takeVm(id)?.destroy();
    for (const [handle] of this.#bos.entries()) this.takeBo(handle)?.put();
    this.dummy.put();
  }
}

// -- handlers ---------------------------------------------------------------------------------------------------------

function devQuery(file: PanthorFile, arg: uapi.DevQuery, user: UserSpace): Partial<uapi.DevQuery> {
  const { info, minSize } = deviceInfo(file.device, arg.type);
  if (arg.pointer === 0) return { size: info.length };
  if (arg.size < minSize) fail(EINVAL, `dev_query.size: ${arg.size} is below ${minSize}`);
  // The size is the caller's word, up to 4 GiB: the memory must be there before anything is done, and zeros go in pieces.
  user.view(arg.pointer, arg.size);
  user.write(arg.pointer, info.subarray(0, arg.size));
  for (let at = info.length; at < arg.size; at += ZEROS.length) {
    user.write(arg.pointer + at, ZEROS.subarray(0, arg.size - at));
  }
  return {};
}

function deviceInfo(device: PanthorDevice, type: number): { info: Uint8Array; minSize: number } {
  const { vaBits, paBits, gpuId, coherent } = device.options;
  if (type === uapi.DEV_QUERY.gpuInfo) {
    const info = uapi.GPU_INFO.encode({
      gpuId,
      mmuFeatures: vaBits | (paBits << 8),
      textureFeatures: [0, 0, 0, 0],
      asPresent: 0xff,
      selectedCoherency: !device.since("1.7") ? 0 : coherent ? 0 : 31,
      shaderPresent: 0x50005,
      l2Present: 1,
      tilerPresent: 1,
    });
    return { info, minSize: uapi.GPU_INFO_MIN_SIZE };
  }
  if (type === uapi.DEV_QUERY.mmuInfo && device.since("1.9")) {
    const info = uapi.MMU_INFO.encode({ pageSizeBitmap: PAGE_SIZE_BITMAP });
    return { info, minSize: uapi.MMU_INFO.size };
  }
  const modelled = type === uapi.DEV_QUERY.mmuInfo || type > uapi.DEV_QUERY.mmuInfo;
  if (!modelled) fail(EOPNOTSUPP, `dev_query.type: ${type} is not modelled`);
  return fail(EINVAL, `dev_query.type: ${type} is unknown to driver ${device.options.driverVersion}`);
}

function vmCreate(file: PanthorFile, arg: uapi.VmCreate): Partial<uapi.VmCreate> {
  const { vaBits, paBits, taskSize, allocFault } = file.device.options;
  if (arg.flags !== 0) fail(EINVAL, `vm_create.flags: 0x${arg.flags.toString(16)} is not 0`);
  const ranges = divideVa(vaBits, taskSize, arg.userVaRange);
  if (ranges === null) {
    return fail(
      EINVAL,
      `vm_create.user_va_range: 0x${arg.userVaRange.toString(16)} leaves the kernel less than 256 MiB of ${vaBits} bits`,
    );
  }
  if (!PA_BITS.includes(paBits))
    fail(EINVAL, `vm_create: io-pgtable knows no output address of ${paBits} bits`);
  if (allocFault?.("vm")) fail(ENOMEM, "vm_create: no memory (injected)");
  return { id: file.createVm(ranges.userRange), userVaRange: ranges.userRange };
}

function vmDestroy(file: PanthorFile, arg: uapi.VmDestroy): void {
  if (arg.pad !== 0) fail(EINVAL, `vm_destroy.pad: ${arg.pad} is not 0`);
  const vm = file.takeVm(arg.id) ?? fail(EINVAL, `vm_destroy.id: ${arg.id} is not a VM of this file`);
  vm.destroy();
}

function vmGetState(file: PanthorFile, arg: uapi.VmGetState): Partial<uapi.VmGetState> {
  const vm = file.vm(arg.vmId) ?? fail(EINVAL, `vm_get_state.vm_id: ${arg.vmId} is not a VM of this file`);
  return { state: vm.unusable ? uapi.VM_STATE_UNUSABLE : uapi.VM_STATE_USABLE };
}

function boCreate(file: PanthorFile, arg: uapi.BoCreate): Partial<uapi.BoCreate> {
  const { device } = file;
  const known = uapi.BO_NO_MMAP | (device.since("1.7") ? uapi.BO_WB_MMAP : 0);
  if (arg.size === 0) fail(EINVAL, "bo_create.size: 0");
  if (arg.pad !== 0) fail(EINVAL, `bo_create.pad: ${arg.pad} is not 0`);
  if ((arg.flags & ~known) !== 0) {
    fail(
      EINVAL,
      `bo_create.flags: 0x${(arg.flags & ~known).toString(16)} is unknown to driver ${device.options.driverVersion}`,
    );
  }
  if ((arg.flags & uapi.BO_NO_MMAP) !== 0 && (arg.flags & uapi.BO_WB_MMAP) !== 0) {
    fail(EINVAL, "bo_create.flags: NO_MMAP and WB_MMAP exclude each other");
  }
  const exclusiveVm =
    arg.exclusiveVmId === 0
      ? null
      : (file.vm(arg.exclusiveVmId) ??
        fail(EINVAL, `bo_create.exclusive_vm_id: ${arg.exclusiveVmId} is not a VM of this file`));
  const size = Math.ceil(arg.size / PAGE_BYTES) * PAGE_BYTES;
  if (!(size < 2 ** 53)) fail(ENOMEM, `bo_create.size: no memory for ${arg.size} bytes`);
  if (device.options.allocFault?.("gem")) fail(ENOMEM, "bo_create: no memory (injected)");
  return { size, handle: file.createBo(size, { flags: arg.flags, exclusiveVm }) };
}

function boMmapOffset(file: PanthorFile, arg: uapi.BoMmapOffset): Partial<uapi.BoMmapOffset> {
  if (arg.pad !== 0) fail(EINVAL, `bo_mmap_offset.pad: ${arg.pad} is not 0`);
  const bo =
    file.bo(arg.handle) ?? fail(ENOENT, `bo_mmap_offset.handle: ${arg.handle} is not a handle of this file`);
  if ((bo.flags & uapi.BO_NO_MMAP) !== 0)
    fail(EPERM, `bo_mmap_offset.handle: ${arg.handle} was made with NO_MMAP`);
  if (bo.mmapOffset === 0) bo.mmapOffset = file.device.nextMmapOffset(bo.size);
  return { offset: bo.mmapOffset };
}

function gemClose(file: PanthorFile, arg: uapi.GemClose): void {
  const bo =
    file.takeBo(arg.handle) ?? fail(EINVAL, `gem_close.handle: ${arg.handle} is not a handle of this file`);
  bo.handle = 0;
  bo.put();
}
