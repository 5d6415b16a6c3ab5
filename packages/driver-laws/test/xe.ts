/** Xe as a subject: one platform, and the flags that its VMs are made with. */

import { type AllocPoint, EINVAL, ENOBUFS, ENOENT, ENOMEM, EPERM, Fence, UserMemory } from "@vmbind/drm";
import type { Fragmentation } from "@vmbind/mmu";
import * as xe from "@vmbind/xe";
import {
  type Bound,
  choicesOf,
  type Facts,
  type ObjectKind,
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
const GIB = 2 ** 30;
const VECTOR_AT = 0x7000_0000_0000;
const SYNCS_AT = 0x7100_0000_0000;
/** Memory of the process, for MAP_USERPTR. */
const PROCESS_AT = 0x5000_0000_0000;
const SYSTEM = ["contiguous", "huge", "scattered"];

interface Options extends Partial<xe.XeDeviceOptions> {
  platform: string;
  /** `VM_CREATE_FLAG_*`. */
  flags?: number;
}

function facts({ platform: name, flags = 0, quirks }: Options): Facts {
  const { vaBits, vramBytes, vram64kOnly } = new xe.XeDevice(name).platform;
  const kinds: ObjectKind[] = SYSTEM.map((kind) => ({ name: kind, grain: PAGE }));
  if (vramBytes > 0) kinds.push({ name: "vram", grain: vram64kOnly ? KIB64 : PAGE });
  return {
    pageBytes: PAGE,
    seam: 8 * GIB,
    edges: [-MIB2, -KIB64, 0, KIB64, MIB2, GIB],
    elsewhere: 2 ** 40,
    vaEnd: 2 ** vaBits,
    windowPages: 1100,
    alwaysMapped: [],
    objectPages: [1024, 1024, 1024],
    objectKinds: kinds,
    privateObjects: true,
    privateExport: EPERM,
    accesses: ["rw", "r"],
    unbound: flags & xe.VM_CREATE_FLAG_SCRATCH_PAGE ? "null" : "fault",
    sparse: { stores: "dropped" },
    repeatWindows: [],
    unbindsObjects: true,
    ownOps: ["userptr", "prefetch"],
    closeUnbinds: false,
    failedCall: "undoes",
    queues: false,
    bindsLater: (flags & xe.VM_CREATE_FLAG_FAULT_MODE) !== 0,
    opsMax: quirks?.lostRemnant ? 1 : 4,
    evicts: false,
    freesTables: true,
    oneVm: false,
    contextSlots: null,
    unknownVm: { bind: EINVAL, destroy: ENOENT, createObject: ENOENT },
    unknownObject: { bind: ENOENT, close: EINVAL, mmapOffset: ENOENT },
  };
}

/** @param variant - its name, behind that of the driver */
export function xeSubject(variant: string, options: Options): Subject {
  return {
    name: `xe ${variant}`,
    facts: facts(options),
    device: (wanted = {}) => new Device(options, wanted),
    // An array that does not fit is told apart from the rest: ENOBUFS asks for smaller arrays.
    faultErrno: (point: AllocPoint, ops: number) => (point === "op-array" && ops > 1 ? ENOBUFS : ENOMEM),
  };
}

class Device extends SubjectDevice<xe.XeDevice, xe.XeFile> {
  readonly flags: number;

  constructor(options: Options, wanted: OpenOptions) {
    const { platform, flags = 0, ...rest } = options;
    const { memoryBytes } = wanted;
    const row = xe.PLATFORMS.get(platform) as xe.Platform;
    // VRAM that is as scarce, so that objects drive each other out.
    const vramBytes =
      row.vramBytes === 0 || memoryBytes === undefined ? row.vramBytes : Math.max(2 ** 22, memoryBytes / 16);
    super(
      new xe.XeDevice({
        platform: { ...row, vramBytes },
        quirks: xe.NO_QUIRKS,
        ...rest,
        ...choicesOf(wanted),
        ...(rest.tlb === null && { tlb: null }),
      }),
      xe.checkDeviceInvariants,
    );
    this.flags = flags;
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
    return {};
  }
}

class File extends SubjectFile<Device, xe.XeFile, xe.XeVm> {
  /** Those that binds wait behind. */
  readonly #gates: Fence[] = [];

  createVm(): number {
    const arg = xe.VM_CREATE.encode({ flags: this.owner.flags });
    const ret = this.file.ioctl(xe.IOCTL_VM_CREATE, arg);
    return ret || xe.VM_CREATE.read(new DataView(arg.buffer)).vmId;
  }

  destroyVm(vmId: number): number {
    return this.file.ioctl(xe.IOCTL_VM_DESTROY, xe.VM_DESTROY.encode({ vmId }));
  }

  createObject(size: number, { vm = 0, kind }: { vm?: number; kind?: string } = {}): number {
    const vram = kind === "vram";
    const placement = vram ? xe.PLACEMENT_VRAM : xe.PLACEMENT_SYSTEM;
    const cpuCaching = vram ? xe.GEM_CPU_CACHING_WC : xe.GEM_CPU_CACHING_WB;
    if (kind !== undefined && !vram) {
      const fragmentation = kind as Fragmentation;
      return this.file.createBo(size, {
        placement,
        cpuCaching,
        vm: this.file.vm(vm) ?? null,
        fragmentation,
      });
    }
    const flags = vram ? 0 : xe.GEM_CREATE_FLAG_DEFER_BACKING;
    const arg = xe.GEM_CREATE.encode({ size, placement, cpuCaching, flags, vmId: vm });
    return this.file.ioctl(xe.IOCTL_GEM_CREATE, arg) || xe.GEM_CREATE.read(new DataView(arg.buffer)).handle;
  }

  mmapOffset(handle: number): number {
    const arg = xe.GEM_MMAP_OFFSET.encode({ handle });
    const ret = this.file.ioctl(xe.IOCTL_GEM_MMAP_OFFSET, arg);
    return ret || xe.GEM_MMAP_OFFSET.read(new DataView(arg.buffer)).offset;
  }

  bind(vm: number, ops: readonly Op[]): Bound {
    return this.#bind(vm, ops, this.#atOnce);
  }

  /** Flag of operations that map, so that a VM in fault mode maps, too. */
  get #atOnce(): number {
    return this.owner.flags & xe.VM_CREATE_FLAG_FAULT_MODE ? xe.VM_BIND_FLAG_IMMEDIATE : 0;
  }

  bindLater(vm: number, ops: readonly Op[]): Bound {
    return this.#bind(vm, ops, 0);
  }

  touch(id: number, va: number): number {
    return errnoOf(() => {
      this.file.vm(id)?.fault(va);
    });
  }

  /** @param flags - of operations that map; @param waits - the bind queue, and a syncobj to wait for */
  #bind(vmId: number, ops: readonly Op[], flags: number, waits?: { queue: number; syncobj: number }): Bound {
    const encodedOps = ops.map((op) => this.#encoded(op, flags));
    const user = new UserMemory();
    const order = waits && { execQueueId: waits.queue, numSyncs: 1, syncs: SYNCS_AT };
    if (waits) user.place(SYNCS_AT, xe.SYNC.encode({ addr: waits.syncobj }));
    const arg = xe.VM_BIND.encode({ vmId, numBinds: ops.length, ...order });
    const view = new DataView(arg.buffer);
    const at = xe.VM_BIND.fields.bind.offset;
    const [first, second] = encodedOps;
    if (first !== undefined && second === undefined) xe.VM_BIND_OP.write(view, at, first);
    else {
      const bytes = new Uint8Array(ops.length * xe.VM_BIND_OP.size);
      encodedOps.forEach((op, i) => {
        xe.VM_BIND_OP.write(new DataView(bytes.buffer), i * xe.VM_BIND_OP.size, op);
      });
      user.place(VECTOR_AT, bytes);
      xe.VM_BIND_VECTOR.write(view, at, { vectorOfBinds: VECTOR_AT });
    }
    const ret = this.file.ioctl(xe.IOCTL_VM_BIND, arg, user);
    return { ret, done: ret === 0 ? ops.length : 0 };
  }

  #encoded(op: Op, flags: number): Partial<xe.VmBindOp> {
    const patIndex = this.owner.device.platform.patWb;
    if (op.kind === "unbind-object") return { op: xe.VM_BIND_OP_UNMAP_ALL, obj: op.object, patIndex };
    const place = { addr: op.va, range: op.bytes };
    switch (op.kind) {
      case "bind": {
        const all = flags | (op.access === "r" ? xe.VM_BIND_FLAG_READONLY : 0);
        return {
          op: xe.VM_BIND_OP_MAP,
          ...place,
          obj: op.object,
          objOffset: op.offset,
          flags: all,
          patIndex,
        };
      }
      case "sparse":
        return { op: xe.VM_BIND_OP_MAP, ...place, flags: flags | xe.VM_BIND_FLAG_NULL, patIndex };
      case "unbind":
        return { op: xe.VM_BIND_OP_UNMAP, ...place };
      case "own": {
        if (op.name === "prefetch") return { op: xe.VM_BIND_OP_PREFETCH, ...place };
        const range = Math.min(op.bytes, KIB64);
        const objOffset = PROCESS_AT + (op.va % KIB64);
        return { op: xe.VM_BIND_OP_MAP_USERPTR, addr: op.va, range, objOffset, flags, patIndex };
      }
      default:
        throw new Error(`xe has no ${op.kind}`);
    }
  }

  readonly own: readonly OwnCall[] = [
    (vmId) => {
      if (this.file.execQueue(4) !== undefined) return 0;
      const user = new UserMemory();
      user.place(0x1000, xe.ENGINE_CLASS_INSTANCE.encode({ engineClass: xe.ENGINE_CLASS_VM_BIND }));
      const arg = xe.EXEC_QUEUE_CREATE.encode({ width: 1, numPlacements: 1, vmId, instances: 0x1000 });
      return this.file.ioctl(xe.IOCTL_EXEC_QUEUE_CREATE, arg, user);
    },
    // In some bind queue, behind a gate that opens some time.
    (vmId, ops, below) => {
      if (below(3) > 0) return this.bind(vmId, ops).ret;
      const { syncobjs } = this.file;
      const gate = new Fence();
      const syncobj = syncobjs.create();
      syncobjs.get(syncobj)?.attach(0, gate);
      const { ret } = this.#bind(vmId, ops, this.#atOnce, { queue: below(3), syncobj });
      if (ret === 0) this.#gates.push(gate);
      return ret;
    },
    (_vm, _ops, below) => {
      for (const gate of this.#gates.splice(below(2))) gate.signal();
      return 0;
    },
    (_vm, _ops, below) => {
      const arg = xe.EXEC_QUEUE_DESTROY.encode({ execQueueId: 1 + below(4) });
      return this.file.ioctl(xe.IOCTL_EXEC_QUEUE_DESTROY, arg);
    },
  ];

  override quiesce(): void {
    for (const gate of this.#gates.splice(0)) gate.signal();
  }

  protected viewOf(vm: xe.XeVm): TestVm {
    const { scratchTables } = vm.pageTable;
    return {
      space: () => vm.addressSpace,
      tree: vm.addressSpace,
      isShared: (slot) => scratchTables.includes(slot),
      mappings: () => vm.mappings(),
    };
  }
}
