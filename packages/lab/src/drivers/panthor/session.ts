/**
 * The panthor strategies: one user-mode driver (panvk, recorded with two of them), five ways to say "sparse".
 *
 * @module
 */

import {
  type CostSchema,
  DRM_IOCTL_GEM_CLOSE,
  type GemObject,
  type IoctlCall,
  RECORDED_PROFILE,
  viewOf,
} from "@vmbind/drm";
import {
  BO_CREATE,
  GEM_CLOSE,
  IOCTL_BO_CREATE,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTLS,
  MAP_NOEXEC,
  OP_MAP,
  OP_UNMAP,
  PanthorBo,
  PanthorDevice,
  type PanthorFile,
  type PanthorVm,
  type PanvkStrategy,
  PanvkUmd,
  panvkDummyBytes,
  panvkRepeats,
  panvkSparseAlignment,
  SYNC_OP,
  SYNC_OP_SIGNAL,
  VM_BIND,
  VM_BIND_ASYNC,
  VM_BIND_OP,
  VM_BIND_OP_REPEAT,
  VM_CREATE,
  type VmBindOp,
} from "@vmbind/panthor";
import { mustIssue } from "../../strategy/calls.ts";
import { gpuvmAccounts } from "../../strategy/gpuvm-accounts.ts";
import type {
  CallSync,
  Issue,
  MemoryObject,
  Neighbour,
  Placement,
  ReadArray,
  SessionCounters,
  Shrinker,
  SparseSession,
  Where,
} from "../../strategy/strategy.ts";
import { VaHeap } from "../../strategy/va-heap.ts";

/** panvk's user VA range: device memory and sparse resources come from its top. */
const USER_VA_BYTES = 2 ** 47;
/** Driver objects lie below 4 GiB. */
const HEAP_START = 2 ** 32;
/** The syncobj behind the client's VkFence. */
const FENCE = 1;
const OPS_ADDR = 0x700000000000;
const SIGNAL = SYNC_OP_SIGNAL >>> 0;

class PanthorSession implements SparseSession {
  readonly file: PanthorFile;
  readonly vmId: number;
  readonly vm: PanthorVm;
  readonly umd: PanvkUmd;
  readonly heap: VaHeap = new VaHeap(HEAP_START, USER_VA_BYTES);
  readonly mirrorOffset = 0;
  readonly ioctls: typeof IOCTLS = IOCTLS;
  readonly roles: Map<number, string> = new Map();
  readonly facts: Readonly<Record<string, unknown>>;
  readonly shrinker: Shrinker;
  readonly #device: PanthorDevice;
  readonly #strategy: PanvkStrategy;

  constructor(device: PanthorDevice, strategy: PanvkStrategy) {
    this.#device = device;
    this.#strategy = strategy;
    this.file = device.open();
    const { vm, vmId } = createVm(this.file);
    this.vmId = vmId;
    this.vm = vm;
    this.umd = new PanvkUmd({ strategy, vmId, fence: FENCE });
    this.facts = {
      driver_version: device.options.driverVersion,
      repeat_proposal: this.#repeats,
      dummy_bytes: panvkDummyBytes(strategy),
    };
    this.shrinker = {
      evict(gem) {
        if (gem instanceof PanthorBo) device.evict(gem);
      },
      submit: () => void vm.validate(),
    };
  }

  get #repeats(): boolean {
    return panvkRepeats(this.#strategy);
  }

  get counters(): Readonly<SessionCounters> {
    return this.#device.counters;
  }

  get costSchema(): CostSchema {
    return this.#device.costSchema;
  }

  get memory(): SparseSession["memory"] {
    return this.#device.memory;
  }

  get accounts(): SparseSession["accounts"] {
    return gpuvmAccounts(this.vm.gpuvm, this.file);
  }

  kernelRole(gem: GemObject): string {
    return gem === this.file.dummy ? "kernel dummy" : "driver page";
  }

