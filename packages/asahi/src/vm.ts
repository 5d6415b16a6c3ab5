/**
 * One address space: the mappings (GPUVM), the page tables, and the steps between them (`vm-steps.ts`).
 *
 * SINGLE_PAGE is GPUVM's REPEAT with a window of one 16 KiB page, so a repeated mapping of any length is one mapping,
 * and a cut can never fall inside its window. All of it after the driver (the downstream asahi driver, branches of 2025) on
 * GPUVM of Linux 7.3-rc7.
 *
 * @module
 */

import {
  EINVAL,
  ENOMEM,
  fail,
  type GemHandles,
  GemObject,
  type GemObjects,
  type MappingView,
  type VaRange,
} from "@vmbind/drm";
import { GPUVA_REPEAT, Gpuvm, type MapRequest, type UnmapStep, type VmBo } from "@vmbind/gpuvm-core";
import { AddressSpace, type PageTableFormat, type PhysicalMemory, type Tlb } from "@vmbind/mmu";
import { AsahiBo } from "./bo.ts";
import type { ContextSlots } from "./context-slots.ts";
import type { AsahiCounters } from "./cost-sheet.ts";
import type { AsahiDeviceOptions } from "./options.ts";
import { UatPageTable } from "./page-table.ts";
import { leafHi, leafLo } from "./protection.ts";
import { decodeTlbi, encodeTlbi, isExactTlbi, type TlbiReach, type TlbiSink } from "./tlbi.ts";
import { BIND_SINGLE_PAGE, DUMMY_PAGE_VA, KERNEL_RANGE_ALIGN, PAGE_BYTES, VM_END, VM_START } from "./uapi.ts";
import { ACCESS_FLAGS, ACCESS_SHIFT, VmSteps } from "./vm-steps.ts";

/** What a VM needs of its device; see `AsahiDevice`. */
export interface AsahiVmDevice {
  /** What was chosen. */
  readonly options: Readonly<AsahiDeviceOptions>;
  /** The cost sheet. */
  readonly counters: AsahiCounters;
  /** Physical memory. */
  readonly memory: PhysicalMemory;
  /** The format of its page tables. */
  readonly format: PageTableFormat;
  /** The GPU's TLB. */
  readonly tlb: Tlb;
  /** Who runs in which context slot. */
  readonly contexts: ContextSlots;
  /** All objects. */
  readonly gems: GemObjects;
  /** Destroyed VMs that a mapping without length keeps, see quirk `emptyRanges`. @internal */
  readonly keptVms: Set<AsahiVm>;
}

/** One VM of an open file. */
export class AsahiVm {
  /** The device. */
  readonly device: AsahiVmDevice;
  /** The mappings. The dummy page is not one of them. */
  readonly gpuvm: Gpuvm;
  /** What a shader sees, through the TLB. The GPU only sees a VM that runs, so an access gives it a context slot. */
  readonly addressSpace: AddressSpace;
  /** The tables. */
  readonly pageTable: UatPageTable;
  /** First VA of the kernel range, shrunk to a multiple of 32 KiB. */
  readonly kernelStart: number;
  /** End of the kernel range in bytes, shrunk likewise. */
  readonly kernelEnd: number;
  /** Sees each TLB invalidation that a step asks for, first VA and bytes, also while the VM has no context slot. */
  invalidateObserver: ((va: number, bytes: number) => void) | null = null;

  #asid = 0;
  #dummyPage: AsahiBo | null = null;
  readonly #request: MapRequest = { addr: 0.5, range: 0.5, gem: null, offset: 0.5, flags: 0, gemRange: 0 };
  readonly #reach: TlbiReach = { asid: 0, va: 0.5, bytes: 0.5 };
  readonly #steps: VmSteps;
  readonly #handles: GemHandles<AsahiBo>;
  readonly #issueTlbi: TlbiSink;

