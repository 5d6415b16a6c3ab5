/**
 * What happens to an operation before it is executed: every check in the kernel's order, then everything that execution
 * may need is set aside, because execution must not allocate (`panthor_mmu.c`, Linux 7.3-rc7).
 *
 * @module
 */

import { type AllocFault, EINVAL, EIO, ENOMEM, fail, hex, remainder } from "@vmbind/drm";
import { GPUVA_REPEAT, GPUVA_SPARSE, type VmBo } from "@vmbind/gpuvm-core";
import { cleanUp, type PanthorBindOp } from "./bind-op.ts";
import type { PanthorBo } from "./bo.ts";
import type { PanthorFile, PanthorFileDevice } from "./file.ts";
import type { PanthorDeviceOptions } from "./options.ts";
import { PAGE_BYTES, tablesForMap, tablesForUnmap } from "./page-sizes.ts";
import { MAP_NOEXEC, OP_MAP, OP_SYNC_ONLY, OP_TYPE_MASK, OP_UNMAP } from "./uapi.ts";
import type { PanthorVm } from "./vm.ts";

const MAPPINGS_PER_MAP = 3;
const MAPPINGS_PER_UNMAP = 2;

/**
 * Check an operation and set aside what it needs, in the kernel's order.
 *
 * @throws `DrmError` EINVAL, ENOMEM; EIO only with the quirk `repeatZero`
 */
export function prepare(file: PanthorFile, vm: PanthorVm, op: PanthorBindOp): void {
  const { va, size } = op;
  if (op.unaligned) fail(EINVAL, `${op.name}.${op.crooked} is not a multiple of 4096`);
  if (va >= vm.userRange || size > vm.userRange - va) outOfRange(vm, op);
  if (op.type === OP_MAP) prepareMap(file, vm, op);
  else if (op.type === OP_UNMAP) prepareUnmap(file, vm, op);
  else if (op.type === OP_SYNC_ONLY) checkSyncOnly(op);
  else fail(EINVAL, `${op.name}.flags: type 0x${op.type.toString(16)} is unknown`);
}

function outOfRange(vm: PanthorVm, op: PanthorBindOp): never {
  const range = `[${hex(op.va)}, +${hex(op.size)})`;
  return fail(EINVAL, `${op.name}.va: ${range} leaves the user VA range ${hex(vm.userRange)}`);
}

// Reasons are made in functions of their own: the path that every operation takes stays short enough to be inlined.

function prepareMap(file: PanthorFile, vm: PanthorVm, op: PanthorBindOp): void {
  const { device } = file;
  const { options } = device;
  const bo = op.kind === GPUVA_SPARSE ? vm.dummy : (file.bo(op.boHandle) ?? unknownHandle(op));
  if ((op.flags & ~OP_TYPE_MASK & ~device.mapFlags) !== 0) unknownFlags(device, op);
  if (op.kind === GPUVA_SPARSE) checkSparse(op);
  else if (device.repeats) checkRepeat(options, op, bo.size);
  else if (op.size > bo.size || op.boOffset > bo.size - op.size) outOfBounds(op, "size", op.size, bo.size);
  if (bo.exclusiveVm !== null && bo.exclusiveVm !== vm) foreignObject(op);
  if (options.allocFault !== undefined) allocateMappings(options.allocFault, op, MAPPINGS_PER_MAP);
  bo.pin();
  bo.get();
  op.bo = bo;
  op.vmBo = vm.gpuvm.vmBoFind(bo);
  if (op.vmBo === null) makeVmBo(device, vm, op, bo);
  const tables = tablesForMap(op.va, op.size);
  if (tables === 0 || options.allocFault !== undefined || vm.pageTable.io.tooMany(tables) !== null) {
    allocateTables(device, vm, op, tables);
  }
  op.tables = tables;
  device.counters.tablesReserved += tables;
  if (bo.exclusiveVm === null) vm.gpuvm.extobjAdd(op.vmBo as VmBo);
}

function unknownHandle(op: PanthorBindOp): never {
  return fail(EINVAL, `${op.name}.bo_handle: ${op.boHandle} is not a handle of this file`);
}

function unknownFlags(device: PanthorFileDevice, op: PanthorBindOp): never {
  const unknown = op.flags & ~OP_TYPE_MASK & ~device.mapFlags;
  const { driverVersion } = device.options;
  return fail(EINVAL, `${op.name}.flags: 0x${unknown.toString(16)} is unknown to driver ${driverVersion}`);
}

function foreignObject(op: PanthorBindOp): never {
  return fail(EINVAL, `${op.name}.bo_handle: ${op.boHandle} is exclusive to another VM`);
}

function outOfBounds(op: PanthorBindOp, field: string, bytes: number, boSize: number): never {
  const range = `bo_offset ${hex(op.boOffset)} + ${hex(bytes)}`;
  return fail(EINVAL, `${op.name}.${field}: ${range} exceeds the object's ${hex(boSize)}`);
}

function checkSparse(op: PanthorBindOp): void {
  if ((op.flags & MAP_NOEXEC) === 0) fail(EINVAL, `${op.name}.flags: MAP_SPARSE without MAP_NOEXEC`);
  if (op.boHandle !== 0) fail(EINVAL, `${op.name}.bo_handle: ${op.boHandle} with MAP_SPARSE`);
  if (op.boOffset !== 0) {
    fail(EINVAL, `${op.name}.bo_offset: ${hex(op.boOffset)} with MAP_SPARSE`);
  }
}

