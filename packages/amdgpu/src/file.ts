/**
 * An open file: its one VM, its handles, its submissions, and the ioctls. Structs are those of `amdgpu_drm.h`, checks and their
 * order those of `amdgpu_gem.c` (Linux 7.3-rc7); GEM_VA has a file of its own (`vm-bind.ts`).
 *
 * The typed methods check and act, and throw `DrmError`. `ioctl()` is the same over bytes: it finds the method by the
 * request's number, as DRM does, and turns an error into a negative errno and a reason that stays readable.
 *
 * @module
 */

import {
  type DmaBuf,
  DrmError,
  type DrmFile,
  EINVAL,
  ENOENT,
  ENOMEM,
  EOPNOTSUPP,
  EPERM,
  fail,
  GemHandles,
  type GemObject,
  hex,
  type IoctlTable,
  needOpen,
  type OffsetTarget,
  Syncobjs,
  type UserSpace,
} from "@vmbind/drm";
import { type FrameAllocator, ScatterList } from "@vmbind/mmu";
import { AmdgpuBo, type AmdgpuBoOptions } from "./bo.ts";
import { gemOp } from "./gem-op.ts";
import { deviceInfo, INFO_DEV_INFO, INFO_MEMORY, INFO_VRAM_GTT, memoryInfo, vramGtt } from "./info.ts";
import type { Place } from "./leaf-flags.ts";
import { Submissions } from "./submit.ts";
import {
  CREATE_CPU_ACCESS_REQUIRED,
  CREATE_ENCRYPTED,
  CREATE_NAMES,
  CREATE_NO_CPU_ACCESS,
  CREATE_VM_ALWAYS_VALID,
  CREATE_VRAM_CONTIGUOUS,
  DOMAIN_CPU,
  DOMAIN_DOORBELL,
  DOMAIN_GDS,
  DOMAIN_GTT,
  DOMAIN_GWS,
  DOMAIN_OA,
  DOMAIN_VRAM,
  type GemCreate,
  type GemOp,
  type GemWaitIdle,
  type Info,
  PAGE_BYTES,
} from "./uapi.ts";
import { AmdgpuVm, type AmdgpuVmDevice } from "./vm.ts";

/** Flags of GEM_CREATE that user space may set. */
const SETTABLE: number = CREATE_NAMES.bits.reduce((all, [bit]) => all | bit, 0) & ~CREATE_VRAM_CONTIGUOUS;
const MEMORY_DOMAINS = DOMAIN_CPU | DOMAIN_GTT | DOMAIN_VRAM;
const OTHER_DOMAINS: readonly number[] = [DOMAIN_GDS, DOMAIN_GWS, DOMAIN_OA, DOMAIN_DOORBELL];
/** The id under which the one VM of a file is listed; the uAPI has none. */
export const VM_ID = 1;

/** What a file and its ioctls need of the device; see `AmdgpuDevice`. */
export interface AmdgpuFileDevice extends AmdgpuVmDevice {
  /** All objects. */
  readonly gems: DeviceGems;
  /** Bytes of system memory that objects can have. */
  readonly gttBytes: number;
  /** The allocator of one place. */
  framesOf(place: Place): FrameAllocator;
  /** Memory in a place; throws DrmError ENOMEM. */
  take(place: Place, bytes: number): ScatterList;
}

/** Where an object is made, and as what. */
type Placement = Pick<AmdgpuBoOptions, "place" | "pages" | "domains" | "flags">;

type DeviceGems = ConstructorParameters<typeof AmdgpuBo>[0]["gems"];

/** An open file of an amdgpu device. */
export class AmdgpuFile implements DrmFile<AmdgpuBo, AmdgpuVm> {
  /** The device. */
  readonly device: AmdgpuFileDevice;
  /** Its VM. */
  readonly space: AmdgpuVm;
  /** Why the last ioctl failed, null when it succeeded. */
  lastError: DrmError | null = null;
  /** Its syncobjs. */
  readonly syncobjs: Syncobjs;
  /** Its contexts and lists of objects. */
  readonly submissions: Submissions;
  #closed = false;
  readonly #bos: GemHandles<AmdgpuBo>;
  readonly #ioctls: IoctlTable<AmdgpuFile>;

