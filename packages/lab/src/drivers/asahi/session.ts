/**
 * The asahi strategy: hk's scratch page and zero page, each repeated over the range with SINGLE_PAGE.
 *
 * @module
 */

import {
  AsahiDevice,
  type AsahiDeviceOptions,
  type AsahiFile,
  type AsahiVm,
  BIND_FORMS,
  BIND_READ,
  BIND_SINGLE_PAGE,
  BIND_UNBIND,
  BIND_WRITE,
  encodeVmBind,
  GEM_CREATE,
  GEM_VM_PRIVATE,
  GEM_WRITEBACK,
  type HkUmd,
  IOCTL_GEM_CREATE,
  IOCTLS,
  openHk,
  PAGE_BYTES,
  QUIRKS,
  vmBindCall,
} from "@vmbind/asahi";
import { hex, type IoctlCall, quirkNames, type SparseMemory, type SparseUmd, viewOf } from "@vmbind/drm";
import { DriverSession, type SessionSetup } from "../../strategy/driver-session.ts";
import { gpuvmAccounts } from "../../strategy/gpuvm-accounts.ts";
import { DEFAULT_KERNEL, quirksUnder } from "../../strategy/kernel.ts";
import type {
  Issue,
  MemoryObject,
  Neighbour,
  Placement,
  SparseSession,
  Where,
} from "../../strategy/strategy.ts";
import { VaHeap } from "../../strategy/va-heap.ts";

/** What hk's own objects take at the top of its heap before the first resource, in the recordings. */
const OWN_OBJECT_BYTES = 0x6c000;

/** What a session differs in from the one that its driver's own strategy opens. */
export type AsahiSetup = SessionSetup<AsahiDeviceOptions, HkUmd>;

type UmdShape = NonNullable<AsahiSetup["umd"]>;

class AsahiSession extends DriverSession<AsahiDevice> {
  readonly file: AsahiFile;
  readonly vmId: number;
  readonly vm: AsahiVm;
  readonly umd: SparseUmd;
  readonly heap: VaHeap;
  override readonly mirrorOffset: number;
  readonly ioctls: typeof IOCTLS = IOCTLS;
  override readonly roles: Map<number, string>;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly vmBind: SparseSession["vmBind"] = {
    forms: BIND_FORMS,
    encode: (ops) => [encodeVmBind(ops, { vmId: this.vmId })],
  };
  readonly shrinker = null;
  readonly #shape: UmdShape;

  constructor(device: AsahiDevice, shape: UmdShape) {
    super(device);
    this.#shape = shape;
    const { chipId, vmStart, vmEnd, vmKernelMinSize } = device.params;
    this.facts = {
      driver_version: "0.0",
      chip_id: hex(chipId),
      page_size: PAGE_BYTES,
      vm_start: hex(vmStart),
      vm_end: hex(vmEnd),
      vm_kernel_min_size: hex(vmKernelMinSize),
      soft_faults: device.options.softFaults,
      quirks: quirkNames(device.options.quirks),
    };
    this.file = device.open();
    const { plan, vmId, umd, zeroHandle, scratchHandle } = openHk(this.file, { leaveMirror: true });
    this.vmId = vmId;
    this.vm = vmOf(this.file, vmId);
    // Invalidations are issued for a VM that has run; a client submits from the start.
    this.vm.run();
    this.umd = shape(umd);
    this.heap = new VaHeap(plan.heap, plan.heap + plan.heapBytes - OWN_OBJECT_BYTES);
    this.mirrorOffset = plan.mirrorOffset;
    this.roles = new Map([
      [zeroHandle, "zero page"],
      [scratchHandle, "scratch page"],
    ]);
  }

  get accounts(): SparseSession["accounts"] {
    return gpuvmAccounts(this.vm.gpuvm, this.file);
  }

  neighbour(where: Where): Neighbour {
    const file = where === "file" ? this.device.open() : this.file;
    const { vmId, umd } = openHk(file);
    return { file, vm: vmOf(file, vmId), umd: this.#shape(umd) };
  }

  placement(): Placement {
    return { alignment: PAGE_BYTES, guardBytes: PAGE_BYTES };
  }

  allocate(object: MemoryObject, issue: Issue): void {
    const { va, size } = object;
    const arg = GEM_CREATE.encode({ size, flags: GEM_WRITEBACK | GEM_VM_PRIVATE, vmId: this.vmId });
    issue({ name: "ASAHI_GEM_CREATE", request: IOCTL_GEM_CREATE, arg, buffers: [] });
    const { handle } = GEM_CREATE.read(viewOf(arg));
    object.handle = handle;
    const bind = (flags: number, addr: number) =>
      vmBindCall(this.vmId, [{ flags, handle, offset: 0, range: size, addr }]);
    issue(bind(BIND_READ | BIND_WRITE, va));
    issue(bind(BIND_READ, va + this.mirrorOffset));
  }

  free(): boolean {
    // hk keeps freed objects, mapped, for its next allocation.
    return false;
  }

  another(): SparseSession {
    return new AsahiSession(this.device, this.#shape);
  }

  /** In the first view only: nobody reads plain memory through the other. */
  bindPlainly(addr: number, range: number, memory: SparseMemory | null): IoctlCall {
    const { handle, offset } = memory ?? { handle: 0, offset: 0 };
    const flags = memory === null ? BIND_UNBIND : BIND_READ | BIND_WRITE;
    return vmBindCall(this.vmId, [{ flags, handle, offset, range, addr }]);
  }

  /** The driver repeats one page and nothing larger. */
  repeatPlainly(addr: number, range: number, memory: SparseMemory, window: number): IoctlCall | null {
    if (window !== PAGE_BYTES) return null;
    const { handle, offset } = memory;
    return vmBindCall(this.vmId, [
      { flags: BIND_READ | BIND_WRITE | BIND_SINGLE_PAGE, handle, offset, range, addr },
    ]);
  }
}

function vmOf(file: AsahiFile, id: number): AsahiVm {
  const vm = file.vm(id);
  if (!vm) throw new Error(`VM ${id} was made and is not there`);
  return vm;
}

/**
 * @param setup - what differs from hk's own session
 * @returns a fresh session on an M1 as the recordings had it
 */
export function openHoneykrisp(setup: AsahiSetup = {}): SparseSession {
  const { kernel = DEFAULT_KERNEL, options, umd = (own) => own } = setup;
  const quirks = quirksUnder(QUIRKS, kernel, options?.quirks);
  return new AsahiSession(new AsahiDevice({ softFaults: true, ...options, quirks }), umd);
}
