/** Asahi as a subject. */

import * as asahi from "@vmbind/asahi";
import { DrmError, EINVAL, ENOENT, issue } from "@vmbind/drm";
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
import { SubjectDevice, SubjectFile } from "./subject-base.ts";

const PAGE = asahi.PAGE_BYTES;
const MIB32 = 2 ** 25;
const FLAGS: Readonly<Record<Access, number>> = {
  r: asahi.BIND_READ,
  w: asahi.BIND_WRITE,
  rw: asahi.BIND_READ | asahi.BIND_WRITE,
};
const KERNEL = { kernelStart: 0x77_ffff_8000, kernelEnd: 0x7f_ffff_8000, vmId: 0, pad: 0 };
const OBJECT = {
  pad: 0,
  vmId: 0,
  flags: 0,
  handle: 0,
  offset: 0,
  range: 0,
  objectHandle: 0,
};

const FACTS: Facts = {
  pageBytes: PAGE,
  // A 64 GiB boundary, which is also one of 32 MiB: tables of both levels on either side.
  seam: 0x30_0000_0000,
  edges: [-MIB32, 0, MIB32],
  elsewhere: 0x20_0000_0000,
  vaEnd: asahi.VM_END,
  windowPages: 160,
  alwaysMapped: [asahi.DUMMY_PAGE_VA],
  objectPages: [1, 5, 40],
  objectKinds: [{ name: "shmem", grain: PAGE }],
  privateObjects: true,
  privateExport: EINVAL,
  accesses: ["rw", "r", "w"],
  unbound: "fault",
  sparse: null,
  repeatWindows: [1],
  unbindsObjects: false,
  ownOps: [],
  closeUnbinds: true,
  failedCall: "keeps",
  queues: false,
  bindsLater: false,
  opsMax: 4,
  evicts: false,
  freesTables: false,
  oneVm: false,
  contextSlots: 63,
  unknownVm: { bind: ENOENT, destroy: ENOENT, createObject: ENOENT },
  unknownObject: { bind: ENOENT, close: EINVAL, mmapOffset: ENOENT },
};

/** @param variant - its name, behind that of the driver */
export function asahiSubject(variant: string, options: Partial<asahi.AsahiDeviceOptions> = {}): Subject {
  return { name: `asahi ${variant}`, facts: FACTS, device: (wanted = {}) => new Device(options, wanted) };
}

class Device extends SubjectDevice<asahi.AsahiDevice, asahi.AsahiFile> {
  constructor(options: Partial<asahi.AsahiDeviceOptions>, wanted: OpenOptions) {
    super(
      new asahi.AsahiDevice({
        ...options,
        ...choicesOf(wanted),
      }),
      asahi.checkDeviceInvariants,
    );
  }

  open(): TestFile {
    return new File(this);
  }

  left(): Record<string, number> {
    const { counters, firmware, gems, memory } = this.device;
    const { gpuvasLive, vmBosLive, backingBytes } = counters;
    // The firmware's tables live as long as the device.
    const { l1, l2, l3 } = firmware.pageTable?.count ?? { l1: 0, l2: 0, l3: 0 };
    const tablesLive = counters.tablesLive - l1 - l2 - l3;
    const { residentBytes } = memory;
    return { tablesLive, gpuvasLive, vmBosLive, backingBytes, objects: gems.size, residentBytes };
  }

  activity(): Record<string, number> {
    const { contextSteals } = this.device.counters;
    return { contextSteals };
  }
}

class File extends SubjectFile<Device, asahi.AsahiFile, asahi.AsahiVm> {
  readonly #bound: number[] = [];
  #reason = "";

  #try(call: () => number): number {
    try {
      return call();
    } catch (error) {
      if (!(error instanceof DrmError)) throw error;
      this.#reason = error.reason;
      return -error.errno;
    }
  }

  createVm(): number {
    return this.#try(() => this.file.vmCreate(KERNEL));
  }

  destroyVm(vmId: number): number {
    return this.#try(() => {
      this.file.vmDestroy({ vmId });
      return 0;
    });
  }

  createObject(size: number, { vm = 0 }: { vm?: number; kind?: string } = {}): number {
    const flags = vm === 0 ? 0 : asahi.GEM_VM_PRIVATE;
    return this.#try(() => this.file.gemCreate({ size, flags, vmId: vm }));
  }

  override closeObject(handle: number): number {
    return this.#try(() => {
      this.file.gemClose(handle);
      return 0;
    });
  }

  mmapOffset(handle: number): number {
    return this.#try(() => this.file.gemMmapOffset({ handle, flags: 0 }));
  }

  bind(vm: number, ops: readonly Op[]): Bound {
    const { counters } = this.owner.device;
    const { bindOps } = counters;
    const ret = issue(this.file, asahi.vmBindCall(vm, ops.map(encoded)));
    this.#reason = this.file.lastError?.reason ?? "";
    // The sheet knows what the caller is not told: the operation that was begun last is the one that failed.
    const begun = counters.bindOps - bindOps;
    return { ret, done: ret === 0 ? ops.length : Math.max(0, begun - 1) };
  }

  override reason(): string {
    return this.#reason;
  }

  readonly own: readonly OwnCall[] = [
    (_vm, _ops, below) => {
      if (this.#bound.length >= 3) return 0;
      const handle = 1 + below(8);
      const op = asahi.BIND_OBJECT_OP_BIND;
      const flags = asahi.BIND_OBJECT_USAGE_TIMESTAMPS;
      const id = this.#try(() => this.file.gemBindObject({ ...OBJECT, op, flags, handle, range: PAGE }));
      if (id > 0) this.#bound.push(id);
      return Math.min(id, 0);
    },
    () => {
      const objectHandle = this.#bound.pop();
      if (objectHandle === undefined) return 0;
      const op = asahi.BIND_OBJECT_OP_UNBIND;
      return Math.min(
        0,
        this.#try(() => this.file.gemBindObject({ ...OBJECT, op, objectHandle })),
      );
    },
  ];

  protected viewOf(vm: asahi.AsahiVm): TestVm {
    const { memory, format } = vm.device;
    return {
      space: () => vm.addressSpace,
      tree: { memory, format, root: vm.pageTable.root },
      mappings: () => vm.mappings(),
    };
  }
}

function encoded(op: Op): asahi.GemBindOp {
  switch (op.kind) {
    case "bind":
      return { flags: FLAGS[op.access], handle: op.object, offset: op.offset, range: op.bytes, addr: op.va };
    case "repeat": {
      const flags = FLAGS[op.access] | asahi.BIND_SINGLE_PAGE;
      return { flags, handle: op.object, offset: op.offset, range: op.bytes, addr: op.va };
    }
    case "unbind":
      return { flags: asahi.BIND_UNBIND, handle: 0, offset: 0, range: op.bytes, addr: op.va };
    default:
      throw new Error(`asahi has no ${op.kind}`);
  }
}