  /**
   * @param device - the device; use `AmdgpuDevice.open`
   * @param ioctls - what it answers to
   * @param pasid - number of its VM
   * @throws DrmError ENOMEM without a page for the VM's root table
   */
  constructor(device: AmdgpuFileDevice, ioctls: IoctlTable<AmdgpuFile>, pasid: number) {
    this.device = device;
    this.#ioctls = ioctls;
    this.syncobjs = new Syncobjs(device.options.adoptSyncobjs);
    this.#bos = new GemHandles({
      gems: device.gems,
      memory: device.memory.backing,
      isBo: (gem) => gem instanceof AmdgpuBo,
      checkExport(bo) {
        if (bo.isAlwaysValid) fail(EPERM, "export: the object is VM_ALWAYS_VALID");
      },
      importForeign: (dmaBuf) => this.#importForeign(dmaBuf),
    });
    this.space = new AmdgpuVm(device, pasid, this.#bos);
    this.submissions = new Submissions(this);
  }

  /** See `DrmFile.closed`. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The one VM, under {@link VM_ID}. */
  vms(): [number, AmdgpuVm][] {
    return this.#closed ? [] : [[VM_ID, this.space]];
  }

  /** See `DrmFile.vm`. */
  vm(id: number): AmdgpuVm | undefined {
    return id === VM_ID && !this.#closed ? this.space : undefined;
  }

  /** Objects with their handles, ascending. */
  bos(): Iterable<[number, AmdgpuBo]> {
    return this.#bos.entries();
  }

  /**
   * @param handle - GEM handle
   * @returns the object, or undefined
   */
  bo(handle: number): AmdgpuBo | undefined {
    return this.#bos.get(handle);
  }

  /** See `DrmFile.ioctl`. */
  ioctl(request: number, arg: Uint8Array, user?: UserSpace): number {
    return this.#ioctls.ioctl(this, request, arg, user);
  }

  /**
   * GEM_CREATE.
   *
   * @param args - size, domains, flags
   * @returns the new handle
   * @throws DrmError EINVAL, ENOMEM
   */
  gemCreate(args: GemCreate): number {
    needOpen(this, "gem_create");
    const { boSize, domains, domainFlags, alignment } = args;
    checkCreate(args);
    const { device } = this;
    const size = Math.ceil(boSize / PAGE_BYTES) * PAGE_BYTES;
    if (size === 0) fail(EINVAL, "gem_create.bo_size: 0");
    if (device.options.allocFault?.("gem")) fail(ENOMEM, "gem_create: no memory for the object (injected)");
    const isMemory = (domains & MEMORY_DOMAINS) !== 0;
    if (!isMemory && Number.isNaN(size)) fail(ENOMEM, `gem_create.bo_size: ${hex(size)}`);
    const placed = isMemory ? this.#place(domains, domainFlags, size) : nowhere(domains, domainFlags);
    const bo = new AmdgpuBo({
      ...placed,
      gems: device.gems,
      memory: device.memory,
      size,
      alignment: alignment || PAGE_BYTES,
      ...(domainFlags & CREATE_VM_ALWAYS_VALID && { resv: this.space.resv }),
      frames: placed.place === "none" ? null : device.framesOf(placed.place),
    });
    return this.addBo(bo);
  }

  /** In a domain that was asked for. What was to be in VRAM alone, and cannot, may be in system memory, too, and the CPU need not see it. */
  #place(domains: number, flags: number, size: number): Placement {
    try {
      return this.#placeIn(domains, flags, size);
    } catch (error) {
      if (!(error instanceof DrmError) || domains !== DOMAIN_VRAM) throw error;
    }
    return this.#placeIn(DOMAIN_VRAM | DOMAIN_GTT, flags & ~CREATE_CPU_ACCESS_REQUIRED, size);
  }

  #placeIn(domains: number, flags: number, size: number): Placement {
    const { device } = this;
    const heap = domains & DOMAIN_GTT ? device.gttBytes : device.options.vramBytes;
    // NaN, a size that no double holds, is above every heap's.
    if (!(size < heap)) fail(ENOMEM, `gem_create.bo_size: ${hex(size)} is not below the heap's ${hex(heap)}`);
    if ((domains & DOMAIN_VRAM) !== 0) {
      try {
        return { place: "vram", pages: device.take("vram", size), domains, flags };
      } catch (error) {
        if (!(error instanceof DrmError) || domains === DOMAIN_VRAM) throw error;
      }
    }
    if ((domains & DOMAIN_GTT) === 0) return nowhere(domains, flags);
    return { place: "gtt", pages: device.take("gtt", size), domains, flags };
  }

  /**
   * Give an object a handle in this file, which takes the creator's reference over.
   *
   * @param bo - a fresh object
   * @returns its handle
   * @throws DrmError ENOMEM; the object is gone then
   */
  addBo(bo: AmdgpuBo): number {
    needOpen(this, "gem_create");
    try {
      this.space.open(bo);
    } catch (error) {
      bo.put();
      throw error;
    }
    return this.#bos.add(bo);
  }

  /** See `DrmFile.handleOf`. */
  handleOf(gem: GemObject): number {
    return this.#bos.handleOf(gem);
  }

  /** See `DrmFile.objectAt`. */
  objectAt(mmapOffset: number): OffsetTarget<AmdgpuBo> | undefined {
    return this.#bos.objectAt(mmapOffset);
  }

  /** See `DrmFile.exportBo`; EPERM for an object that is always valid in its VM. */
  exportBo(handle: number): DmaBuf {
    needOpen(this, "export");
    return this.#bos.export(handle);
  }

  /** See `DrmFile.importBo`; EPERM for an object that is always valid in another VM. */
  importBo(dmaBuf: DmaBuf): number {
    needOpen(this, "import");
    const { gem } = dmaBuf;
    if (gem instanceof AmdgpuBo && gem.isAlwaysValid && gem.resv !== this.space.resv) {
      fail(EPERM, "import: the object is VM_ALWAYS_VALID in another VM");
    }
    const known = new Set<GemObject>([...this.bos()].map(([, bo]) => bo));
    const handle = this.#bos.import(dmaBuf);
    const bo = this.#bos.get(handle) as AmdgpuBo;
    if (known.has(bo)) return handle;
    try {
      this.space.open(bo);
    } catch (error) {
      this.#bos.remove(handle);
      bo.put();
      throw error;
    }
    return handle;
  }

  #importForeign(dmaBuf: DmaBuf): AmdgpuBo {
    const { gems, memory } = this.device;
    return new AmdgpuBo({
      gems,
      memory,
      size: dmaBuf.size,
      domains: DOMAIN_GTT,
      place: "gtt",
      pages: ScatterList.of(dmaBuf.attach()),
      frames: null,
      onRelease: () => dmaBuf.detach(),
    });
  }

  /**
   * GEM_MMAP.
   *
   * @param handle - GEM handle
   * @returns the offset to give to mmap, in bytes; the same for every call
   * @throws DrmError ENOENT, EPERM, ENOSPC
   */
  gemMmap(handle: number): number {
    const bo = this.#known(handle, "gem_mmap");
    if ((bo.flags & CREATE_NO_CPU_ACCESS) !== 0)
      fail(EPERM, `gem_mmap.handle: object ${handle} was made with NO_CPU_ACCESS`);
    return bo.createMmapOffset();
  }

  /**
   * GEM_WAIT_IDLE: nothing is ever busy.
   *
   * @param args - the struct
   * @returns the domain that the object is in
   * @throws DrmError ENOENT
   */
  gemWaitIdle({ handle }: Pick<GemWaitIdle, "handle">): number {
    const { place } = this.#known(handle, "gem_wait_idle");
    return place === "vram" ? DOMAIN_VRAM : place === "gtt" ? DOMAIN_GTT : DOMAIN_CPU;
  }

  /**
   * GEM_OP.
   *
   * @param args - the struct
   * @param user - memory to write to
   * @returns the number of mappings for GET_MAPPING_INFO
   * @throws DrmError ENOENT, EINVAL, EFAULT
   */
  gemOp(args: GemOp, user: UserSpace): Partial<GemOp> {
    return gemOp(this.#known(args.handle, "gem_op"), this.space, args, user);
  }

  /**
   * INFO: what has to do with memory.
   *
   * @param args - the struct
   * @param user - memory to write to
   * @throws DrmError EINVAL, EFAULT, EOPNOTSUPP
   */
  info(args: Info, user: UserSpace): void {
    if (args.returnSize === 0 || args.returnPointer === 0)
      fail(EINVAL, "info.return_size: no room for an answer");
    const answer = this.#answer(args.query);
    user.write(args.returnPointer, answer.subarray(0, Math.min(answer.length, args.returnSize)));
  }

  #answer(query: number): Uint8Array {
    switch (query) {
      case INFO_DEV_INFO:
        return deviceInfo();
      case INFO_MEMORY:
        return memoryInfo(this.device);
      case INFO_VRAM_GTT:
        return vramGtt(this.device);
      default:
        return fail(EOPNOTSUPP, `info.query: ${hex(query)} is not modelled`);
    }
  }

  /**
   * GEM_CLOSE (`drm.h`): with its last handle an object's mappings go from the VM.
   *
   * @param handle - GEM handle
   * @throws DrmError EINVAL
   */
  gemClose(handle: number): void {
    const bo = this.#bos.remove(handle);
    if (bo === undefined) fail(EINVAL, `gem_close.handle: ${handle} is not a handle of this file`);
    this.space.close(bo);
    bo.put();
  }

  #known(handle: number, ioctl: string): AmdgpuBo {
    return this.#bos.get(handle) ?? fail(ENOENT, `${ioctl}.handle: ${handle} is not a handle of this file`);
  }

  /** Close the file: lists, handles with their mappings, and the VM. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.submissions.close();
    for (const [handle] of this.#bos.entries()) this.gemClose(handle);
    this.space.destroy();
  }
}

/** Without memory that the GPU's tables could show. */
function nowhere(domains: number, flags: number): Placement {
  return { place: "none", pages: null, domains, flags };
}

function checkCreate({ domains, domainFlags }: GemCreate): void {
  if (!((domainFlags & ~SETTABLE) === 0 && domainFlags < 2 ** 32)) {
    fail(EINVAL, `gem_create.domain_flags: ${hex(domainFlags)} has bits that user space may not set`);
  }
  const isMemory = domains > 0 && (domains & ~MEMORY_DOMAINS) === 0 && domains < 2 ** 32;
  if (!isMemory && !OTHER_DOMAINS.includes(domains)) {
    fail(EINVAL, `gem_create.domains: ${hex(domains)} is neither of CPU, GTT and VRAM nor one other domain`);
  }
  if ((domainFlags & CREATE_ENCRYPTED) !== 0)
    fail(EINVAL, "gem_create.domain_flags: ENCRYPTED, and the device has no TMZ");
  if (!isMemory && domains !== DOMAIN_DOORBELL && (domainFlags & CREATE_VM_ALWAYS_VALID) !== 0) {
    fail(EINVAL, "gem_create.domain_flags: VM_ALWAYS_VALID of what is no memory");
  }
}
