/**
 * amdgpu as a subject. A file has one VM, from the start. An operation is an ioctl of its own. A look of the GPU is a job: what waits for a
 * submission is written before it.
 */

import * as amdgpu from "@vmbind/amdgpu";
import {
  DRM_IOCTL_GEM_CLOSE,
  viewOf as dataOf,
  EBUSY,
  EINVAL,
  ENOENT,
  EPERM,
  GEM_CLOSE,
  issue,
  readU64,
} from "@vmbind/drm";
import {
  type Access,
  type Bound,
  choicesOf,
  type Facts,
  type Op,
  type OpenOptions,
  type Subject,
  type TestFile,
  type TestVm,
} from "./subject.ts";
import { errnoOf, SubjectDevice, SubjectFile } from "./subject-base.ts";

const PAGE = 4096;
const KIB64 = 2 ** 16;
const MIB2 = 2 ** 21;
const FLAGS: Readonly<Record<Access, number>> = {
  r: amdgpu.VM_PAGE_READABLE,
  w: amdgpu.VM_PAGE_WRITEABLE,
  rw: amdgpu.VM_PAGE_READABLE | amdgpu.VM_PAGE_WRITEABLE | amdgpu.VM_PAGE_EXECUTABLE,
};
const DOMAINS: Readonly<Record<string, number>> = { system: amdgpu.DOMAIN_GTT, vram: amdgpu.DOMAIN_VRAM };

type Options = Partial<amdgpu.AmdgpuDeviceOptions>;

const FACTS: Facts = {
  pageBytes: PAGE,
  seam: 2 ** 40,
  edges: [-MIB2, -KIB64, 0, KIB64, MIB2],
  elsewhere: 2 ** 44,
  vaEnd: amdgpu.VA_END,
  windowPages: 1100,
  alwaysMapped: [],
  objectPages: [1, 24, 1024],
  objectKinds: Object.keys(DOMAINS).map((name) => ({ name, grain: PAGE })),
  privateObjects: true,
  privateExport: EPERM,
  accesses: ["rw", "r", "w"],
  unbound: "fault",
  sparse: { stores: "dropped" },
  repeatWindows: [],
  unbindsObjects: false,
  ownOps: [],
  closeUnbinds: true,
  failedCall: "keeps",
  queues: false,
  bindsLater: false,
  opsMax: 4,
  evicts: false,
  freesTables: false,
  oneVm: true,
  tablesLater: true,
  memoryFirst: true,
  contextSlots: null,
  unknownVm: { bind: ENOENT, destroy: EINVAL, createObject: ENOENT },
  unknownObject: { bind: ENOENT, close: EINVAL, mmapOffset: ENOENT },
};

/** @param variant - its name, behind that of the driver */
export function amdgpuSubject(variant: string, options: Options = {}): Subject {
  return { name: `amdgpu ${variant}`, facts: FACTS, device: (wanted = {}) => new Device(options, wanted) };
}

class Device extends SubjectDevice<amdgpu.AmdgpuDevice, amdgpu.AmdgpuFile> {
  constructor(options: Options, wanted: OpenOptions) {
    super(new amdgpu.AmdgpuDevice({ ...options, ...choicesOf(wanted) }), amdgpu.checkDeviceInvariants);
  }

  open(): TestFile {
    return new File(this);
  }

  left(): Record<string, number> {
    const { counters, gems, memory } = this.device;
    const { tablesLive, gpuvasLive, vmBosLive, backingBytes } = counters;
    const { residentBytes } = memory;
    return { tablesLive, gpuvasLive, vmBosLive, backingBytes, objects: gems.size, residentBytes };
  }

  activity(): Record<string, number> {
    const { submissions, tablesThrownAway } = this.device.counters;
    return { submissions, tablesThrownAway };
  }
}

class File extends SubjectFile<Device, amdgpu.AmdgpuFile, amdgpu.AmdgpuVm> {
  /** The law has asked for the VM, which was there. */
  #hasVm = false;
  #reason = "";

