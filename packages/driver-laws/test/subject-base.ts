/**
 * What the subjects have alike, because the drivers have: a device with memory and a TLB, an open file with VMs and objects. A subject says the
 * rest: how its driver's ioctls make, bind and unbind.
 */

import {
  DRM_IOCTL_GEM_CLOSE,
  DrmError,
  type DrmFile,
  type DrmVm,
  GEM_CLOSE,
  type GemObject,
} from "@vmbind/drm";
import type { PhysicalMemory, Tlb } from "@vmbind/mmu";
import type { Bound, Op, OwnCall, TestDevice, TestFile, TestVm } from "./subject.ts";

/** A device as every driver offers it. */
interface Model<File> {
  readonly memory: PhysicalMemory;
  readonly tlb: Tlb | null;
  open(): File;
}

export abstract class SubjectDevice<Device extends Model<File>, File> implements TestDevice {
  readonly device: Device;
  readonly files: Set<File> = new Set();
  readonly #checkAll: (device: Device, files: Iterable<File>) => void;

  /**
   * @param device - the model
   * @param checkAll - its check of all invariants
   */
  constructor(device: Device, checkAll: (device: Device, files: Iterable<File>) => void) {
    this.device = device;
    this.#checkAll = checkAll;
  }

  get memory(): PhysicalMemory {
    return this.device.memory;
  }

  get tlb(): Tlb | null {
    return this.device.tlb;
  }

  check(): void {
    this.#checkAll(this.device, this.files);
  }

  abstract open(): TestFile;
  abstract left(): Record<string, number>;
  abstract activity(): Record<string, number>;
}

/** A device that knows which of its files are open. */
interface Owner<File> {
  readonly device: { open(): File };
  readonly files: Set<File>;
}

export abstract class SubjectFile<
  Device extends Owner<File>,
  File extends DrmFile<GemObject, Vm>,
  Vm extends DrmVm,
> implements TestFile
{
  protected readonly owner: Device;
  protected readonly file: File;

  constructor(owner: Device) {
    this.owner = owner;
    this.file = owner.device.open();
    owner.files.add(this.file);
  }

  get node(): DrmFile {
    return this.file;
  }

  abstract createVm(): number;
  abstract destroyVm(vm: number): number;
  abstract createObject(bytes: number, options?: { vm?: number; kind?: string }): number;
  abstract mmapOffset(handle: number): number;
  abstract bind(vm: number, ops: readonly Op[], queued?: boolean): Bound;
  abstract readonly own: readonly OwnCall[];
  protected abstract viewOf(vm: Vm): TestVm;

  closeObject(handle: number): number {
    return this.file.ioctl(DRM_IOCTL_GEM_CLOSE, GEM_CLOSE.encode({ handle }));
  }

  vm(id: number): TestVm {
    return this.viewOf(this.file.vm(id) as Vm);
  }

  *vms(): Generator<readonly [number, TestVm]> {
    for (const [id, vm] of this.file.vms()) yield [id, this.viewOf(vm)];
  }

  objects(): Iterable<readonly [number, GemObject]> {
    return this.file.bos();
  }

  reason(): string {
    return this.file.lastError?.reason ?? "";
  }

  /** Nothing waits, unless a subject says so. */
  quiesce(): void {}

  /** In the middle of things: what waits is let go after that. */
  close(): void {
    this.file.close();
    this.owner.files.delete(this.file);
    this.quiesce();
  }
}

/** Run what throws where an ioctl would return: 0, or the negative errno. */
export function errnoOf(run: () => void): number {
  try {
    run();
    return 0;
  } catch (error) {
    if (!(error instanceof DrmError)) throw error;
    return -error.errno;
  }
}
