/**
 * One VM_BIND: read the op array, check each op as the driver does, run it, stop at the first error.
 *
 * Ops take effect one by one. Those before a failing one stay applied, and the caller is not told which it was:
 * nothing is copied back but the errno. The VM is looked up by each op, so that an array of no ops succeeds for any
 * VM id. The checks stand in the driver's order, because the order decides which errno a doubly wrong op gets.
 *
 * @module
 */

import { EINVAL, ENOENT, ENOMEM, errorOf, fail, hex, type UserSpace } from "@vmbind/drm";
import type { AsahiBo } from "./bo.ts";
import {
  BIND_READ,
  BIND_SINGLE_PAGE,
  BIND_UNBIND,
  BIND_WRITE,
  GEM_BIND_OP,
  type GemBindOp,
  PAGE_BYTES,
  readBindOp,
  VM_END,
  VM_START,
  type VmBind,
} from "./uapi.ts";
import type { AsahiVm, AsahiVmDevice } from "./vm.ts";

const TWO_64 = 2 ** 64;
const RECORD_BYTES = GEM_BIND_OP.size;
const NO_OPS: DataView = new DataView(new ArrayBuffer(0));
const BIND_FLAGS = BIND_READ | BIND_WRITE | BIND_SINGLE_PAGE;
const ACCESS_FLAGS = BIND_READ | BIND_WRITE;

/** What VM_BIND needs of the open file; see `AsahiFile`. */
export interface BindFile {
  /** The device. */
  readonly device: AsahiVmDevice;
  /** A VM by its id, or undefined. */
  vm(id: number): AsahiVm | undefined;
  /** An object by its handle, or undefined. */
  bo(handle: number): AsahiBo | undefined;
}

/**
 * Run a VM_BIND.
 *
 * @param file - the open file
 * @param args - the argument struct
 * @param user - memory with the op array
 * @throws DrmError for the first op that fails; those before it stay applied
 */
export function vmBind(file: BindFile, args: VmBind, user: UserSpace): void {
  const { counters } = file.device;
  counters.bindIoctls++;
  const reader = new BindOpReader(args, user, file.device.options.quirks.packedOps, () => {
    if (file.device.options.allocFault?.("op-array")) {
      fail(ENOMEM, "vm_bind.num_binds: no memory for the op array (injected)");
    }
  });
  counters.payloadBytes += reader.bytes;
  for (let i = 0; i < args.numBinds; i++) {
    const op = reader.read(i);
    counters.bindOps++;
    runBindOp(file, args.vmId, op, i);
  }
}

/**
 * Decoded into. The numbers of 64 bits are doubles from the start, and stay it in a class of their own: a literal would have its
 * shape in common with the layout's, where they are objects.
 */
class OpRecord implements GemBindOp {
  flags = 0;
  handle = 0;
  offset = 0.5;
  range = 0.5;
  addr = 0.5;
}

/** Reads the records of an op array into one reused object. */
export class BindOpReader {
  /** Bytes copied from user space. */
  readonly bytes: number;
  readonly #view: DataView;
  readonly #step: number;
  readonly #recordBytes: number;
  readonly #op: GemBindOp = new OpRecord();

  /**
   * Copies the array.
   *
   * @param args - `stride`, `numBinds`, `pad` and `userptr`
   * @param user - memory with the array
   * @param packed - the driver's defect quirk `packedOps`
   * @param beforeCopy - called between the checks of the header and the copy
   * @throws DrmError EINVAL for `stride` or `pad`, EFAULT for an array that is not mapped
   */
  constructor(args: VmBind, user: UserSpace, packed: boolean, beforeCopy: () => void = () => {}) {
    if (args.stride === 0) fail(EINVAL, "vm_bind.stride: 0");
    if (args.pad !== 0) fail(EINVAL, `vm_bind.pad: ${hex(args.pad)} is not 0`);
    this.bytes = packed ? Math.imul(args.stride, args.numBinds) >>> 0 : args.stride * args.numBinds;
    this.#recordBytes = Math.min(RECORD_BYTES, args.stride);
    this.#step = packed ? this.#recordBytes : args.stride;
    beforeCopy();
    this.#view = this.bytes === 0 ? NO_OPS : user.view(args.userptr, this.bytes);
  }

