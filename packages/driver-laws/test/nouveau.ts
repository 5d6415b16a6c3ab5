/**
 * Nouveau as a subject. A file has one VM, which goes with the file.
 *
 * Its sparse regions are no operations like others: they lie beside the mappings, go only whole, and no mapping crosses their border.
 * So they are calls of its own here, and `packages/nouveau/test/gpu-view.test.ts` says what the GPU sees of them.
 */

import { EBADF, EBUSY, EINVAL, ENOENT, EPERM, Fence, issue } from "@vmbind/drm";
import * as nouveau from "@vmbind/nouveau";
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
const VM_ID = 1;
const WAITS_AT = 0x7100_0000_0000;

/** Where an object may be, and so how large its pages are. */
const DOMAINS: Record<string, number> = {
  "either place": nouveau.GEM_DOMAIN_VRAM | nouveau.GEM_DOMAIN_GART,
  vram: nouveau.GEM_DOMAIN_VRAM,
  system: nouveau.GEM_DOMAIN_GART,
};

type Options = Partial<nouveau.NouveauDeviceOptions>;

const FACTS: Facts = {
  pageBytes: PAGE,
  seam: 2 ** 42,
  edges: [-MIB2, -KIB64, 0, KIB64, MIB2],
  elsewhere: 2 ** 44,
  vaEnd: nouveau.VM_END,
  windowPages: 1100,
  alwaysMapped: [],
  objectPages: [1024, 1024, 1024],
  objectKinds: Object.keys(DOMAINS).map((name) => ({ name, grain: PAGE })),
  privateObjects: true,
  privateExport: EPERM,
  accesses: ["rw"],
  unbound: "fault",
  sparse: null,
  repeatWindows: [],
  unbindsObjects: false,
  ownOps: [],
  closeUnbinds: false,
  failedCall: "undoes",
  queues: true,
  bindsLater: false,
  opsMax: 4,
  evicts: true,
  bindsRestore: true,
  freesTables: true,
  oneVm: true,
  contextSlots: null,
  unknownVm: { bind: ENOENT, destroy: ENOENT, createObject: ENOENT },
  unknownObject: { bind: ENOENT, close: EINVAL, mmapOffset: ENOENT },
};

/** @param variant - its name, behind that of the driver */
export function nouveauSubject(variant: string, options: Options = {}): Subject {
  return { name: `nouveau ${variant}`, facts: FACTS, device: (wanted = {}) => new Device(options, wanted) };
}

class Device extends SubjectDevice<nouveau.NouveauDevice, nouveau.NouveauFile> {
  constructor(options: Options, wanted: OpenOptions) {
    const { memoryBytes } = wanted;
    // Where memory is short, VRAM is shorter: what may be in either place must not have twice as much.
    const short = memoryBytes !== undefined && memoryBytes > 0 && memoryBytes < 2 ** 32;
    const vram = short ? { vramBytes: Math.ceil(memoryBytes / 8 / MIB2) * MIB2 } : {};
    super(
      new nouveau.NouveauDevice({ ...options, ...vram, ...choicesOf(wanted) }),
      nouveau.checkDeviceInvariants,
    );
  }

  open(): TestFile {
    return new File(this);
  }

  left(): Record<string, number> {
    const { counters, gems, memory } = this.device;
    const { tablesLive, gpuvasLive, vmBosLive, backingBytes, regionsLive } = counters;
    const { residentBytes } = memory;
    return {
      tablesLive,
      gpuvasLive,
      vmBosLive,
      backingBytes,
      regionsLive,
      objects: gems.size,
      residentBytes,
    };
  }

  activity(): Record<string, number> {
    const { regionsPeak } = this.device.counters;
    return { regionsPeak };
  }
}

class File extends SubjectFile<Device, nouveau.NouveauFile, nouveau.NouveauVm> {
  readonly #gates: Fence[] = [];
  readonly #gate: number;

  constructor(device: Device) {
    super(device);
    this.#gate = this.file.syncobjs.create();
  }

  createVm(): number {
    const file = this.file;
    if (!file.closed && file.ownVm !== null) return -EBUSY;
    return issue(file, nouveau.vmInitCall()) || VM_ID;
  }

  destroyVm(): number {
    return this.file.closed ? -EBADF : -EINVAL;
  }

