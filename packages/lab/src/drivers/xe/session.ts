/**
 * The xe strategy: anv's NULL binds, on the three GPUs of the recordings.
 *
 * @module
 */

import {
  hex,
  type IoctlCall,
  quirkNames,
  type SparseMemory,
  type SparseUmd,
  type UserBuffer,
  viewOf,
} from "@vmbind/drm";
import {
  ANV_BLOCK_BYTES,
  AnvUmd,
  BIND_FORMS,
  ENGINE_CLASS_INSTANCE,
  ENGINE_CLASS_VM_BIND,
  EXEC_QUEUE_CREATE,
  encodeVmBind,
  GEM_CPU_CACHING_WC,
  GEM_CREATE,
  GEM_CREATE_FLAG_NO_COMPRESSION,
  IOCTL_EXEC_QUEUE_CREATE,
  IOCTL_GEM_CREATE,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  IOCTLS,
  PLACEMENT_SYSTEM,
  PLACEMENT_VRAM,
  QUIRKS,
  SYNC,
  SYNC_FLAG_SIGNAL,
  SYNC_TYPE_SYNCOBJ,
  SYNC_TYPE_TIMELINE_SYNCOBJ,
  VM_BIND,
  VM_BIND_OP,
  VM_BIND_OP_MAP,
  VM_BIND_OP_UNMAP,
  VM_BIND_OP_UNMAP_ALL,
  VM_CREATE,
  VM_CREATE_FLAG_SCRATCH_PAGE,
  type VmBindOp,
  XeDevice,
  type XeDeviceOptions,
  type XeFile,
  type XeVm,
} from "@vmbind/xe";
import { mustIssue } from "../../strategy/calls.ts";
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
  SparseSession,
  Where,
} from "../../strategy/strategy.ts";
import { VaHeap } from "../../strategy/va-heap.ts";

/** anv's high heap, below what its own objects take of it in the recordings. */
const HEAP_START = 2 ** 36;
const HEAP_END = 0xeffeff600000;
/** The timeline that binds of whole objects move on, and the syncobj behind the client's VkFence. */
const TIMELINE = 1;
const FENCE = 2;
const SYNCS_ADDR = 0x710000000000;
/** System memory of the recordings' machine; the model has no limit. */
const SYSTEM_BYTES: number = 2 ** 35;
const PAGE_BYTES = 0x1000;
const BLOCK_64K = 0x1_0000;
const INSTANCES_ADDR = 0x720000000000;

/** What a session differs in from the one that its driver's own strategy opens. */
export type XeSetup = SessionSetup<XeDeviceOptions, AnvUmd>;

class XeSession extends DriverSession<XeDevice> {
  readonly file: XeFile;
  readonly vmId: number;
  readonly vm: XeVm;
  readonly umd: SparseUmd;
  readonly heap: VaHeap = new VaHeap(HEAP_START, HEAP_END);
  readonly ioctls: typeof IOCTLS = IOCTLS;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly vmBind: SparseSession["vmBind"] = {
    forms: BIND_FORMS,
    encode: (ops) => [encodeVmBind(ops, { vmId: this.vmId })],
  };
  readonly shrinker = null;
  readonly #patIndex: number;
  readonly #shape: UmdShape;
  #point = 0;

  constructor(device: XeDevice, shape: UmdShape) {
    super(device);
    this.#shape = shape;
    this.facts = factsOf(device);
    this.file = device.open();
    const { vm, vmId } = createVm(this.file);
    this.vmId = vmId;
    this.vm = vm;
    // Xe2 has an uncompressed entry at 0; on DG2 anv takes 1 for everything.
    this.#patIndex = this.#xe2 ? 0 : 1;
    const own = new AnvUmd({
      // The steps of a workload are checked before; here the kernel has its say.
      bindBytes: PAGE_BYTES,
      vmId: this.vmId,
      execQueueId: this.#bindQueue(),
      fence: FENCE,
      patIndex: this.#patIndex,
    });
    this.umd = shape(own);
  }

