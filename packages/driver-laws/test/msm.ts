/** msm as a subject. A file has one VM, which comes with its first queue for binds and goes with the file. */

import { EBADF, EBUSY, EINVAL, ENOENT, EPERM, type Fence, issue } from "@vmbind/drm";
import type { Fragmentation } from "@vmbind/mmu";
import * as msm from "@vmbind/msm";
import {
  type Bound,
  choicesOf,
  type Facts,
  type Op,
  type OpenOptions,
  type OwnCall,
  type Subject,
  type TestFile,
  type TestVm,
} from "./subject.ts";
import { errnoOf, SubjectDevice, SubjectFile } from "./subject-base.ts";

const PAGE = 4096;
const KIB64 = 2 ** 16;
const MIB2 = 2 ** 21;
const OPS_AT = 0x7000_0000_0000;
/** Queues for binds, of which the second one takes calls that are queued. */
const QUEUE = 1;
const QUEUE_OF_QUEUED = 2;

type Options = Partial<msm.MsmDeviceOptions>;

const FACTS: Facts = {
  pageBytes: PAGE,
  seam: 2 ** 40,
  edges: [-MIB2, -KIB64, 0, KIB64, MIB2],
  elsewhere: 2 ** 44,
  vaEnd: 2 ** 48,
  windowPages: 1100,
  alwaysMapped: [],
  objectPages: [1024, 1024, 1024],
  objectKinds: ["contiguous", "huge", "scattered"].map((name) => ({ name, grain: PAGE })),
  privateObjects: true,
  privateExport: EPERM,
  accesses: ["rw"],
  unbound: "fault",
  sparse: { stores: "dropped" },
  repeatWindows: [],
  unbindsObjects: false,
  ownOps: [],
  closeUnbinds: false,
  failedCall: "undoes",
  queues: true,
  bindsLater: false,
  opsMax: 4,
  evicts: true,
  freesTables: false,
  oneVm: true,
  contextSlots: null,
  unknownVm: { bind: ENOENT, destroy: ENOENT, createObject: ENOENT },
  unknownObject: { bind: EINVAL, close: EINVAL, mmapOffset: ENOENT },
};

/** @param variant - its name, behind that of the driver */
export function msmSubject(variant: string, options: Options = {}): Subject {
  return { name: `msm ${variant}`, facts: FACTS, device: (wanted = {}) => new Device(options, wanted) };
}

class Device extends SubjectDevice<msm.MsmDevice, msm.MsmFile> {
  constructor(options: Options, wanted: OpenOptions) {
    super(new msm.MsmDevice({ ...options, ...choicesOf(wanted) }), msm.checkDeviceInvariants);
  }

  open(): TestFile {
    return new File(this);
  }

  left(): Record<string, number> {
    const { counters, gems, memory, prr, tablesAside } = this.device;
    const { tablesLive, gpuvasLive, vmBosLive } = counters;
    // The page behind MAP_NULL stays as long as there is any VM.
    const backingBytes = counters.backingBytes - prr.bytes;
    const { residentBytes } = memory;
    return {
      tablesLive,
      gpuvasLive,
      vmBosLive,
      backingBytes,
      objects: gems.size,
      residentBytes,
      tablesAside,
    };
  }

  activity(): Record<string, number> {
    const { evictions, restores, bindJobs } = this.device.counters;
    return { evictions, restores, bindJobs };
  }
}

class File extends SubjectFile<Device, msm.MsmFile, msm.MsmVm> {
  readonly #gates: { fence: Fence; fd: number }[] = [];
  readonly #gate: number;

  constructor(device: Device) {
    super(device);
    this.#gate = this.file.syncobjs.create();
  }

  createVm(): number {
    const file = this.file;
    if (file.hasVm) return -EBUSY;
    const param = msm.PARAM_ARG.encode({ pipe: msm.PIPE_3D0, param: msm.PARAM.enVmBind, value: 1 });
    const queue = () => msm.SUBMITQUEUE_NEW.encode({ flags: msm.SUBMITQUEUE_VM_BIND });
    return (
      file.ioctl(msm.IOCTL_SET_PARAM, param) ||
      file.ioctl(msm.IOCTL_SUBMITQUEUE_NEW, queue()) ||
      file.ioctl(msm.IOCTL_SUBMITQUEUE_NEW, queue()) ||
      msm.VM_ID
    );
  }

  destroyVm(): number {
    return this.file.closed ? -EBADF : -EINVAL;
  }