  createObject(size: number, { vm = 0, kind = "either place" }: { vm?: number; kind?: string } = {}): number {
    const domain = (DOMAINS[kind] as number) | (vm === 0 ? 0 : nouveau.GEM_DOMAIN_NO_SHARE);
    const arg = new Uint8Array(nouveau.GEM_NEW.size);
    const view = new DataView(arg.buffer);
    const { info } = nouveau.GEM_NEW.fields;
    nouveau.GEM_INFO.write(view, info.offset, { size, domain });
    return this.file.ioctl(nouveau.IOCTL_GEM_NEW, arg) || nouveau.GEM_INFO.read(view, info.offset).handle;
  }

  mmapOffset(handle: number): number {
    const arg = nouveau.GEM_INFO.encode({ handle });
    const ret = this.file.ioctl(nouveau.IOCTL_GEM_INFO, arg);
    return ret || nouveau.GEM_INFO.read(new DataView(arg.buffer)).mapHandle;
  }

  bind(_vm: number, ops: readonly Op[], queued = false): Bound {
    const sent = ops.map(encoded);
    const ret = issue(this.file, queued ? nouveau.queueBindCall(sent, 0) : nouveau.vmBindCall(sent));
    return { ret, done: ret === 0 ? ops.length : 0 };
  }

  evict(what: number | "sparse"): number {
    const bo = what === "sparse" ? undefined : this.file.bo(what);
    // What queued work needs stays.
    if (bo !== undefined) errnoOf(() => this.owner.device.evict(bo));
    return 0;
  }

  restore(): number {
    return errnoOf(() => {
      for (const [, vm] of this.file.vms()) this.file.restoreObjects(vm);
    });
  }

  readonly own: readonly OwnCall[] = [
    // A sparse region, and the end of one.
    (_vm, [op], below) => {
      // Rarely: it refuses whatever crosses its border.
      if (op === undefined || !("va" in op) || below(4) > 0) return 0;
      return this.#bindSparse(nouveau.VM_BIND_OP_MAP, op.va, op.bytes);
    },
    (_vm, _ops, below) => {
      const regions = [...(this.file.ownVm?.regions ?? [])];
      const region = regions[below(regions.length || 1)];
      if (region === undefined) return 0;
      return this.#bindSparse(nouveau.VM_BIND_OP_UNMAP, region.addr, region.range);
    },
    // Work that waits for a gate.
    (_vm, ops) => {
      if (this.#gates.length >= 4) return 0;
      const fence = new Fence();
      this.file.syncobjs.get(this.#gate)?.attach(0, fence);
      this.#gates.push(fence);
      const call = nouveau.queueBindCall(ops.map(encoded), 0);
      nouveau.VM_BIND.fields.waitCount.write(new DataView(call.arg.buffer), 0, 1);
      const bytes = nouveau.SYNC.encode({ handle: this.#gate });
      const ret = issue(this.file, { ...call, buffers: [...call.buffers, { addr: WAITS_AT, bytes }] });
      if (ret !== 0) this.#open(this.#gates.length - 1);
      return ret;
    },
    (_vm, _ops, below) => {
      this.#open(below(this.#gates.length || 1));
      return 0;
    },
  ];

  #bindSparse(op: number, addr: number, range: number): number {
    const sparse = { op, flags: nouveau.VM_BIND_SPARSE, addr, range };
    return issue(this.file, nouveau.vmBindCall([sparse]));
  }

  #open(index: number): void {
    this.#gates.splice(index, 1)[0]?.signal();
  }

  override quiesce(): void {
    while (this.#gates.length > 0) this.#open(0);
  }

  protected viewOf(vm: nouveau.NouveauVm): TestVm {
    const { addressSpace } = vm;
    return { space: () => addressSpace, tree: addressSpace, mappings: () => vm.mappings() };
  }
}

function encoded(op: Op): Partial<nouveau.VmBindOp> {
  switch (op.kind) {
    case "bind": {
      const { va: addr, bytes: range, object: handle, offset: boOffset } = op;
      return { op: nouveau.VM_BIND_OP_MAP, addr, range, handle, boOffset };
    }
    case "unbind":
      return { op: nouveau.VM_BIND_OP_UNMAP, addr: op.va, range: op.bytes };
    default:
      throw new Error(`nouveau has no ${op.kind}`);
  }
}