  neighbour(where: Where): Neighbour {
    const file = where === "file" ? this.#device.open() : this.file;
    return { file, ...openPanvkVm(file, this.#strategy) };
  }

  placement(bytes: number): Placement {
    return { alignment: panvkSparseAlignment(bytes), guardBytes: 0 };
  }

  beforeFirstResource(issue: Issue): void {
    for (const call of this.umd.setup()) {
      issue(call);
      this.umd.dummyHandle = BO_CREATE.read(viewOf(call.arg)).handle;
      this.roles.set(this.umd.dummyHandle, "dummy");
    }
  }

  allocate(object: MemoryObject, issue: Issue): void {
    const { va, size } = object;
    const arg = BO_CREATE.encode({ size, exclusiveVmId: this.vmId });
    issue({ name: "PANTHOR_BO_CREATE", request: IOCTL_BO_CREATE, arg, buffers: [] });
    object.handle = BO_CREATE.read(viewOf(arg)).handle;
    issue(this.#bind({ flags: OP_MAP | MAP_NOEXEC, boHandle: object.handle, va, size }));
  }

  free({ va, size, handle }: MemoryObject, issue: Issue): boolean {
    issue(this.#bind({ flags: OP_UNMAP, va, size }));
    issue({
      name: "GEM_CLOSE",
      request: DRM_IOCTL_GEM_CLOSE,
      arg: GEM_CLOSE.encode({ handle }),
      buffers: [],
    });
    return true;
  }

  waitIdle(): IoctlCall[] {
    // A queue bind without binds: one SYNC_ONLY operation.
    return this.umd.bind(0, 0, []);
  }

  syncs(arrays: readonly ReadArray[]): CallSync[] {
    return arrays
      .filter(({ array }) => array.element === SYNC_OP)
      .flatMap(({ within, count, stride, data }) =>
        Array.from({ length: count }, (_, i): CallSync => {
          const { flags, handle, timelineValue } = SYNC_OP.read(viewOf(data), i * stride);
          return {
            op: within[0] ?? -1,
            does: flags & SIGNAL ? "signal" : "wait",
            type: (flags & 0xff) === 1 ? "timeline" : "binary",
            handle,
            point: timelineValue,
          };
        }),
      );
  }

  mode(call: IoctlCall): string {
    return VM_BIND.read(viewOf(call.arg)).flags & VM_BIND_ASYNC ? "async" : "sync";
  }

  /** A synchronous VM_BIND of one operation. */
  #bind(op: Partial<VmBindOp>): IoctlCall {
    const layout = this.#repeats ? VM_BIND_OP_REPEAT : VM_BIND_OP;
    const syncs = { stride: SYNC_OP.size, count: 0, array: 0 };
    const bytes = layout.encode({ ...op, syncs });
    const ops = { stride: layout.size, count: 1, array: OPS_ADDR };
    const arg = VM_BIND.encode({ vmId: this.vmId, ops });
    return { name: "PANTHOR_VM_BIND", request: IOCTL_VM_BIND, arg, buffers: [{ addr: OPS_ADDR, bytes }] };
  }
}

/** A VM with panvk's part of the address space. */
function createVm(file: PanthorFile): { vm: PanthorVm; vmId: number } {
  const arg = VM_CREATE.encode({ userVaRange: USER_VA_BYTES });
  mustIssue(file, { name: "PANTHOR_VM_CREATE", request: IOCTL_VM_CREATE, arg, buffers: [] });
  const vmId = VM_CREATE.read(viewOf(arg)).id;
  const vm = file.vm(vmId);
  if (!vm) throw new Error(`VM ${vmId} was made and is not there`);
  return { vm, vmId };
}

/**
 * A VM as panvk makes it, ready for sparse resources.
 *
 * @param file - an open file
 * @param strategy - how unbound ranges are said
 */
export function openPanvkVm(file: PanthorFile, strategy: PanvkStrategy): { vm: PanthorVm; umd: PanvkUmd } {
  const { vm, vmId } = createVm(file);
  const umd = new PanvkUmd({ strategy, vmId });
  for (const call of umd.setup()) {
    mustIssue(file, call);
    umd.dummyHandle = BO_CREATE.read(viewOf(call.arg)).handle;
  }
  return { vm, umd };
}

/**
 * A Mali-G610 as the recordings had it.
 *
 * @param strategy - how unbound ranges are said; the driver is the one that this way needs
 */
export function openPanvk(strategy: PanvkStrategy): SparseSession {
  const device = new PanthorDevice({
    driverVersion: strategy === "sparse" ? "1.9" : "1.8",
    repeat: panvkRepeats(strategy) ? "v5" : "off",
    adoptSyncobjs: true,
    quirks: RECORDED_PROFILE,
  });
  return new PanthorSession(device, strategy);
}