  createVm(): number {
    if (this.file.closed) return this.#closed();
    if (this.#hasVm) return -EBUSY;
    this.#hasVm = true;
    return amdgpu.VM_ID;
  }

  destroyVm(): number {
    return this.file.closed ? this.#closed() : -EINVAL;
  }

  /** What every ioctl of a closed file answers; these calls have none. */
  #closed(): number {
    return this.#ioctl(amdgpu.IOCTL_GEM_VA, new Uint8Array(64));
  }

  #ioctl(request: number, arg: Uint8Array): number {
    const ret = this.file.ioctl(request, arg);
    this.#reason = this.file.lastError?.reason ?? "";
    return ret;
  }

  createObject(boSize: number, { vm = 0, kind = "system" }: { vm?: number; kind?: string } = {}): number {
    if (vm !== 0 && !this.#hasVm) return this.file.closed ? this.#closed() : -ENOENT;
    const domainFlags = vm === 0 ? 0 : amdgpu.CREATE_VM_ALWAYS_VALID;
    const arg = amdgpu.GEM_CREATE.encode({ boSize, domains: DOMAINS[kind] as number, domainFlags });
    return this.#ioctl(amdgpu.IOCTL_GEM_CREATE, arg) || amdgpu.GEM_CREATE_OUT.read(dataOf(arg)).handle;
  }

  override closeObject(handle: number): number {
    return this.#ioctl(DRM_IOCTL_GEM_CLOSE, GEM_CLOSE.encode({ handle }));
  }

  mmapOffset(handle: number): number {
    const arg = amdgpu.GEM_MMAP.encode({ handle });
    return this.#ioctl(amdgpu.IOCTL_GEM_MMAP, arg) || readU64(dataOf(arg), 0);
  }

  bind(_vm: number, ops: readonly Op[]): Bound {
    if (!this.#hasVm) {
      return { ret: this.file.closed ? this.#closed() : -ENOENT, done: 0 };
    }
    for (const [done, op] of ops.entries()) {
      const ret = issue(this.file, amdgpu.gemVaCall(encoded(op)));
      this.#reason = this.file.lastError?.reason ?? "";
      if (ret !== 0) return { ret, done };
    }
    // Whoever has looked at the VM before looks again with the next job.
    errnoOf(() => this.file.space.submit());
    return { ret: 0, done: ops.length };
  }

  override *vms(): Generator<readonly [number, TestVm]> {
    if (this.#hasVm) for (const [id, vm] of this.file.vms()) yield [id, this.viewOf(vm)];
  }

  override reason(): string {
    return this.#reason;
  }

  readonly own = [
    () => errnoOf(() => this.file.space.submit()),
    (_vm: number, ops: readonly Op[]) => {
      const [op] = ops;
      if (op === undefined) return 0;
      const { flags = 0, ...args } = encoded(op);
      return issue(this.file, amdgpu.gemVaCall({ ...args, flags: flags | amdgpu.VM_DELAY_UPDATE }));
    },
  ];

  protected viewOf(vm: amdgpu.AmdgpuVm): TestVm {
    const { addressSpace } = vm;
    /** The job that looks is submitted; where memory is short it is not, and sees what is there. */
    const submitted = () => {
      if (addressSpace.alive) errnoOf(() => vm.submit());
      return addressSpace;
    };
    return {
      space: submitted,
      get tree() {
        return submitted();
      },
      mappings: () => vm.mappings(),
    };
  }
}

function encoded(op: Op): Partial<amdgpu.GemVa> {
  switch (op.kind) {
    case "bind":
      return {
        operation: amdgpu.VA_OP_REPLACE,
        handle: op.object,
        flags: FLAGS[op.access],
        vaAddress: op.va,
        offsetInBo: op.offset,
        mapSize: op.bytes,
      };
    case "sparse":
      return {
        operation: amdgpu.VA_OP_REPLACE,
        flags: amdgpu.VM_PAGE_PRT,
        vaAddress: op.va,
        mapSize: op.bytes,
      };
    case "unbind":
      return { operation: amdgpu.VA_OP_CLEAR, vaAddress: op.va, mapSize: op.bytes };
    default:
      throw new Error(`amdgpu has no ${op.kind}`);
  }
}
