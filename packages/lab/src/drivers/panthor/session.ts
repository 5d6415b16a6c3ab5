/**
 * The panthor strategies: one user-mode driver (panvk, recorded with two of them), five ways to say "sparse".
 *
 * @module
 */

import {
  callsAreWatched,
  type GemObject,
  hex,
  type IoctlCall,
  quirkNames,
  type SparseMemory,
  type SparseUmd,
  viewOf,
} from "@vmbind/drm";
import {
  BIND_FORMS,
  BLOCK_2M,
  BO_CREATE,
  encodeVmBind,
  IOCTL_BO_CREATE,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTLS,
  MAP_NOEXEC,
  OP_MAP,
  OP_UNMAP,
  PAGE_BYTES,
  PanthorBo,
  PanthorDevice,
  type PanthorDeviceOptions,
  type PanthorFile,
  type PanthorOp,
  type PanthorParts,
  type PanthorVm,
  type PanvkOptions,
  type PanvkStrategy,
  PanvkUmd,
  panvkDummyBytes,
  panvkRepeats,
  panvkSparseAlignment,
  QUIRKS,
  SYNC_OP,
  SYNC_OP_SIGNAL,
  VM_BIND,
  VM_BIND_ASYNC,
  VM_BIND_OP,
  VM_BIND_OP_REPEAT,
  VM_CREATE,
  type VmBindOp,
} from "@vmbind/panthor";
import { vmBindRun } from "@vmbind/panthor/internals";
import { mustIssue, runFrom } from "../../strategy/calls.ts";
import { closeCall, DriverSession, type SessionSetup } from "../../strategy/driver-session.ts";
import { gpuvmAccounts } from "../../strategy/gpuvm-accounts.ts";
import { DEFAULT_KERNEL, quirksUnder } from "../../strategy/kernel.ts";
import type {
  CallSync,
  Issue,
  MemoryObject,
  Neighbour,
  Placement,
  ReadArray,
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
/** VM_BINDs that are issued at once: their pages are as many as two tables have. */
const RUN_MAX = 64;

/** What a session differs in from one of panvk's own strategies. */
export interface PanthorSetup extends SessionSetup<PanthorDeviceOptions, PanvkUmd> {
  /** What is replaced of the driver or of the GPU. */
  readonly parts?: Partial<PanthorParts>;
  /** What panvk says of an unbound range. */
  readonly unbound?: NonNullable<PanvkOptions["unbound"]>;
}

class PanthorSession extends DriverSession<PanthorDevice> {
  readonly file: PanthorFile;
  readonly vmId: number;
  readonly vm: PanthorVm;
  readonly umd: SparseUmd;
  readonly heap: VaHeap = new VaHeap(HEAP_START, USER_VA_BYTES);
  readonly ioctls: typeof IOCTLS = IOCTLS;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly vmBind: SparseSession["vmBind"] = {
    forms: BIND_FORMS,
    encode: (ops) => [encodeVmBind(ops, { vmId: this.vmId })],
  };
  readonly shrinker: Shrinker;
  readonly #strategy: PanvkStrategy;
  readonly #setup: PanthorSetup;
  readonly #own: PanvkUmd;

  constructor(device: PanthorDevice, strategy: PanvkStrategy, setup: PanthorSetup) {
    super(device);
    this.#strategy = strategy;
    this.#setup = setup;
    this.file = device.open();
    const { vm, vmId } = createVm(this.file);
    this.vmId = vmId;
    this.vm = vm;
    const { unbound, umd = (own) => own } = setup;
    this.#own = new PanvkUmd({ strategy, vmId, fence: FENCE, ...(unbound && { unbound }) });
    this.umd = umd(this.#own);
    const { driverVersion, gpuId, vaBits, paBits, quirks } = device.options;
    this.facts = {
      driver_version: driverVersion,
      gpu_id: hex(gpuId),
      va_bits: vaBits,
      pa_bits: paBits,
      page_size_bitmap: hex(PAGE_BYTES | BLOCK_2M),
      repeat_proposal: device.repeats,
      dummy_bytes: panvkDummyBytes(strategy),
      quirks: quirkNames(quirks),
    };
    this.shrinker = {
      evict(gem) {
        if (gem instanceof PanthorBo) device.evict(gem);
      },
      submit: () => void vm.validate(),
    };
  }

  get accounts(): SparseSession["accounts"] {
    return gpuvmAccounts(this.vm.gpuvm, this.file);
  }

  issueRun(calls: readonly IoctlCall[], from: number): number {
    const first = calls[from] as IoctlCall;
    const run = callsAreWatched() || first.request !== IOCTL_VM_BIND ? null : runFrom(calls, from, RUN_MAX);
    return run === null ? 0 : vmBindRun(this.file, first.arg, run.bytes, run.count);
  }

  override kernelRole(gem: GemObject): string {
    return gem === this.file.dummy ? "kernel dummy" : "driver page";
  }

  neighbour(where: Where): Neighbour {
    const file = where === "file" ? this.device.open() : this.file;
    const { vm, umd } = openPanvkVm(file, this.#strategy, this.#setup.unbound);
    return { file, vm, umd: this.#setup.umd?.(umd) ?? umd };
  }

  placement(bytes: number): Placement {
    return { alignment: panvkSparseAlignment(bytes), guardBytes: 0 };
  }

  override beforeFirstResource(issue: Issue): void {
    for (const call of this.#own.setup()) {
      issue(call);
      this.#own.dummyHandle = BO_CREATE.read(viewOf(call.arg)).handle;
      this.roles.set(this.#own.dummyHandle, "dummy");
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
    issue(closeCall(handle));
    return true;
  }

  another(): SparseSession {
    return new PanthorSession(this.device, this.#strategy, this.#setup);
  }

  bindPlainly(va: number, size: number, memory: SparseMemory | null): IoctlCall {
    if (memory === null) return this.#bind({ flags: OP_UNMAP, va, size });
    const { handle: boHandle, offset: boOffset } = memory;
    return this.#bind({ flags: OP_MAP | MAP_NOEXEC, boHandle, boOffset, va, size });
  }

  repeatPlainly(va: number, size: number, memory: SparseMemory, window: number): IoctlCall | null {
    if (!this.device.repeats) return null;
    const { handle: boHandle, offset: boOffset } = memory;
    const at = { boHandle, boOffset, va, size };
    const op: PanthorOp = { op: "map-repeat", ...at, boRepeatRange: window, flags: MAP_NOEXEC };
    return encodeVmBind([op], { vmId: this.vmId });
  }

  override waitIdle(): IoctlCall[] {
    // A queue bind without binds: one SYNC_ONLY operation.
    return this.#own.bind(0, 0, []);
  }

  override syncs(arrays: readonly ReadArray[]): CallSync[] {
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

  override mode(call: IoctlCall): string {
    return VM_BIND.read(viewOf(call.arg)).flags & VM_BIND_ASYNC ? "async" : "sync";
  }

  /** A synchronous VM_BIND of one operation. */
  #bind(op: Partial<VmBindOp>): IoctlCall {
    const layout = this.device.repeats ? VM_BIND_OP_REPEAT : VM_BIND_OP;
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
 * @param unbound - what is said of them in place of that
 */
export function openPanvkVm(
  file: PanthorFile,
  strategy: PanvkStrategy,
  unbound?: PanthorSetup["unbound"],
): { vm: PanthorVm; umd: PanvkUmd } {
  const { vm, vmId } = createVm(file);
  const umd = new PanvkUmd({ strategy, vmId, ...(unbound && { unbound }) });
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
 * @param setup - what differs from that
 */
export function openPanvk(strategy: PanvkStrategy, setup: PanthorSetup = {}): SparseSession {
  const { kernel = DEFAULT_KERNEL, options, parts } = setup;
  const device = new PanthorDevice(
    {
      driverVersion: strategy === "sparse" ? "1.9" : "1.8",
      repeat: panvkRepeats(strategy) ? "v5" : "off",
      adoptSyncobjs: true,
      ...options,
      quirks: quirksUnder(QUIRKS, kernel, options?.quirks),
    },
    parts,
  );
  return new PanthorSession(device, strategy, setup);
}