  /**
   * @param index - number of the record
   * @returns the record, missing bytes zero; the same object every time
   * @throws DrmError EINVAL behind the end of the copy, which only a wrapped byte count can bring about
   */
  read(index: number): GemBindOp {
    const base = index * this.#step;
    if (base + this.#recordBytes > this.bytes)
      fail(EINVAL, `vm_bind.num_binds: record ${index} was not copied`);
    if (this.#recordBytes === RECORD_BYTES) {
      readBindOp(this.#view, base, this.#op);
    } else {
      const whole = new DataView(new ArrayBuffer(RECORD_BYTES));
      for (let i = 0; i < this.#recordBytes; i++) whole.setUint8(i, this.#view.getUint8(base + i));
      readBindOp(whole, 0, this.#op);
    }
    return this.#op;
  }
}

/**
 * Check and run one op.
 *
 * @param file - the open file
 * @param vmId - VM id
 * @param op - the op; not kept
 * @param index - its number, for messages
 * @throws DrmError EINVAL, ENOENT, or ENOMEM
 */
export function runBindOp(file: BindFile, vmId: number, op: GemBindOp, index = 0): void {
  const { addr, range } = op;
  if ((op.flags & BIND_UNBIND) !== 0) {
    checkUnbind(op, index);
    const vm = checkVm(file, vmId, addr, range, index);
    checkEmpty(file, range, index);
    vm.gpuvm.op = index;
    try {
      vm.unbind(addr, range);
    } catch (error) {
      throw errorOf(opName(index), error);
    }
    return;
  }
  const bo = checkBind(file, op, index);
  const vm = checkVm(file, vmId, addr, range, index);
  checkEmpty(file, range, index);
  if (bo.vm !== null && bo.vm !== vm && !file.device.options.quirks.foreignPrivateObjects) {
    fail(EINVAL, `${opName(index)}.handle: ${op.handle} is VM_PRIVATE and belongs to another VM`);
  }
  vm.gpuvm.op = index;
  try {
    vm.bind(bo, addr, range, op.offset, op.flags);
  } catch (error) {
    throw errorOf(opName(index), error);
  }
}

function checkBind(file: BindFile, op: GemBindOp, index: number): AsahiBo {
  const { flags, offset, range, addr } = op;
  if (!aligned(addr, range, offset)) failAligned(op, index);
  if ((flags & ~BIND_FLAGS) !== 0) {
    fail(EINVAL, `${opName(index)}.flags: ${hex(flags)} has bits other than READ, WRITE and SINGLE_PAGE`);
  }
  const bo = file.bo(op.handle);
  if (bo === undefined)
    return fail(ENOENT, `${opName(index)}.handle: ${op.handle} is not a handle of this file`);
  checkOverflow(addr, range, index);
  const accessed = (flags & BIND_SINGLE_PAGE) !== 0 ? PAGE_BYTES : range;
  if (offset + accessed > bo.size) {
    const bytes = `${hex(offset)} + ${hex(accessed)}`;
    fail(EINVAL, `${opName(index)}.offset: ${bytes} is behind the end of an object of ${hex(bo.size)} bytes`);
  }
  checkWindow(addr, range, index);
  if ((flags & ACCESS_FLAGS) === 0) fail(EINVAL, `${opName(index)}.flags: neither READ nor WRITE`);
  return bo;
}

function checkUnbind(op: GemBindOp, index: number): void {
  const { flags, offset, range, addr, handle } = op;
  if (offset !== 0) fail(EINVAL, `${opName(index)}.offset: ${hex(offset)} is not 0 with UNBIND`);
  if (flags !== BIND_UNBIND) fail(EINVAL, `${opName(index)}.flags: ${hex(flags)} is not UNBIND alone`);
  if (handle !== 0) fail(EINVAL, `${opName(index)}.handle: ${handle} is not 0 with UNBIND`);
  if (!aligned(addr, range, 0)) failAligned(op, index);
  checkOverflow(addr, range, index);
  checkWindow(addr, range, index);
}

function checkVm(file: BindFile, vmId: number, addr: number, range: number, index: number): AsahiVm {
  const vm = file.vm(vmId);
  if (vm === undefined) fail(ENOENT, `vm_bind.vm_id: ${vmId} is not a VM of this file`);
  if (range !== 0 && addr < vm.kernelEnd && vm.kernelStart < addr + range) {
    const kernel = `${hex(vm.kernelStart)}..${hex(vm.kernelEnd)}`;
    fail(EINVAL, `${opName(index)}.addr: ${hex(addr)} + ${hex(range)} meets the kernel range ${kernel}`);
  }
  return vm;
}

/** Behind all that the driver checks, so that an op that is wrong in another way, too, gets the driver's errno. */
function checkEmpty(file: BindFile, range: number, index: number): void {
  if (range === 0 && !file.device.options.quirks.emptyRanges) fail(EINVAL, `${opName(index)}.range: 0`);
}

function checkOverflow(addr: number, range: number, index: number): void {
  if (addr + range >= TWO_64) fail(EINVAL, `${opName(index)}.range: addr + range exceeds 64 bits`);
}

function checkWindow(addr: number, range: number, index: number): void {
  if (range !== 0 && (addr < VM_START || addr + range > VM_END)) {
    const window = `${hex(VM_START)}..${hex(VM_END)}`;
    fail(EINVAL, `${opName(index)}.addr: ${hex(addr)} + ${hex(range)} is not inside ${window}`);
  }
}

/** One test for the common case. The low bits of a double survive `|`, but NaN (not representable) becomes 0. */
function aligned(addr: number, range: number, offset: number): boolean {
  return ((addr | range | offset) & (PAGE_BYTES - 1)) === 0 && !Number.isNaN(addr + range + offset);
}

function failAligned(op: GemBindOp, index: number): never {
  for (const field of ["addr", "range", "offset"] as const) {
    if (!aligned(op[field], 0, 0))
      fail(EINVAL, `${opName(index)}.${field}: ${hex(op[field])} is not a multiple of 0x4000`);
  }
  throw new Error("failAligned: every field is aligned");
}

/**
 * An op in messages. A function, because the engine turns a number that several messages begin with into a string before
 * it knows whether there is a message.
 */
function opName(index: number): string {
  return `binds[${index}]`;
}