  /**
   * VM_CREATE behind its checks: tables, manager, dummy page.
   *
   * @param device - the device
   * @param kernelStart - first VA of the kernel range, a multiple of 16 KiB
   * @param kernelEnd - its end, a multiple of 16 KiB
   * @param handles - of its file
   * @throws DrmError ENOMEM; nothing is left behind
   */
  constructor(device: AsahiVmDevice, kernelStart: number, kernelEnd: number, handles: GemHandles<AsahiBo>) {
    this.device = device;
    this.#handles = handles;
    this.kernelStart = Math.ceil(kernelStart / KERNEL_RANGE_ALIGN) * KERNEL_RANGE_ALIGN;
    this.kernelEnd = Math.floor(kernelEnd / KERNEL_RANGE_ALIGN) * KERNEL_RANGE_ALIGN;
    const { memory, gems, counters, options } = device;
    if (options.allocFault?.("vm")) fail(ENOMEM, "vm_create: no memory for the VM (injected)");
    this.pageTable = new UatPageTable(memory, options);
    this.addressSpace = new AddressSpace(memory, device.format, this.pageTable.root, {
      enter: () => this.run(),
      tlb: device.tlb,
      softFaults: options.softFaults,
    });
    const resv = new GemObject(gems, PAGE_BYTES);
    this.gpuvm = new Gpuvm({
      name: "asahi",
      start: VM_START,
      range: VM_END - VM_START,
      kernelStart: this.kernelStart,
      kernelRange: this.kernelEnd - this.kernelStart,
      gems,
      resv,
      immediateMode: true,
      counters,
      onFree: () => this.#release(),
    });
    resv.put();
    this.#steps = new VmSteps(this.gpuvm, this.pageTable, (va, bytes) => this.#invalidate(va, bytes));
    this.#issueTlbi = (form, high, low) => {
      const reach = this.#reach;
      decodeTlbi(form, high, low, reach);
      this.device.tlb.invalidateRange(reach.asid, reach.va, reach.bytes);
    };
    if (device.options.dummyPage) this.#mapDummyPage();
  }

  /** The page that the driver maps just above the window of VM_BIND, null without {@link AsahiDeviceOptions.dummyPage}. */
  get dummyPage(): AsahiBo | null {
    return this.#dummyPage;
  }

  /** Context slot, and ASID in the TLB: 1..63, or 0 before the VM first ran. */
  get asid(): number {
    return this.#asid;
  }

  /**
   * What the first submission does: take a context slot. From then on steps invalidate the TLB.
   *
   * @returns the slot, 1..63
   */
  run(): number {
    this.#asid = this.device.contexts.take(this);
    return this.#asid;
  }

  /** The slot went to another VM. @internal */
  slotLost(): void {
    this.#asid = 0;
  }

  /**
   * Bind behind the checks of VM_BIND.
   *
   * @param bo - the object
   * @param addr - first VA
   * @param range - bytes of VA
   * @param offset - byte offset into the object
   * @param flags - bind flags of the uAPI
   * @throws DrmError ENOMEM before any mapping changed; EINVAL for a range that GPUVM refuses
   */
  bind(bo: AsahiBo, addr: number, range: number, offset: number, flags: number): void {
    this.#reserveMappings(3);
    bo.pages();
    const single = (flags & BIND_SINGLE_PAGE) !== 0;
    if (single && range === 0) fail(EINVAL, "gpuvm: the range is shorter than the repeated page");
    this.pageTable.allocate(addr, range);
    const { gpuvm } = this;
    const request = this.#request;
    request.addr = addr;
    request.range = range;
    request.gem = bo;
    request.offset = offset;
    request.flags = ((flags & ACCESS_FLAGS) << ACCESS_SHIFT) | (single ? GPUVA_REPEAT : 0);
    request.gemRange = single ? PAGE_BYTES : 0;
    const vmBo = this.#obtain(bo);
    this.#steps.vmBo = vmBo;
    const ret = gpuvm.smMap(request, this.#steps);
    vmBo.putDeferred();
    gpuvm.deferredCleanup();
    if (ret !== 0) fail(-ret, gpuvm.refusal);
  }

  /**
   * Unbind behind the checks of VM_BIND. A range with nothing in it is fine.
   *
   * @param addr - first VA
   * @param range - bytes
   * @throws DrmError ENOMEM before any mapping changed
   */
  unbind(addr: number, range: number): void {
    this.#reserveMappings(2);
    const ret = this.#steps.unmapInside(addr, range) ? 0 : this.gpuvm.smUnmap(addr, range, this.#steps);
    this.gpuvm.deferredCleanup();
    if (ret !== 0) fail(-ret, this.gpuvm.refusal);
  }

  /**
   * Remove every mapping of an object: its handle is closed.
   *
   * @param bo - the object
   */
  unbindObject(bo: AsahiBo): void {
    const vmBo = this.gpuvm.vmBoFind(bo);
    if (vmBo === null) return;
    for (const op of this.gpuvm.boUnmapOps(vmBo)) this.#steps.unmap(op as UnmapStep);
    vmBo.putDeferred();
    this.gpuvm.deferredCleanup();
  }

  /** VM_DESTROY: unbind everything left and right of the kernel range, and drop the file's reference. */
  destroy(): void {
    const { gpuvm, kernelStart, kernelEnd } = this;
    if (kernelStart > VM_START) gpuvm.smUnmap(VM_START, kernelStart - VM_START, this.#steps);
    if (kernelEnd < VM_END) gpuvm.smUnmap(kernelEnd, VM_END - kernelEnd, this.#steps);
    gpuvm.deferredCleanup();
    gpuvm.put();
    if (gpuvm.refs > 0) this.device.keptVms.add(this);
  }

  /**
   * The mappings, ascending; kinds are `bo` and `single-page`.
   *
   * @param within - only those that meet this range; all unless given
   */
  *mappings(within?: VaRange): Generator<MappingView> {
    const { gpuvm } = this;
    for (const va of gpuvm.mappingsOf(within)) {
      const gem = gpuvm.gem(va) as AsahiBo;
      const flags = gpuvm.flags(va);
      const single = (flags & GPUVA_REPEAT) !== 0;
      yield {
        addr: gpuvm.addr(va),
        range: gpuvm.rangeOf(va),
        kind: single ? "single-page" : "bo",
        bo: this.#handles.handleOf(gem),
        gem,
        offset: gpuvm.offset(va),
        flags: ((flags >> ACCESS_SHIFT) & ACCESS_FLAGS) | (single ? BIND_SINGLE_PAGE : 0),
      };
    }
  }

  #invalidate(va: number, bytes: number): void {
    this.invalidateObserver?.(va, bytes);
    if (this.#asid === 0 || bytes === 0) return;
    const { counters } = this.device;
    counters.tlbRequests++;
    counters.tlbRequestedBytes += bytes;
    // One instruction covers these exactly: encoding it would take a sixth of an unmap step.
    if (isExactTlbi(bytes)) this.device.tlb.invalidateRange(this.#asid, va, bytes);
    else encodeTlbi(this.#asid, va, bytes, this.device.options.quirks.stuckTlbiStart, this.#issueTlbi);
  }

  /** The driver allocates the mappings that a request can need at most before it takes a lock. */
  #reserveMappings(count: number): void {
    const { allocFault } = this.device.options;
    if (allocFault === undefined) return;
    for (let i = 0; i < count; i++) {
      if (allocFault("gpuva")) fail(ENOMEM, "gpuva: no memory for a mapping (injected)");
    }
  }

  #obtain(bo: AsahiBo): VmBo {
    const found = this.gpuvm.vmBoFind(bo);
    if (found !== null) return found;
    if (this.device.options.allocFault?.("vm_bo")) fail(ENOMEM, "vm_bo: no memory for it (injected)");
    const vmBo = this.gpuvm.vmBoObtainPrealloc(this.gpuvm.vmBoCreate(bo));
    this.gpuvm.extobjAdd(vmBo);
    return vmBo;
  }

  #mapDummyPage(): void {
    const { gems, memory, options } = this.device;
    const page = new AsahiBo({ gems, memory, size: PAGE_BYTES, vm: this, allocFault: options.allocFault });
    this.#dummyPage = page;
    try {
      const pa = page.pages().pa[0] as number;
      this.pageTable.map(DUMMY_PAGE_VA, PAGE_BYTES, pa, leafLo(ACCESS_FLAGS), leafHi(ACCESS_FLAGS), true);
    } catch (error) {
      this.gpuvm.put();
      throw error;
    }
  }

  /** The last reference is gone. */
  #release(): void {
    this.device.contexts.release(this);
    this.#dummyPage?.put();
    this.pageTable.destroy();
  }
}
