/**
 * What `hk` (honeykrisp) of Mesa 26.2 does with this uAPI for sparse resources.
 *
 * The driver writes no null entries, so unbound pages need memory behind them, and strict non-resident reads must give
 * zeros even after a shader has written there. One page cannot do both. hk therefore maps every resource twice: read-write at
 * its address A, where unbound pages show a scratch page that swallows writes, and read-only at A + 2^36, where they show
 * a page of zeros. Shaders are compiled to write through the first and read through the second.
 *
 * @module
 */

import { type IoctlCall, issue, type SparseBind, type SparseUmd } from "@vmbind/drm";
import type { AsahiFile } from "./file.ts";
import {
  BIND_READ,
  BIND_SINGLE_PAGE,
  BIND_UNBIND,
  BIND_WRITE,
  GEM_BIND_OP,
  GEM_CREATE,
  GEM_VM_PRIVATE,
  type GemBindOp,
  IOCTL_GEM_CREATE,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  PAGE_BYTES,
  VM_BIND,
  VM_CREATE,
  VM_END,
  VM_KERNEL_MIN_SIZE,
  VM_START,
} from "./uapi.ts";

const READ_WRITE = BIND_READ | BIND_WRITE;
const GIB_4 = 2 ** 32;
/** Low VA bytes that hk keeps for itself. */
const RESERVED_BYTES = 2 ** 36;
/** hk asks for this much kernel range even where the kernel would accept less. */
const KERNEL_RANGE_BYTES = 2 ** 35;
/** The byte that fills the scratch page, so that a shader that reads it shows. */
const SCRATCH_FILL = 0xca;
/** Where the op arrays lie in user space; the recorded traces use the same stand-in. */
const OPS_ADDR = 0x7000_0000_0000;

/** Where hk (Mesa 26.2) puts things in a VM; every number is bytes or a VA. */
export interface HkAddressPlan {
  /** VA of the page of zeros. */
  zeroPage: number;
  /** VA of the scratch page. */
  scratchPage: number;
  /** VA of the shader heap. */
  uscHeap: number;
  /** Bytes of the shader heap. */
  uscHeapBytes: number;
  /** First VA of the kernel range. */
  kernelStart: number;
  /** End of the kernel range. */
  kernelEnd: number;
  /** First VA for resources. */
  heap: number;
  /** Bytes for resources. */
  heapBytes: number;
  /** Distance from a resource to its read-only mirror: one address bit that is 0 in the whole heap. */
  mirrorOffset: number;
}