function makeVmBo(device: PanthorFileDevice, vm: PanthorVm, op: PanthorBindOp, bo: PanthorBo): void {
  if (device.options.allocFault?.("vm_bo")) {
    cleanUp(vm, op);
    fail(ENOMEM, `${op.name}: no vm_bo (injected)`);
  }
  op.vmBo = vm.gpuvm.vmBoObtainPrealloc(vm.gpuvm.vmBoCreate(bo));
}

/** The ways in which reserving page tables fails. */
function allocateTables(device: PanthorFileDevice, vm: PanthorVm, op: PanthorBindOp, tables: number): void {
  // Nothing to allocate is a failed allocation for a MAP: a size of 0 at a multiple of 512 GiB.
  if (tables === 0) {
    cleanUp(vm, op);
    fail(ENOMEM, `${op.name}.size: 0 at a multiple of 512 GiB reserves no page table`);
  }
  if (device.options.allocFault?.("page-table")) {
    cleanUp(vm, op);
    fail(ENOMEM, `${op.name}: no page tables (injected)`);
  }
  const reason = vm.pageTable.io.tooMany(tables);
  if (reason !== null) {
    cleanUp(vm, op);
    fail(ENOMEM, `${op.name}: ${reason}`);
  }
}

function allocateMappings(allocFault: AllocFault, op: PanthorBindOp, count: number): void {
  for (let i = 0; i < count; i++) if (allocFault("gpuva")) fail(ENOMEM, `${op.name}: no gpuva (injected)`);
}

/** The object's size against the range, or against the repeated window. */
function checkRepeat({ repeat, quirks }: PanthorDeviceOptions, op: PanthorBindOp, boSize: number): void {
  const repeats = op.kind === GPUVA_REPEAT;
  const { pad, repeatRange } = op;
  if (repeat === "v5" && pad !== 0) {
    fail(
      EINVAL,
      `${op.name}.bo_repeat_range: upper half 0x${pad.toString(16)}, the range does not fit 32 bits`,
    );
  }
  if (!quirks.repeatIgnoredFields) {
    if (pad !== 0) fail(EINVAL, `${op.name}.pad: 0x${pad.toString(16)} is not 0`);
    if (!repeats && repeatRange !== 0) fail(EINVAL, `${op.name}.bo_repeat_range: not 0 without MAP_REPEAT`);
  }
  if (repeats && repeatRange === 0) {
    if (quirks.repeatZero) fail(EIO, `${op.name}.bo_repeat_range: 0 divides by zero in the kernel`);
    fail(EINVAL, `${op.name}.bo_repeat_range: 0 with MAP_REPEAT`);
  }
  if (repeats && (repeatRange & (PAGE_BYTES - 1)) !== 0 && !quirks.repeatUnaligned) {
    fail(EINVAL, `${op.name}.bo_repeat_range: 0x${repeatRange.toString(16)} is not a multiple of 4096`);
  }
  const bytes = repeats ? repeatRange : op.size;
  if (bytes > boSize || op.boOffset > boSize - bytes) {
    outOfBounds(op, repeats ? "bo_repeat_range" : "size", bytes, boSize);
  }
  if (repeats && remainder(op.size, repeatRange) !== 0) {
    const size = hex(op.size);
    fail(
      EINVAL,
      `${op.name}.size: ${size} is not a multiple of bo_repeat_range 0x${repeatRange.toString(16)}`,
    );
  }
}

function prepareUnmap(file: PanthorFile, vm: PanthorVm, op: PanthorBindOp): void {
  checkNoObject(op, "UNMAP");
  const { device } = file;
  const { allocFault } = device.options;
  if (allocFault !== undefined) allocateMappings(allocFault, op, MAPPINGS_PER_UNMAP);
  const tables = tablesForUnmap(op.va, op.size);
  if (tables > 0 && (allocFault !== undefined || vm.pageTable.io.tooMany(tables) !== null)) {
    allocateTables(device, vm, op, tables);
  }
  op.tables = tables;
  device.counters.tablesReserved += tables;
}

function checkSyncOnly(op: PanthorBindOp): void {
  checkNoObject(op, "SYNC_ONLY");
  if (op.va !== 0) fail(EINVAL, `${op.name}.va: ${hex(op.va)} with SYNC_ONLY`);
  if (op.size !== 0) fail(EINVAL, `${op.name}.size: ${hex(op.size)} with SYNC_ONLY`);
  if (op.syncsCount === 0) fail(EINVAL, `${op.name}.syncs.count: 0 with SYNC_ONLY`);
}

function checkNoObject(op: PanthorBindOp, type: string): void {
  if ((op.flags & ~OP_TYPE_MASK) !== 0) {
    fail(EINVAL, `${op.name}.flags: 0x${(op.flags & ~OP_TYPE_MASK).toString(16)} with ${type}`);
  }
  if (op.boHandle !== 0) fail(EINVAL, `${op.name}.bo_handle: ${op.boHandle} with ${type}`);
  if (op.boOffset !== 0) fail(EINVAL, `${op.name}.bo_offset: ${hex(op.boOffset)} with ${type}`);
}
