/** Panthor as a subject. */

import { EINVAL, ENOENT, UserMemory } from "@vmbind/drm";
import type { Fragmentation } from "@vmbind/mmu";
import * as panthor from "@vmbind/panthor";
import {
  type Access,
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
const MIB2 = 2 ** 21;
const GIB = 2 ** 30;
const OPS_AT = 0x7000_0000_0000;
const SYNCS_AT = 0x7100_0000_0000;

type Options = NonNullable<ConstructorParameters<typeof panthor.PanthorDevice>[0]>;
type Encoded = Partial<panthor.VmBindOpRepeat>;

function facts({ driverVersion, repeat }: Options): Facts {
  const repeats = repeat !== undefined;
  return {
    pageBytes: PAGE,
    seam: GIB,
    edges: [-3 * MIB2, -MIB2, 0, MIB2, 4 * MIB2],
    elsewhere: 2 ** 40,
    vaEnd: 2 ** 47,
    windowPages: 3 * 512,
    alwaysMapped: [],
    objectPages: [5 * 512, 5 * 512, 7],
    objectKinds: ["huge", "scattered", "contiguous"].map((name) => ({ name, grain: PAGE })),
    privateObjects: true,
    privateExport: EINVAL,
    accesses: ["rw", "r"],
    unbound: "fault",
    sparse: repeats || driverVersion === "1.7" ? null : { stores: "kept", period: MIB2 },
    repeatWindows: repeats ? [1, 3, 16, 512, 1024] : [],
    unbindsObjects: false,
    ownOps: [],
    closeUnbinds: false,
    failedCall: "keeps",
    queues: true,
    bindsLater: false,
    opsMax: 4,
    evicts: true,
    freesTables: false,
    oneVm: false,
    contextSlots: 7,
    unknownVm: { bind: EINVAL, destroy: EINVAL, createObject: EINVAL },
    unknownObject: { bind: EINVAL, close: EINVAL, mmapOffset: ENOENT },
  };
}

/** @param variant - its name, behind that of the driver */
export function panthorSubject(variant: string, options: Options = {}): Subject {
  return {
    name: `panthor ${variant}`,
    facts: facts(options),
    device: (wanted = {}) => new Device(options, wanted),
  };
}

class Device extends SubjectDevice<panthor.PanthorDevice, panthor.PanthorFile> {
  constructor(options: Options, wanted: OpenOptions) {
    super(
      new panthor.PanthorDevice({
        ...options,
        ...choicesOf(wanted),
      }),
      panthor.checkDeviceInvariants,
    );
  }

  open(): TestFile {
    return new File(this);
  }

  left(): Record<string, number> {
    const { counters, gems, dummy, memory } = this.device;
    const { tablesLive, gpuvasLive, vmBosLive, kernelWarnings } = counters;
    const objects = gems.size - (dummy === null ? 0 : 1);
    // A dummy of the whole device stays.
    const backingBytes = counters.backingBytes - (dummy?.pages?.totalBytes ?? 0);
    const residentBytes = dummy === null ? memory.residentBytes : 0;
    return { tablesLive, gpuvasLive, vmBosLive, backingBytes, objects, residentBytes, kernelWarnings };
  }

  activity(): Record<string, number> {
    const { evictions, restores, bindJobs } = this.device.counters;
    return { evictions, restores, bindJobs };
  }
}

class File extends SubjectFile<Device, panthor.PanthorFile, panthor.PanthorVm> {
  readonly #gates: panthor.Fence[] = [];
  readonly #gate: number;
  readonly #line: number;
  #point = 0;

  constructor(device: Device) {
    super(device);
    this.#gate = this.file.syncobjs.create();
    this.#line = this.file.syncobjs.create();
  }

  createVm(): number {
    const arg = panthor.VM_CREATE.encode({});
    const ret = this.file.ioctl(panthor.IOCTL_VM_CREATE, arg);
    return ret || panthor.VM_CREATE.read(new DataView(arg.buffer)).id;
  }

  destroyVm(id: number): number {
    return this.file.ioctl(panthor.IOCTL_VM_DESTROY, panthor.VM_DESTROY.encode({ id }));
  }

  createObject(bytes: number, { vm = 0, kind }: { vm?: number; kind?: string } = {}): number {
    if (kind !== undefined) {
      const exclusiveVm = this.file.vm(vm) ?? null;
      return this.file.createBo(bytes, { exclusiveVm, fragmentation: kind as Fragmentation });
    }
    const arg = panthor.BO_CREATE.encode({ size: bytes, exclusiveVmId: vm });
    const ret = this.file.ioctl(panthor.IOCTL_BO_CREATE, arg);
    return ret || panthor.BO_CREATE.read(new DataView(arg.buffer)).handle;
  }

  mmapOffset(handle: number): number {
    const arg = panthor.BO_MMAP_OFFSET.encode({ handle });
    const ret = this.file.ioctl(panthor.IOCTL_BO_MMAP_OFFSET, arg);
    return ret || panthor.BO_MMAP_OFFSET.read(new DataView(arg.buffer)).offset;
  }

  bind(vm: number, ops: readonly Op[], queued = false): Bound {
    return this.#bind(vm, ops, queued, []);
  }

  /** @param syncs - of the first operation */
  #bind(vmId: number, ops: readonly Op[], queued: boolean, syncs: readonly Partial<panthor.SyncOp>[]): Bound {
    const layout = this.file.device.repeats ? panthor.VM_BIND_OP_REPEAT : panthor.VM_BIND_OP;
    const bytes = new Uint8Array(ops.length * layout.size);
    ops.forEach((op, i) => {
      const array = { stride: panthor.SYNC_OP.size, count: i === 0 ? syncs.length : 0, array: SYNCS_AT };
      const all: Encoded = { ...encoded(op), syncs: array };
      bytes.set(layout.encode(all), i * layout.size);
    });
    const syncBytes = new Uint8Array(syncs.length * panthor.SYNC_OP.size);
    syncs.forEach((sync, i) => {
      syncBytes.set(panthor.SYNC_OP.encode(sync), i * panthor.SYNC_OP.size);
    });
    const user = new UserMemory();
    user.place(OPS_AT, bytes);
    user.place(SYNCS_AT, syncBytes);
    const array = { stride: layout.size, count: ops.length, array: OPS_AT };
    const arg = panthor.VM_BIND.encode({ vmId, flags: queued ? panthor.VM_BIND_ASYNC : 0, ops: array });
    const ret = this.file.ioctl(panthor.IOCTL_VM_BIND, arg, user);
    const { count } = panthor.VM_BIND.read(new DataView(arg.buffer)).ops;
    // A call that fails before its first operation leaves `ops.count` as it was: then it is no index.
    return { ret, done: ret === 0 ? ops.length : count === ops.length ? 0 : count };
  }

  evict(what: number | "sparse"): number {
    const bo = what === "sparse" ? this.file.dummy : this.file.bo(what);
    if (bo !== undefined && bo.pins === 0) this.owner.device.evict(bo);
    return 0;
  }

  restore(): number {
    return errnoOf(() => {
      for (const [, vm] of this.file.vms()) vm.validate();
    });
  }

  readonly own: readonly OwnCall[] = [
    // Jobs that wait for a gate or for a point of the past, and signal the next one.
    (vm, ops, below) => {
      const timeline = panthor.SYNC_OP_TIMELINE;
      const signal = {
        flags: (panthor.SYNC_OP_SIGNAL | timeline) >>> 0,
        handle: this.#line,
        timelineValue: ++this.#point,
      };
      if (this.#gates.length < 4 && below(2) === 0) {
        this.#gates.push(this.file.syncobjs.attachFence(this.#gate));
        const { ret } = this.#bind(vm, ops, true, [{ handle: this.#gate }, signal]);
        if (ret !== 0) this.#gates.pop()?.signal();
        return ret;
      }
      const timelineValue = 1 + below(this.#point);
      return this.#bind(vm, ops, true, [{ flags: timeline, handle: this.#line, timelineValue }, signal]).ret;
    },
    (_vm, _ops, below) => {
      const [gate] = this.#gates.splice(below(this.#gates.length || 1), 1);
      gate?.signal();
      return 0;
    },
  ];

  override quiesce(): void {
    for (const gate of this.#gates.splice(0)) gate.signal();
  }

  protected viewOf(vm: panthor.PanthorVm): TestVm {
    return { space: () => vm.addressSpace, tree: vm.addressSpace, mappings: () => vm.mappings() };
  }
}

function encoded(op: Op): Encoded {
  switch (op.kind) {
    case "bind":
      return { ...place(op), flags: flagsOf(op.access), boHandle: op.object, boOffset: op.offset };
    case "repeat": {
      const flags = flagsOf(op.access) | panthor.MAP_REPEAT;
      return { ...place(op), flags, boHandle: op.object, boOffset: op.offset, boRepeatRange: op.window };
    }
    case "sparse":
      return { ...place(op), flags: panthor.MAP_NOEXEC | panthor.MAP_SPARSE };
    case "unbind":
      return { ...place(op), flags: panthor.OP_UNMAP };
    default:
      throw new Error(`panthor has no ${op.kind}`);
  }
}

function place({ va, bytes }: { va: number; bytes: number }): Encoded {
  return { va, size: bytes };
}

function flagsOf(access: Access): number {
  return panthor.MAP_NOEXEC | (access === "r" ? panthor.MAP_READONLY : 0);
}