function powerOfTwoBelow(value: number): number {
  let power = 1;
  while (power * 2 <= value) power *= 2;
  return power;
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

/**
 * hk's layout of the address space (Mesa 26.2).
 *
 * @param vmStart - `vm_start` of GET_PARAMS, a VA
 * @param vmEnd - `vm_end`, a VA
 * @param vmKernelMinSize - `vm_kernel_min_size`, bytes
 * @returns the plan
 */
export function hkAddressPlan(
  vmStart: number = VM_START,
  vmEnd: number = VM_END,
  vmKernelMinSize: number = VM_KERNEL_MIN_SIZE,
): HkAddressPlan {
  // A buffer for shader printf follows the reservation and pushes the shader heap to the next 4 GiB.
  const uscHeap = roundUp(Math.max(vmStart, RESERVED_BYTES + PAGE_BYTES), GIB_4);
  const kernelStart = vmEnd - Math.max(vmKernelMinSize, KERNEL_RANGE_BYTES);
  const uscEnd = uscHeap + GIB_4;
  const floor = powerOfTwoBelow(uscEnd);
  const heap = floor === uscEnd ? floor : floor * 2;
  let heapBytes = powerOfTwoBelow(kernelStart - heap) / 2;
  // Equal would make the mirror bit a bit that is set in every heap address.
  if (heapBytes === heap) heapBytes /= 2;
  return {
    zeroPage: GIB_4,
    scratchPage: GIB_4 + PAGE_BYTES,
    uscHeap,
    uscHeapBytes: GIB_4,
    kernelStart,
    kernelEnd: vmEnd,
    heap,
    heapBytes,
    mirrorOffset: heapBytes,
  };
}

/** What {@link HkUmd} needs to know about its device. */
export interface HkOptions {
  /** VM id. */
  vmId: number;
  /** GEM handle of the page of zeros. */
  zeroHandle: number;
  /** GEM handle of the scratch page. */
  scratchHandle: number;
  /** Bytes from a resource to its read-only mirror; 2^36 unless told. */
  mirrorOffset?: number;
  /**
   * true: destroying a resource unbinds its read-write half only, as Mesa does; the mirror stays mapped until something
   * else is bound there or the object is closed. Default false: both halves go.
   */
  leaveMirror?: boolean;
}

/** Lowers sparse resource operations to asahi ioctls. */
export class HkUmd implements SparseUmd {
  readonly #vmId: number;
  readonly #zero: number;
  readonly #scratch: number;
  readonly #mirror: number;
  readonly #leaveMirror: boolean;

  /** @param options - ids, handles and behaviour */
  constructor(options: HkOptions) {
    this.#vmId = options.vmId;
    this.#zero = options.zeroHandle;
    this.#scratch = options.scratchHandle;
    this.#mirror = options.mirrorOffset ?? hkAddressPlan().mirrorOffset;
    this.#leaveMirror = options.leaveMirror ?? false;
  }

  /**
   * Two VM_BINDs of one op each.
   *
   * @param va - address A of the resource, a multiple of 16 KiB
   * @param size - bytes, rounded up to 16 KiB
   */
  create(va: number, size: number): IoctlCall[] {
    const [write, read] = this.#unbound(va, roundUp(size, PAGE_BYTES));
    return [vmBindCall(this.#vmId, [write]), vmBindCall(this.#vmId, [read])];
  }

  /**
   * One VM_BIND with two ops per run of joined elements. Removing memory is no UNBIND: the scratch and zero pages come back.
   *
   * @param va - address A of the resource
   * @param resourceSize - bytes
   * @param binds - elements; offsets and sizes are multiples of 16 KiB
   * @throws RangeError for an element that leaves the resource
   */
  bind(va: number, resourceSize: number, binds: readonly SparseBind[]): IoctlCall[] {
    const ops: GemBindOp[] = [];
    for (const run of joined(binds)) {
      if (!(run.resourceOffset >= 0 && run.resourceOffset + run.size <= roundUp(resourceSize, PAGE_BYTES))) {
        const { resourceOffset, size } = run;
        throw new RangeError(
          `bind: [${resourceOffset}, +${size}) leaves a resource of ${resourceSize} bytes`,
        );
      }
      const addr = va + run.resourceOffset;
      if (run.memory) {
        const { handle, offset } = run.memory;
        ops.push({ flags: READ_WRITE, handle, offset, range: run.size, addr });
        ops.push({ flags: BIND_READ, handle, offset, range: run.size, addr: addr + this.#mirror });
      } else {
        ops.push(...this.#unbound(addr, run.size));
      }
    }
    return ops.length === 0 ? [] : [vmBindCall(this.#vmId, ops)];
  }

  /**
   * UNBIND of the resource with the guard page behind it, and of its mirror unless `leaveMirror`.
   *
   * @param va - address A of the resource
   * @param size - bytes, rounded up to 16 KiB
   */
  destroy(va: number, size: number): IoctlCall[] {
    const range = roundUp(size, PAGE_BYTES) + PAGE_BYTES;
    const calls = [vmBindCall(this.#vmId, [unbind(va, range)])];
    if (!this.#leaveMirror) calls.push(vmBindCall(this.#vmId, [unbind(va + this.#mirror, range)]));
    return calls;
  }

  #unbound(addr: number, range: number): [GemBindOp, GemBindOp] {
    return [
      { flags: READ_WRITE | BIND_SINGLE_PAGE, handle: this.#scratch, offset: 0, range, addr },
      {
        flags: BIND_READ | BIND_SINGLE_PAGE,
        handle: this.#zero,
        offset: 0,
        range,
        addr: addr + this.#mirror,
      },
    ];
  }
}

function unbind(addr: number, range: number): GemBindOp {
  return { flags: BIND_UNBIND, handle: 0, offset: 0, range, addr };
}

/** Joins each element with the one before it when the two continue each other. */
function joined(binds: readonly SparseBind[]): SparseBind[] {
  const runs: SparseBind[] = [];
  for (const bind of binds) {
    const last = runs.at(-1);
    const touches = last !== undefined && last.resourceOffset + last.size === bind.resourceOffset;
    const sameMemory =
      last?.memory && bind.memory
        ? last.memory.handle === bind.memory.handle && last.memory.offset + last.size === bind.memory.offset
        : last?.memory === bind.memory;
    if (touches && sameMemory) last.size += bind.size;
    else runs.push({ ...bind });
  }
  return runs;
}

/**
 * A VM_BIND as hk issues it: natural stride, the ops in one array.
 *
 * @param vmId - VM id
 * @param ops - any number of ops
 * @returns the call
 */
export function vmBindCall(vmId: number, ops: readonly GemBindOp[]): IoctlCall {
  const bytes = new Uint8Array(ops.length * GEM_BIND_OP.size);
  const view = new DataView(bytes.buffer);
  ops.forEach((op, i) => {
    GEM_BIND_OP.write(view, i * GEM_BIND_OP.size, op);
  });
  return {
    name: "ASAHI_VM_BIND",
    request: IOCTL_VM_BIND,
    arg: VM_BIND.encode({
      vmId,
      numBinds: ops.length,
      stride: GEM_BIND_OP.size,
      userptr: OPS_ADDR,
    }),
    buffers: [{ addr: OPS_ADDR, bytes }],
  };
}

/** What {@link openHk} has set up. */
export interface HkSession {
  /** VM id. */
  vmId: number;
  /** GEM handle of the page of zeros, bound read-only at `plan.zeroPage`. */
  zeroHandle: number;
  /** GEM handle of the scratch page, filled with 0xca, bound read-write at `plan.scratchPage`. */
  scratchHandle: number;
  /** The address plan. */
  plan: HkAddressPlan;
  /** Lowering for this VM. */
  umd: HkUmd;
}

/**
 * Do what hk does at device creation before the first sparse resource: the VM, the two pages, their fixed places.
 *
 * @param file - a fresh open file
 * @param options - `leaveMirror` as in {@link HkOptions}
 * @returns ids, handles and the lowering
 * @throws DrmError when an ioctl fails
 */
export function openHk(file: AsahiFile, options: { leaveMirror?: boolean } = {}): HkSession {
  const plan = hkAddressPlan();
  const vm = VM_CREATE.encode({ kernelStart: plan.kernelStart, kernelEnd: plan.kernelEnd });
  must(file, { name: "ASAHI_VM_CREATE", request: IOCTL_VM_CREATE, arg: vm, buffers: [] });
  const vmId = VM_CREATE.read(new DataView(vm.buffer)).vmId;
  const page = (flags: number, addr: number): number => {
    const gem = GEM_CREATE.encode({ size: PAGE_BYTES, flags: GEM_VM_PRIVATE, vmId });
    must(file, { name: "ASAHI_GEM_CREATE", request: IOCTL_GEM_CREATE, arg: gem, buffers: [] });
    const handle = GEM_CREATE.read(new DataView(gem.buffer)).handle;
    must(file, vmBindCall(vmId, [{ flags, handle, offset: 0, range: PAGE_BYTES, addr }]));
    return handle;
  };
  const zeroHandle = page(BIND_READ, plan.zeroPage);
  const scratchHandle = page(READ_WRITE, plan.scratchPage);
  file.bo(scratchHandle)?.write(0, new Uint8Array(PAGE_BYTES).fill(SCRATCH_FILL));
  const umd = new HkUmd({ vmId, zeroHandle, scratchHandle, mirrorOffset: plan.mirrorOffset, ...options });
  return { vmId, zeroHandle, scratchHandle, plan, umd };
}

function must(file: AsahiFile, call: IoctlCall): void {
  if (issue(file, call) !== 0) throw file.lastError;
}
