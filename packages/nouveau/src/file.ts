/**
 * An open file: its one VM, handles, channels, and the ioctls (`nouveau_drm.c`, `nouveau_gem.c`, `nouveau_uvmm.c`,
 * `nouveau_exec.c`, Linux 7.3-rc7).
 *
 * There are no VM ids. VM_INIT makes the VM of the file, and whoever made an object or a channel before can have none. To the
 * rest of this project it is VM 1.
 *
 * @module
 */

import {
  type DmaBuf,
  type DrmError,
  type DrmFile,
  EBUSY,
  EINVAL,
  ENOENT,
  ENOMEM,
  ENOSYS,
  EPERM,
  fail,
  GemHandles,
  type GemObject,
  HandleTable,
  hex,
  type IoctlTable,
  needOpen,
  OBJECT_BYTES_MAX,
  type OffsetTarget,
  type Syncobj,
  Syncobjs,
  type UserSpace,
} from "@vmbind/drm";
import { ScatterList } from "@vmbind/mmu";
import { NouveauBo, type NouveauBoDevice, pageShiftFor } from "./bo.ts";
import { type Channel, exec, restoreObjects } from "./exec.ts";
import {
  CHANNEL_ENGINE,
  CHANNEL_ENGINES,
  type ChannelAlloc,
  type ChannelFree,
  type Exec,
  GEM_DOMAIN_CPU,
  GEM_DOMAIN_GART,
  GEM_DOMAIN_NO_SHARE,
  GEM_DOMAIN_VRAM,
  GEM_TILE_KIND_SHIFT,
  GEM_TILE_NONCONTIG,
  type GemInfo,
  type GemNew,
  PAGE_BYTES,
  VM_END,
  type VmBind,
  type VmInit,
} from "./uapi.ts";
import { NouveauVm, type NouveauVmDevice } from "./vm.ts";
import { vmBind } from "./vm-bind.ts";

/** The id under which others know the VM of a file. */
const VM_ID = 1;
const PLACES: number = GEM_DOMAIN_VRAM | GEM_DOMAIN_GART;

/** What a file needs of its device; see `NouveauDevice`. */
export interface NouveauFileDevice extends NouveauVmDevice, NouveauBoDevice {}

/** An open file of a nouveau device. */
export class NouveauFile implements DrmFile<NouveauBo, NouveauVm> {
  /** The device. */
  readonly device: NouveauFileDevice;
  /** Why the last ioctl failed, null when it succeeded. */
  lastError: DrmError | null = null;
  /** Its syncobjs. */
  readonly syncobjs: Syncobjs;
  /** Its channels by number, from 0. */
  readonly channels: HandleTable<Channel> = new HandleTable(0);
  #closed = false;
  #vm: NouveauVm | null = null;
  /** An object or a channel came first: the file uses the VM that the kernel manages. */
  #vmRuledOut = false;
  readonly #bos: GemHandles<NouveauBo>;
  readonly #ioctls: IoctlTable<NouveauFile>;

