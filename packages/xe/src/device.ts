/**
 * An Intel GPU under the `xe` driver of Linux 7.3: the device, and the open files of its node.
 *
 * @module
 */

import {
  type AllocFault,
  type DrmError,
  type DrmFile,
  GemObjects,
  HandleTable,
  type UserMemory,
} from "@vmbind/drm";
import {
  type Fragmentation,
  FrameAllocator,
  PhysicalMemory,
  type PhysicalMemoryOptions,
  Tlb,
  type TlbOptions,
} from "@vmbind/mmu";
import { XeBo, type XeBoOptions } from "./bo.ts";
import { type XeCounters, xeCounters } from "./cost-sheet.ts";
import { IOCTLS } from "./ioctls.ts";
import { DEFAULT_PLATFORM, PLATFORMS, type Platform } from "./platforms.ts";
import { PtJob } from "./pt-job.ts";
import { XeTables } from "./pt-tables.ts";
import { DEFAULT_QUIRKS, type XeQuirks } from "./quirks.ts";
import { UserPages } from "./user-pages.ts";
import type { XeVm } from "./vm.ts";
import { VmBindRunner } from "./vm-bind.ts";

/** Physical address of VRAM: far from system memory, aligned so that the largest leaf does not notice. */
const VRAM_BASE = 2 ** 45;

/** What is behind a syncobj handle. */
export type SyncobjState = "none" | "empty" | "signalled";

/** How a device is made; every field has a default. */
export interface XeDeviceOptions {
  /** What differs from the right behaviour. Default {@link DEFAULT_QUIRKS}. */
  quirks: XeQuirks;
  /** How buffer objects' memory is spread. Default `contiguous`. */
  boFragmentation: Fragmentation;
  /** Physical memory; default that of `@vmbind/mmu`. */
  memory: PhysicalMemoryOptions;
  /** The TLB, or null for none. Default: 64 entries. */
  tlb: TlbOptions | null;
  /** Makes allocations fail on purpose. Default: none do. */
  allocFault: AllocFault | undefined;
  /** Syncobjs are not modelled: says what a handle stands for. Default: every handle but 0 is signalled. */
  syncobj: (handle: number) => SyncobjState;
}

/** A GPU. */
export class XeDevice {
  /** What it is. */
  readonly platform: Platform;
  /** How it was made. */
  readonly options: XeDeviceOptions;
  /** The cost sheet. */
  readonly counters: XeCounters = xeCounters();
  /** Physical memory: page tables and system memory. */
  readonly memory: PhysicalMemory;
  /** Bytes of system memory for objects. */
  readonly systemBytes: number;
  /** Bytes of VRAM, 0 on an integrated part. */
  readonly vramBytes: number;
  /** Memory of objects in VRAM; on an integrated part never used. */
  readonly vramFrames: FrameAllocator;
  /** Page tables. @internal */
  readonly tables: XeTables;
  /** Buffer objects. */
  readonly gems: GemObjects = new GemObjects();
  /** The TLB, or null. */
  readonly tlb: Tlb | null;
  /** Runs page-table work. @internal */
  readonly job: PtJob;
  /** Runs VM_BIND. @internal */
  readonly binder: VmBindRunner = new VmBindRunner();
  #asids = 0;

  /**
   * @param platform - a name from {@link PLATFORMS} or a row of one's own; Battlemage unless given
   * @param options - see {@link XeDeviceOptions}
   * @throws Error for a name that is not in the table
   */
  constructor(platform: string | Platform = DEFAULT_PLATFORM, options: Partial<XeDeviceOptions> = {}) {
    this.platform = typeof platform === "string" ? platformNamed(platform) : platform;
    this.options = {
      quirks: options.quirks ?? DEFAULT_QUIRKS,
      boFragmentation: options.boFragmentation ?? "contiguous",
      memory: options.memory ?? {},
      tlb: options.tlb === undefined ? {} : options.tlb,
      allocFault: options.allocFault,
      syncobj: options.syncobj ?? ((handle) => (handle === 0 ? "none" : "signalled")),
    };
    const { counters } = this;
    this.memory = new PhysicalMemory({ ...this.options.memory, counters });
    const { memory } = this;
    const { base = 2 ** 32, limit = 2 ** 36 } = this.options.memory.frames ?? {};
    this.systemBytes = limit - base;
    this.vramBytes = this.platform.vramBytes;
    this.vramFrames = new FrameAllocator(
      { base: VRAM_BASE, limit: VRAM_BASE + Math.max(this.vramBytes, 2 ** 21) },
      undefined,
      counters,
      ({ pa, bytes }) => memory.zero(pa, bytes),
    );
    this.tables = new XeTables(memory.tables, options.allocFault);
    this.tlb = this.options.tlb === null ? null : new Tlb({ ...this.options.tlb, counters });
    this.job = new PtJob(this.tables, this.platform, this.options.quirks, counters, options.allocFault);
  }

  /** A TLB tag for a new VM. @internal */
  nextAsid(): number {
    return ++this.#asids;
  }

  /** Open the device node. */
  open(): XeFile {
    return new XeFile(this);
  }
}

function platformNamed(name: string): Platform {
  const platform = PLATFORMS.get(name);
  if (platform === undefined) {
    throw new Error(`XeDevice: no platform "${name}"; there are ${[...PLATFORMS.keys()].join(", ")}`);
  }
  return platform;
}

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
  /** The process's memory that MAP_USERPTR pinned. */
  readonly userPages: UserPages;
  /** Why the last ioctl failed, or null when it succeeded. */
  lastError: DrmError | null = null;

  /** @param device - the device */
  constructor(device: XeDevice) {
    this.device = device;
    this.userPages = new UserPages(device.memory, device.systemBytes);
  }

  /** See `DrmFile.ioctl`. */
  ioctl(request: number, arg: Uint8Array, user?: UserMemory): number {
    return IOCTLS.ioctl(this, request, arg, user);
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
