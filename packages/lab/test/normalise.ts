/**
 * Ioctls of a workload without what depends on the run: addresses become places in resources and objects, ids and handles
 * become roles. Every other field of every struct stays.
 */
import * as amdgpu from "@vmbind/amdgpu";
import * as asahi from "@vmbind/asahi";
import { type StructLayout, viewOf } from "@vmbind/drm";
import * as msm from "@vmbind/msm";
import * as nouveau from "@vmbind/nouveau";
import * as panthor from "@vmbind/panthor";
import type { TraceArray } from "@vmbind/trace";
import * as xe from "@vmbind/xe";

/** One ioctl, recorded or lowered. */
export interface RawCall {
  ioctl: string;
  argIn: Uint8Array;
  argOut: Uint8Array;
  arrays: readonly TraceArray[];
}

export type Normal = Record<string, unknown>;

const MIRROR = 2 ** 36;

/** Follows the ioctls of one file in order. */
export class Normaliser {
  readonly #driver: string;
  readonly #handles = new Map<number, string>();
  readonly #places: { name: string; start: number; end: number }[] = [];
  #resources = 0;
  #objects = 0;
  #expected = 0;
  #timeline: number;
  #syncFile = 0;
  /** Every address of an operation, as it was sent. */
  readonly addresses: number[] = [];

  constructor(driver: string, ownHandles: ReadonlyMap<number, string>, timeline: number) {
    this.#driver = driver;
    this.#handles = new Map(ownHandles);
    this.#timeline = timeline;
  }

  /** The next operation creates a resource that takes so many bytes. */
  expectResource(bytes: number): void {
    this.#expected = bytes;
  }

  normal(call: RawCall): Normal {
    const { ioctl, argIn, argOut } = call;
    switch (ioctl) {
      case "PANTHOR_BO_CREATE":
        return this.#create(panthor.BO_CREATE, argIn, argOut, "exclusiveVmId");
      case "ASAHI_GEM_CREATE":
        return this.#create(asahi.GEM_CREATE, argIn, argOut, "vmId");
      case "XE_GEM_CREATE":
        return this.#create(xe.GEM_CREATE, argIn, argOut, "vmId");
      case "NOUVEAU_GEM_NEW": {
        const { info } = nouveau.GEM_NEW.read(viewOf(argOut));
        this.#handles.set(info.handle, `object ${this.#objects++}`);
        return { ...nouveau.GEM_NEW.read(viewOf(argIn)) };
      }
      case "MSM_GEM_NEW":
        this.#handles.set(msm.GEM_NEW.read(viewOf(argOut)).handle, `object ${this.#objects++}`);
        return { ...msm.GEM_NEW.read(viewOf(argIn)) };
      case "AMDGPU_GEM_CREATE": {
        const { handle } = amdgpu.GEM_CREATE_OUT.read(viewOf(argOut));
        this.#handles.set(handle, `object ${this.#objects++}`);
        return { ...amdgpu.GEM_CREATE.read(viewOf(argIn)) };
      }
      case "GEM_CLOSE": {
        const { handle, pad } = panthor.GEM_CLOSE.read(viewOf(argIn));
        return { ioctl, handle: this.#role(handle), pad };
      }
      case "PANTHOR_VM_BIND":
        return this.#panthor(call);
      case "ASAHI_VM_BIND":
        return this.#asahi(call);
      case "XE_VM_BIND":
        return this.#xe(call);
      case "AMDGPU_GEM_VA": {
        const args = amdgpu.GEM_VA.read(viewOf(argIn));
        return {
          ...args,
          handle: this.#role(args.handle),
          vaAddress: this.#amdgpuPlace(args),
        };
      }
      case "NOUVEAU_VM_BIND":
        return this.#nouveau(call);
      case "MSM_VM_BIND":
        return this.#msm(call);
      default:
        throw new Error(`${ioctl}: not an ioctl of a workload`);
    }
  }

  #create<T extends { handle: number }>(
    layout: StructLayout<T>,
    argIn: Uint8Array,
    argOut: Uint8Array,
    vm: keyof T,
  ): Normal {
    this.#handles.set(layout.read(viewOf(argOut)).handle, `object ${this.#objects++}`);
    return { ...layout.read(viewOf(argIn)), [vm]: "vm" };
  }