  /**
   * @param device - the device; use `NouveauDevice.open`
   * @param ioctls - what it answers to
   */
  constructor(device: NouveauFileDevice, ioctls: IoctlTable<NouveauFile>) {
    this.device = device;
    this.#ioctls = ioctls;
    this.syncobjs = new Syncobjs(device.options.adoptSyncobjs);
    this.#bos = new GemHandles({
      gems: device.gems,
      memory: device.memory.backing,
      isBo: (gem) => gem instanceof NouveauBo,
      checkExport(bo) {
        if (bo.privateTo !== null) fail(EPERM, "export: the object is NO_SHARE");
      },
      importForeign(dmaBuf) {
        const pages = ScatterList.of(dmaBuf.attach());
        return new NouveauBo(device, {
          size: dmaBuf.size,
          domain: GEM_DOMAIN_GART,
          pageShift: 12,
          pages,
          dmaBuf,
        });
      },
    });
  }

  /** The VM of the file, null before VM_INIT. */
  get ownVm(): NouveauVm | null {
    return this.#vm;
  }

  /** The VM under the id 1, or nothing. */
  vms(): [number, NouveauVm][] {
    return this.#vm === null ? [] : [[VM_ID, this.#vm]];
  }

  /**
   * @param id - 1
   * @returns the VM, undefined before VM_INIT and for other ids
   */
  vm(id: number): NouveauVm | undefined {
    return id === VM_ID ? (this.#vm ?? undefined) : undefined;
  }

  /** Objects with their handles, ascending. */
  bos(): Iterable<[number, NouveauBo]> {
    return this.#bos.entries();
  }

  /**
   * @param handle - GEM handle
   * @returns the object, or undefined
   */
  bo(handle: number): NouveauBo | undefined {
    return this.#bos.get(handle);
  }

  /**
   * @param handle - syncobj handle
   * @returns the syncobj; undefined for an unknown handle, unless the device adopts those
   */
  syncobj(handle: number): Syncobj | undefined {
    return this.syncobjs.get(handle);
  }

  /** See `DrmFile.closed`. */
  get closed(): boolean {
    return this.#closed;
  }

  /** See `DrmFile.ioctl`. */
  ioctl(request: number, arg: Uint8Array, user?: UserSpace): number {
    return this.#ioctls.ioctl(this, request, arg, user);
  }

  /** See `DrmFile.handleOf`. */
  handleOf(gem: GemObject): number {
    return this.#bos.handleOf(gem);
  }

  /** See `DrmFile.objectAt`. */
  objectAt(mmapOffset: number): OffsetTarget<NouveauBo> | undefined {
    return this.#bos.objectAt(mmapOffset);
  }

  /** See `DrmFile.exportBo`; EPERM for a NO_SHARE object. */
  exportBo(handle: number): DmaBuf {
    needOpen(this, "export");
    return this.#bos.export(handle);
  }

  /** See `DrmFile.importBo`. */
  importBo(dmaBuf: DmaBuf): number {
    needOpen(this, "import");
    return this.#bos.import(dmaBuf);
  }

  /**
   * VM_INIT.
   *
   * @param args - the kernel's range
   * @throws DrmError EINVAL, ENOSYS, EBUSY, ENOMEM
   */
  vmInit({ kernelManagedAddr: addr, kernelManagedSize: size }: VmInit): void {
    needOpen(this, "vm_init");
    if (!(addr + size <= VM_END)) {
      fail(EINVAL, `vm_init.kernel_managed_size: ${hex(addr)} + ${hex(size)} exceeds the 47 bits of a VM`);
    }
    if (this.#vmRuledOut) fail(ENOSYS, "vm_init: an object or a channel was made before");
    if (this.#vm !== null) fail(EBUSY, "vm_init: the file has a VM");
    this.#vm = new NouveauVm(this.device, addr, size, this.#bos);
  }

  /**
   * VM_BIND.
   *
   * @param args - the struct
   * @param user - memory with the arrays
   * @throws DrmError ENOSYS without a VM, and what `vmBind` throws
   */
  vmBind(args: VmBind, user: UserSpace): void {
    vmBind(this, this.#needVm("vm_bind"), args, user);
  }

  /**
   * GEM_NEW.
   *
   * @param args - what is asked for
   * @returns what came of it
   * @throws DrmError EINVAL, ENOMEM, ENOSPC
   */
  gemNew({ info }: GemNew): GemInfo {
    needOpen(this, "gem_new");
    const { size, tileFlags, tileMode } = info;
    const { backend, options } = this.device;
    if (this.#vm === null) this.#vmRuledOut = true;
    const isPrivate = (info.domain & GEM_DOMAIN_NO_SHARE) !== 0;
    if (isPrivate && this.#vm === null) fail(EINVAL, "gem_new.info.domain: NO_SHARE in a file without VM");
    const domain = info.domain & PLACES ? info.domain : info.domain | GEM_DOMAIN_CPU;
    if (size === 0) fail(EINVAL, "gem_new.info.size: 0");
    const kind = (tileFlags >>> GEM_TILE_KIND_SHIFT) & 0xff;
    if ((backend.kinds[kind] as number) < 0) {
      fail(EINVAL, `gem_new.info.tile_flags: the GPU has no PTE kind ${hex(kind)}`);
    }
    if (!(size < OBJECT_BYTES_MAX)) {
      fail(ENOMEM, `gem_new.info.size: ${hex(size)} is more than any memory has`);
    }
    if (options.allocFault?.("gem")) fail(ENOMEM, "gem_new: no memory for the object (injected)");
    const bo = new NouveauBo(this.device, {
      size,
      domain: domain & PLACES,
      pageShift: pageShiftFor(backend, domain, size, options.quirks.unwritten512M),
      tileMode,
      tileFlags: (kind << GEM_TILE_KIND_SHIFT) | (tileFlags & GEM_TILE_NONCONTIG),
      privateTo: isPrivate ? (this.#vm?.gpuvm ?? null) : null,
    });
    return this.#describe(this.addBo(bo), bo);
  }

  /**
   * Give an object a handle in this file, which takes the creator's reference over.
   *
   * @param bo - a fresh object
   * @returns its handle
   */
  addBo(bo: NouveauBo): number {
    needOpen(this, "gem_new");
    return this.#bos.add(bo);
  }

  /**
   * GEM_INFO.
   *
   * @param handle - GEM handle
   * @returns what is known of the object
   * @throws DrmError ENOENT, ENOSPC
   */
  gemInfo(handle: number): GemInfo {
    const bo =
      this.#bos.get(handle) ?? fail(ENOENT, `gem_info.handle: ${handle} is not a handle of this file`);
    return this.#describe(handle, bo);
  }

  #describe(handle: number, bo: NouveauBo): GemInfo {
    const only = bo.domain === GEM_DOMAIN_VRAM || bo.domain === GEM_DOMAIN_GART;
    // An object that may be in neither place reports VRAM, as the kernel does.
    const now = bo.inVram || !bo.mappable ? GEM_DOMAIN_VRAM : GEM_DOMAIN_GART;
    return {
      handle,
      domain: only ? bo.domain : now,
      size: bo.size,
      offset: 0,
      mapHandle: bo.createMmapOffset(),
      tileMode: bo.tileMode,
      tileFlags: bo.tileFlags,
    };
  }

  /**
   * GEM_CLOSE (`drm.h`): the handle goes; mappings keep the object.
   *
   * @param handle - GEM handle
   * @throws DrmError EINVAL
   */
  gemClose(handle: number): void {
    const bo = this.#bos.remove(handle);
    if (bo === undefined) fail(EINVAL, `gem_close.handle: ${handle} is not a handle of this file`);
    bo.put();
  }

  /**
   * CHANNEL_ALLOC. Each takes a GEM handle for its notifier page, which CHANNEL_FREE does not give back.
   *
   * @param args - the engine
   * @returns the channel
   * @throws DrmError ENOSYS for an engine that there is not, ENOMEM
   */
  channelAlloc({ fbCtxdmaHandle, ttCtxdmaHandle }: ChannelAlloc): Partial<ChannelAlloc> {
    needOpen(this, "channel_alloc");
    if (this.#vm === null) this.#vmRuledOut = true;
    if (fbCtxdmaHandle === CHANNEL_ENGINE && !CHANNEL_ENGINES.includes(ttCtxdmaHandle)) {
      fail(ENOSYS, `channel_alloc.tt_ctxdma_handle: ${hex(ttCtxdmaHandle)} is not an engine`);
    }
    const notifier = new NouveauBo(this.device, { size: PAGE_BYTES, domain: GEM_DOMAIN_GART, pageShift: 12 });
    notifier.createMmapOffset();
    return {
      // An engine was meant, and no objects: the driver says so.
      ...(fbCtxdmaHandle === CHANNEL_ENGINE && { fbCtxdmaHandle: 0, ttCtxdmaHandle: 0 }),
      channel: this.channels.alloc({ killed: false }),
      pushbufDomains: PLACES,
      notifierHandle: this.#bos.add(notifier),
      nrSubchan: 0,
    };
  }

  /**
   * CHANNEL_FREE.
   *
   * @param args - the channel
   * @throws DrmError ENOENT
   */
  channelFree({ channel }: ChannelFree): void {
    if (this.channels.remove(channel) === undefined) {
      fail(ENOENT, `channel_free.channel: ${channel} is not a channel of this file`);
    }
  }

  /**
   * EXEC, as far as memory goes.
   *
   * @param args - the struct
   * @param user - memory with the arrays
   * @throws DrmError ENOSYS without a VM, and what `exec` throws
   */
  exec(args: Exec, user: UserSpace): void {
    exec(this, this.#needVm("exec"), args, user);
  }

  /**
   * Bring back every object of a VM that was moved away.
   *
   * @param vm - a VM of this file
   * @throws DrmError ENOMEM
   */
  restoreObjects(vm: NouveauVm): void {
    restoreObjects(vm);
  }

  #needVm(what: string): NouveauVm {
    return this.#vm ?? fail(ENOSYS, `${what}: the file has no VM`);
  }

  /** Close the file: channels, then the VM with everything in it, then handles. */
  close(): void {
    if (this.closed) return;
    this.#closed = true;
    for (const [channel] of this.channels.entries()) this.channels.remove(channel);
    this.#vm?.destroy();
    this.#vm = null;
    for (const [handle] of this.#bos.entries()) this.#bos.remove(handle)?.put();
  }
}