  get #xe2(): boolean {
    return this.device.platform.graphics >= 2000;
  }

  get accounts(): SparseSession["accounts"] {
    return gpuvmAccounts(this.vm.gpuvm, this.file);
  }

  neighbour(where: Where): Neighbour {
    const file = where === "file" ? this.device.open() : this.file;
    const { vm, vmId } = createVm(file);
    return { file, vm, umd: this.#shape(new AnvUmd({ vmId })) };
  }

  placement(): Placement {
    return { alignment: ANV_BLOCK_BYTES, guardBytes: 0 };
  }

  allocate(object: MemoryObject, issue: Issue): void {
    const arg = GEM_CREATE.encode({
      size: object.size,
      placement: this.device.platform.vramBytes > 0 ? PLACEMENT_VRAM : PLACEMENT_SYSTEM,
      flags: this.#xe2 ? GEM_CREATE_FLAG_NO_COMPRESSION : 0,
      vmId: this.vmId,
      cpuCaching: GEM_CPU_CACHING_WC,
    });
    issue({ name: "XE_GEM_CREATE", request: IOCTL_GEM_CREATE, arg, buffers: [] });
    object.handle = GEM_CREATE.read(viewOf(arg)).handle;
    issue(this.#bindObject({ op: VM_BIND_OP_MAP, obj: object.handle, addr: object.va, range: object.size }));
  }

  free({ handle }: MemoryObject, issue: Issue): boolean {
    issue(this.#bindObject({ op: VM_BIND_OP_UNMAP_ALL, obj: handle }));
    issue(closeCall(handle));
    return true;
  }

  another(): SparseSession {
    return new XeSession(this.device, this.#shape);
  }

  bindPlainly(addr: number, range: number, memory: SparseMemory | null): IoctlCall {
    if (memory === null) return this.#bindObject({ op: VM_BIND_OP_UNMAP, addr, range });
    const { handle: obj, offset: objOffset } = memory;
    return this.#bindObject({ op: VM_BIND_OP_MAP, obj, objOffset, addr, range });
  }

  override syncs(arrays: readonly ReadArray[]): CallSync[] {
    const found = arrays.find(({ array }) => array.element === SYNC);
    if (!found) return [];
    return Array.from({ length: found.count }, (_, i): CallSync => {
      const { type, flags, addr, timelineValue } = SYNC.read(viewOf(found.data), i * SYNC.size);
      return {
        op: -1,
        does: flags & SYNC_FLAG_SIGNAL ? "signal" : "wait",
        type:
          type === SYNC_TYPE_SYNCOBJ
            ? "binary"
            : type === SYNC_TYPE_TIMELINE_SYNCOBJ
              ? "timeline"
              : "user-fence",
        handle: addr % 2 ** 32,
        point: timelineValue,
      };
    });
  }

  override mode(call: IoctlCall): string {
    return VM_BIND.read(viewOf(call.arg)).execQueueId === 0 ? "default-queue" : "bind-queue";
  }

  /** The queue of engine class VM_BIND that vkQueueBindSparse uses. */
  #bindQueue(): number {
    const arg = EXEC_QUEUE_CREATE.encode({
      width: 1,
      numPlacements: 1,
      vmId: this.vmId,
      instances: INSTANCES_ADDR,
    });
    const bytes = ENGINE_CLASS_INSTANCE.encode({ engineClass: ENGINE_CLASS_VM_BIND });
    mustIssue(this.file, {
      name: "XE_EXEC_QUEUE_CREATE",
      request: IOCTL_EXEC_QUEUE_CREATE,
      arg,
      buffers: [{ addr: INSTANCES_ADDR, bytes }],
    });
    return EXEC_QUEUE_CREATE.read(viewOf(arg)).execQueueId;
  }

  /** A VM_BIND of one operation on the default queue that moves the timeline on. */
  #bindObject(op: Partial<VmBindOp>): IoctlCall {
    const sync = {
      type: SYNC_TYPE_TIMELINE_SYNCOBJ,
      flags: SYNC_FLAG_SIGNAL,
      addr: TIMELINE,
      timelineValue: ++this.#point,
    };
    const buffers: UserBuffer[] = [{ addr: SYNCS_ADDR, bytes: SYNC.encode(sync) }];
    const arg = VM_BIND.encode({ vmId: this.vmId, numBinds: 1, numSyncs: 1, syncs: SYNCS_ADDR });
    VM_BIND_OP.write(viewOf(arg), VM_BIND.fields.bind.offset, { ...op, patIndex: this.#patIndex });
    return { name: "XE_VM_BIND", request: IOCTL_VM_BIND, arg, buffers };
  }
}

/** What headers say of such a device. */
function factsOf({ platform, options }: XeDevice): Readonly<Record<string, unknown>> {
  const { deviceId, vaBits, vram64kOnly, vramBytes } = platform;
  const vramPage = vram64kOnly ? BLOCK_64K : PAGE_BYTES;
  const vram = { instance: 1, class: "vram", size: hex(vramBytes), min_page_size: vramPage };
  return {
    pci_id: hex(deviceId),
    va_bits: vaBits,
    min_alignment: vramPage,
    mem_regions: [
      { instance: 0, class: "sysmem", size: hex(SYSTEM_BYTES), min_page_size: PAGE_BYTES },
      ...(vramBytes > 0 ? [vram] : []),
    ],
    forced_scratch: options.forcedScratch,
    ...(options.debugBuild && { debug_build: true }),
    quirks: quirkNames(options.quirks),
  };
}

/** A VM as anv makes it: what nothing is bound to is the scratch page. */
function createVm(file: XeFile): { vm: XeVm; vmId: number } {
  const arg = VM_CREATE.encode({ flags: VM_CREATE_FLAG_SCRATCH_PAGE });
  mustIssue(file, { name: "XE_VM_CREATE", request: IOCTL_VM_CREATE, arg, buffers: [] });
  const { vmId } = VM_CREATE.read(viewOf(arg));
  const vm = file.vm(vmId);
  if (!vm) throw new Error(`VM ${vmId} was made and is not there`);
  return { vm, vmId };
}

type UmdShape = NonNullable<XeSetup["umd"]>;

/**
 * @param device - name of a platform
 * @param setup - what differs from anv's own session
 * @returns a fresh session on it
 */
export function openAnv(device: string, setup: XeSetup = {}): SparseSession {
  const { kernel = DEFAULT_KERNEL, options, umd = (own) => own } = setup;
  const quirks = quirksUnder(QUIRKS, kernel, options?.quirks);
  return new XeSession(new XeDevice(device, { adoptSyncobjs: true, ...options, quirks }), umd);
}