  createObject(size: number, { vm = 0, kind }: { vm?: number; kind?: string } = {}): number {
    const flags = msm.BO_WC | (vm === 0 ? 0 : msm.BO_NO_SHARE);
    if (kind !== undefined) return this.file.createBo(size, { flags, fragmentation: kind as Fragmentation });
    const arg = msm.GEM_NEW.encode({ size, flags });
    return this.file.ioctl(msm.IOCTL_GEM_NEW, arg) || msm.GEM_NEW.read(new DataView(arg.buffer)).handle;
  }

  mmapOffset(handle: number): number {
    const arg = msm.GEM_INFO.encode({ handle, info: msm.INFO.getOffset });
    return this.file.ioctl(msm.IOCTL_GEM_INFO, arg) || msm.GEM_INFO.read(new DataView(arg.buffer)).value;
  }

  bind(_vm: number, ops: readonly Op[], queued = false): Bound {
    const ret = this.#bind(ops, { queueId: queued ? QUEUE_OF_QUEUED : QUEUE });
    return { ret, done: ret === 0 ? ops.length : 0 };
  }

  #bind(ops: readonly Op[], rest: Partial<msm.VmBind>): number {
    const bytes = new Uint8Array(ops.length * msm.VM_BIND_OP.size);
    const view = new DataView(bytes.buffer);
    for (const [i, op] of ops.entries()) msm.VM_BIND_OP.write(view, i * msm.VM_BIND_OP.size, encoded(op));
    const arg = msm.VM_BIND.encode({ nrOps: ops.length, opStride: msm.VM_BIND_OP.size, ...rest });
    const at = msm.VM_BIND.fields.op.offset;
    if (ops.length === 1) arg.set(bytes, at);
    else msm.VM_BIND_OPS_UNION.fields.ops.write(new DataView(arg.buffer), at, OPS_AT);
    const buffers = ops.length === 1 ? [] : [{ addr: OPS_AT, bytes }];
    return issue(this.file, { name: "MSM_VM_BIND", request: msm.IOCTL_VM_BIND, arg, buffers });
  }

  evict(what: number | "sparse"): number {
    const bo = what === "sparse" ? undefined : this.file.bo(what);
    // What jobs need stays.
    if (bo !== undefined) errnoOf(() => this.owner.device.evict(bo));
    return 0;
  }

  restore(): number {
    return errnoOf(() => {
      for (const [, vm] of this.file.vms()) vm.validate();
    });
  }

  readonly own: readonly OwnCall[] = [
    // A job that waits for a gate.
    (_vm, ops, below) => {
      if (this.#gates.length >= 4) return 0;
      const fence = this.file.syncobjs.attachFence(this.#gate);
      const fd = this.file.addSyncFile(fence);
      this.#gates.push({ fence, fd });
      const queueId = below(2) === 0 ? QUEUE_OF_QUEUED : QUEUE;
      const ret = this.#bind(ops, { queueId, flags: msm.VM_BIND_FENCE_FD_IN, fenceFd: fd });
      if (ret !== 0) this.#open(this.#gates.length - 1);
      return ret;
    },
    (_vm, _ops, below) => {
      this.#open(below(this.#gates.length || 1));
      return 0;
    },
  ];

  #open(index: number): void {
    const [gate] = this.#gates.splice(index, 1);
    if (gate === undefined) return;
    gate.fence.signal();
    this.file.closeSyncFile(gate.fd);
  }

  override quiesce(): void {
    while (this.#gates.length > 0) this.#open(0);
  }

  protected viewOf(vm: msm.MsmVm): TestVm {
    const { device } = this.owner;
    const { addressSpace } = vm;
    return {
      space: () => addressSpace,
      tree: addressSpace,
      nullPage: device.prr.address,
      mappings: () => vm.mappings(),
    };
  }
}

function encoded(op: Op): Partial<msm.VmBindOp> {
  switch (op.kind) {
    case "bind": {
      const { va: iova, bytes: range, object: handle, offset: objOffset } = op;
      return { op: msm.OP_MAP, iova, range, handle, objOffset };
    }
    case "sparse":
      return { op: msm.OP_MAP_NULL, iova: op.va, range: op.bytes };
    case "unbind":
      return { op: msm.OP_UNMAP, iova: op.va, range: op.bytes };
    default:
      throw new Error(`msm has no ${op.kind}`);
  }
}
