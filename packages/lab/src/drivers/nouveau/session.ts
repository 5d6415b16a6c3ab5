/**
 * The nouveau strategy: nvk's sparse regions, on the GPU of the recordings.
 *
 * @module
 */

import { hex, type IoctlCall, quirkNames, type SparseMemory, type SparseUmd, viewOf } from "@vmbind/drm";
import {
  BIND_FORMS,
  encodeVmBind,
  GEM_NEW,
  IOCTL_GEM_NEW,
  IOCTLS,
  NouveauBo,
  NouveauDevice,
  type NouveauDeviceOptions,
  type NouveauFile,
  type NouveauVm,
  NVK_MEMORY_DOMAIN,
  NvkUmd,
  openNvk,
  QUIRKS,
  SYNC,
  SYNC_TIMELINE_SYNCOBJ,
  SYNC_TYPE_MASK,
  VM_BIND,
  VM_BIND_OP_MAP,
  VM_BIND_OP_UNMAP,
  VM_BIND_RUN_ASYNC,
  vmBindCall,
} from "@vmbind/nouveau";
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

/** nvk's heap, below what its own objects take of it in the recordings. */
const HEAP_START = 2 ** 32;
const HEAP_END = 0x3f_fdf9_e000;
const PAGE_BYTES = 0x1000;
/** The syncobj behind the client's VkFence. */
const FENCE = 1;

/** What a session differs in from the one that its driver's own strategy opens. */
export type NouveauSetup = SessionSetup<NouveauDeviceOptions, NvkUmd>;

type UmdShape = NonNullable<NouveauSetup["umd"]>;

class NouveauSession extends DriverSession<NouveauDevice> {
  readonly file: NouveauFile;
  readonly vmId = 1;
  readonly vm: NouveauVm;
  readonly umd: SparseUmd;
  readonly heap: VaHeap = new VaHeap(HEAP_START, HEAP_END);
  readonly ioctls: typeof IOCTLS = IOCTLS;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly vmBind: SparseSession["vmBind"] = {
    forms: BIND_FORMS,
    encode: (ops) => [encodeVmBind(ops)],
  };
  readonly shrinker: Shrinker;
  readonly #shape: UmdShape;

  constructor(device: NouveauDevice, shape: UmdShape) {
    super(device);
    this.#shape = shape;
    this.umd = shape(new NvkUmd({ fence: FENCE }));
    const { pciDevice, chipset, vramBytes, mmapStep, quirks } = device.options;
    this.facts = {
      pci_id: hex(pciDevice),
      chipset: hex(chipset),
      va_bits: 47,
      page_size: PAGE_BYTES,
      vram_size: hex(vramBytes),
      mmap_step: mmapStep,
      quirks: quirkNames(quirks),
    };
    this.file = device.open();
    this.vm = createVm(this.file);
    this.shrinker = {
      evict: (gem) => {
        if (gem instanceof NouveauBo) device.evict(gem);
      },
      submit: () => this.file.restoreObjects(this.vm),
    };
  }

  get accounts(): SparseSession["accounts"] {
    return gpuvmAccounts(this.vm.gpuvm, this.file);
  }

  /** A file has one VM, so a neighbour is always in another one. */
  neighbour(_where: Where): Neighbour {
    const file = this.device.open();
    return { file, vm: createVm(file), umd: this.#shape(new NvkUmd()) };
  }

  placement(): Placement {
    return { alignment: PAGE_BYTES, guardBytes: 0 };
  }

  allocate(object: MemoryObject, issue: Issue): void {
    const info = {
      handle: 0,
      domain: NVK_MEMORY_DOMAIN,
      size: object.size,
      offset: 0,
      mapHandle: 0,
      tileMode: 0,
      tileFlags: 0,
    };
    const arg = GEM_NEW.encode({ info, align: PAGE_BYTES });
    issue({ name: "NOUVEAU_GEM_NEW", request: IOCTL_GEM_NEW, arg, buffers: [] });
    object.handle = GEM_NEW.read(viewOf(arg)).info.handle;
    const { handle, va: addr, size: range } = object;
    issue(vmBindCall([{ op: VM_BIND_OP_MAP, handle, addr, range }]));
  }

  free({ va: addr, size: range, handle }: MemoryObject, issue: Issue): boolean {
    issue(vmBindCall([{ op: VM_BIND_OP_UNMAP, addr, range }]));
    issue(closeCall(handle));
    return true;
  }

  another(): SparseSession {
    return new NouveauSession(this.device, this.#shape);
  }

  bindPlainly(addr: number, range: number, memory: SparseMemory | null): IoctlCall {
    if (memory === null) return vmBindCall([{ op: VM_BIND_OP_UNMAP, addr, range }]);
    const { handle, offset: boOffset } = memory;
    return vmBindCall([{ op: VM_BIND_OP_MAP, handle, boOffset, addr, range }]);
  }

  override syncs(arrays: readonly ReadArray[]): CallSync[] {
    return arrays
      .filter(({ array }) => array.element === SYNC)
      .flatMap(({ array, count, data }) =>
        Array.from({ length: count }, (_, i): CallSync => {
          const { flags, handle, timelineValue } = SYNC.read(viewOf(data), i * SYNC.size);
          return {
            op: -1,
            does: array.field === "sig_ptr" ? "signal" : "wait",
            type: (flags & SYNC_TYPE_MASK) === SYNC_TIMELINE_SYNCOBJ ? "timeline" : "binary",
            handle,
            point: timelineValue,
          };
        }),
      );
  }

  override mode(call: IoctlCall): string {
    return VM_BIND.read(viewOf(call.arg)).flags & VM_BIND_RUN_ASYNC ? "async" : "sync";
  }
}

/** The VM of a file as nvk makes it. */
function createVm(file: NouveauFile): NouveauVm {
  openNvk(file);
  if (file.ownVm === null) throw new Error("the VM of the file was made and is not there");
  return file.ownVm;
}

/**
 * @param setup - what differs from nvk's own session
 * @returns a fresh session on a GeForce RTX 3080
 */
export function openNvkSession(setup: NouveauSetup = {}): SparseSession {
  const { kernel = DEFAULT_KERNEL, options, umd = (own) => own } = setup;
  const quirks = quirksUnder(QUIRKS, kernel, options?.quirks);
  return new NouveauSession(new NouveauDevice({ adoptSyncobjs: true, ...options, quirks }), umd);
}