  #panthor({ argIn, arrays }: RawCall): Normal {
    const { vmId, ...arg } = panthor.VM_BIND.read(viewOf(argIn));
    const ops = elements(arrays, "ops", panthor.VM_BIND_OP).map((op, i) => {
      const syncs = elements(arrays, `ops[${i}].syncs`, panthor.SYNC_OP).map((sync) => ({
        ...sync,
        handle: sync.handle === 0 ? "none" : "fence",
      }));
      const { array, count, stride } = op.syncs;
      return {
        ...op,
        boHandle: this.#role(op.boHandle),
        va: this.#place(op.va, op.size),
        syncs: { array, count, stride, syncs },
      };
    });
    return { ...arg, ops: { ...arg.ops, ops }, vm: vmId > 0 };
  }

  #asahi({ argIn, arrays }: RawCall): Normal {
    const { vmId, ...arg } = asahi.VM_BIND.read(viewOf(argIn));
    const ops = elements(arrays, "userptr", asahi.GEM_BIND_OP).map((op) => ({
      ...op,
      handle: this.#role(op.handle),
      addr: this.#place(op.addr, op.range),
    }));
    return { ...arg, ops, vm: vmId > 0 };
  }

  #xe({ argIn, arrays }: RawCall): Normal {
    const { vmId, execQueueId, bind, ...arg } = xe.VM_BIND.read(viewOf(argIn));
    const ops = arg.numBinds === 1 ? [bind] : elements(arrays, "vector_of_binds", xe.VM_BIND_OP);
    const syncs = elements(arrays, "syncs", xe.SYNC).map((sync) => ({
      ...sync,
      addr: sync.addr === 0 ? "none" : "syncobj",
      timelineValue: this.#step(sync.timelineValue),
    }));
    return {
      ...arg,
      queue: execQueueId === 0 ? "default" : "bind queue",
      vector: arg.numBinds > 1 ? xe.VM_BIND_VECTOR.read(viewOf(argIn), 24).vectorOfBinds : 0,
      ops: ops.map((op) => ({ ...op, obj: this.#role(op.obj), addr: this.#place(op.addr, op.range) })),
      syncs,
      vm: vmId > 0,
    };
  }

  #nouveau({ argIn, arrays }: RawCall): Normal {
    const syncs = (field: string) =>
      elements(arrays, field, nouveau.SYNC).map((sync) => ({ ...sync, handle: "fence" }));
    return {
      ...nouveau.VM_BIND.read(viewOf(argIn)),
      ops: elements(arrays, "op_ptr", nouveau.VM_BIND_OP).map((op) => ({
        ...op,
        handle: this.#role(op.handle),
        addr: this.#place(op.addr, op.range),
      })),
      waits: syncs("wait_ptr"),
      signals: syncs("sig_ptr"),
    };
  }

  /** Queues and syncobjs are what they were: the same device is set up in the same order. */
  #msm({ argIn, argOut, arrays }: RawCall): Normal {
    const { op, fenceFd, ...arg } = msm.VM_BIND.read(viewOf(argIn));
    const ops = arg.nrOps === 1 ? [op] : elements(arrays, "ops", msm.VM_BIND_OP);
    const waitsForLast = fenceFd === this.#syncFile;
    if (arg.flags & msm.VM_BIND_FENCE_FD_OUT) this.#syncFile = msm.VM_BIND.read(viewOf(argOut)).fenceFd;
    return {
      ...arg,
      file: fenceFd === 0 ? "none" : waitsForLast ? "the last one" : "another",
      pointer: arg.nrOps > 1 ? op.op : 0,
      ops: ops.map((one) => ({
        ...one,
        handle: this.#role(one.handle),
        iova: this.#place(one.iova, one.range),
      })),
      outs: elements(arrays, "out_syncobjs", msm.SYNCOBJ),
    };
  }

  /** A resource begins with its PRT mapping, in the upper of its ranges; the object of zeros has its address before that. */
  #amdgpuPlace({ operation, flags, vaAddress, mapSize }: amdgpu.GemVa): string {
    this.addresses.push(vaAddress);
    const va = vaAddress % 2 ** 48;
    const isResource = operation === amdgpu.VA_OP_MAP && (flags & amdgpu.VM_PAGE_PRT) !== 0;
    if (isResource) {
      this.#add(`resource ${this.#resources++}`, va, this.#expected);
      this.#expected = 0;
    }
    for (const shift of [0, amdgpu.RADV_VIEW_BIT]) {
      const found = this.#places.find(({ start, end }) => va + shift >= start && va + shift < end);
      if (found) return `${shift > 0 ? "second range of " : ""}${found.name} + ${va + shift - found.start}`;
    }
    this.#add(`object ${this.#objects - 1}`, va, mapSize);
    return `object ${this.#objects - 1} + 0`;
  }

  #step(point: number): string {
    if (point === 0) return "no point";
    const by = point - this.#timeline;
    this.#timeline = point;
    return `+${by}`;
  }

  #role(handle: number): string {
    return handle === 0 ? "none" : (this.#handles.get(handle) ?? `unknown ${handle}`);
  }

  #place(va: number, size: number): string {
    this.addresses.push(va);
    if (va === 0) return "none";
    if (this.#expected > 0) {
      this.#add(`resource ${this.#resources++}`, va, this.#expected);
      this.#expected = 0;
    }
    for (const shift of this.#driver === "asahi" ? [0, MIRROR] : [0]) {
      const found = this.#places.find(({ start, end }) => va - shift >= start && va - shift < end);
      if (found) return `${shift > 0 ? "mirror of " : ""}${found.name} + ${va - shift - found.start}`;
    }
    // The first address outside of resources is where an object is mapped as a whole.
    this.#add(`object ${this.#objects - 1}`, va, size);
    return `object ${this.#objects - 1} + 0`;
  }

  /** What lies here now; whatever had this address before is gone. */
  #add(name: string, start: number, bytes: number): void {
    this.#places.unshift({ name, start, end: start + bytes });
  }
}

function elements<T>(arrays: readonly TraceArray[], field: string, layout: StructLayout<T>): T[] {
  const found = arrays.find((array) => array.field === field);
  if (!found) return [];
  if (found.stride !== layout.size) throw new Error(`${field}: stride ${found.stride}`);
  return Array.from({ length: found.count }, (_, i) => layout.read(viewOf(found.data), i * found.stride));
}
