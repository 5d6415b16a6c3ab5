/**
 * What happens to an operation before it is executed: every check in the kernel's order, then everything that execution
 * may need is set aside, because execution must not allocate.
 *
 * @module
 */

import { EINVAL, EIO, ENOMEM, fail, GPUVA_REPEAT, GPUVA_SPARSE } from "@vmbind/gpuvm-core";
import type { BindOp } from "./bind-op.ts";
import type { PanthorFile } from "./file.ts";
import { PAGE_BYTES } from "./io-pgtable.ts";
import { tablesForMap, tablesForUnmap } from "./page-table.ts";
import {
  MAP_NOEXEC,
  MAP_READONLY,
  MAP_SPARSE,
  MAP_UNCACHED,
  OP_MAP,
  OP_SYNC_ONLY,
  OP_TYPE_MASK,
  OP_UNMAP,
} from "./uapi.ts";
import type { PanthorVm } from "./vm.ts";

const MAPPINGS_PER_MAP = 3;
const MAPPINGS_PER_UNMAP = 2;

/** Check an operation and set aside what it needs, in the kernel's order. */
export function prepare(file: PanthorFile, vm: PanthorVm, op: BindOp): void {
  const { va, size } = op;
  if (op.unaligned) unaligned(op);
  if (va >= vm.userRange || size > vm.userRange - va) {
    fail(
      EINVAL,
      `vm_bind_op.va: [0x${va.toString(16)}, +0x${size.toString(16)}) leaves the user VA range 0x${vm.userRange.toString(16)}`,
    );
  }
  if (op.type === OP_MAP) prepareMap(file, vm, op);
  else if (op.type === OP_UNMAP) prepareUnmap(file, vm, op);
  else if (op.type === OP_SYNC_ONLY) checkSyncOnly(op);
  else fail(EINVAL, `vm_bind_op.flags: type 0x${op.type.toString(16)} is unknown`);
}

function unaligned(op: BindOp): never {
  const field = op.va % PAGE_BYTES === 0 ? (op.size % PAGE_BYTES === 0 ? "boOffset" : "size") : "va";
  const name = field === "boOffset" ? "bo_offset" : field;
  return fail(EINVAL, `vm_bind_op.${name}: 0x${op[field].toString(16)} is not a multiple of 4096`);
}

function prepareMap(file: PanthorFile, vm: PanthorVm, op: BindOp): void {
  const { options, counters } = file.device;
  const sparse = op.kind === GPUVA_SPARSE;
  const bo = sparse
    ? vm.dummy
    : (file.bo(op.boHandle) ??
      fail(EINVAL, `vm_bind_op.bo_handle: ${op.boHandle} is not a handle of this file`));
  const known =
    MAP_READONLY | MAP_NOEXEC | MAP_UNCACHED | (file.device.sparse || file.device.repeats ? MAP_SPARSE : 0);
  if ((op.flags & ~OP_TYPE_MASK & ~known) !== 0) {
    fail(
      EINVAL,
      `vm_bind_op.flags: 0x${(op.flags & ~OP_TYPE_MASK & ~known).toString(16)} is unknown to driver ${options.driverVersion}`,
    );
  }
  if (sparse && (op.flags & MAP_NOEXEC) === 0)
    fail(EINVAL, "vm_bind_op.flags: MAP_SPARSE without MAP_NOEXEC");
  if (!sparse) checkBounds(file, op, bo.size);
  else if (op.boHandle !== 0) fail(EINVAL, `vm_bind_op.bo_handle: ${op.boHandle} with MAP_SPARSE`);
  else if (op.boOffset !== 0)
    fail(EINVAL, `vm_bind_op.bo_offset: 0x${op.boOffset.toString(16)} with MAP_SPARSE`);
  if (bo.exclusiveVm !== null && bo.exclusiveVm !== vm) {
    fail(EINVAL, `vm_bind_op.bo_handle: ${op.boHandle} is exclusive to another VM`);
  }
  if (options.allocFault !== undefined) allocateMappings(file, MAPPINGS_PER_MAP);
  bo.pin();
  bo.get();
  op.bo = bo;
  try {
    op.vmBo = vm.gpuvm.vmBoFind(bo);
    if (op.vmBo === null) {
      if (options.allocFault?.("vm_bo")) fail(ENOMEM, "vm_bind_op: no vm_bo (injected)");
      op.vmBo = vm.gpuvm.vmBoObtainPrealloc(vm.gpuvm.vmBoCreate(bo));
    }
    const tables = tablesForMap(op.va, op.size);
    // Nothing to allocate is a failed allocation here: a size of 0 at a multiple of 512 GiB.
    if (tables === 0) fail(ENOMEM, "vm_bind_op.size: 0 at a multiple of 512 GiB reserves no page table");
    if (options.allocFault?.("page-table")) fail(ENOMEM, "vm_bind_op: no page tables (injected)");
    op.tables = tables;
    counters.tablesReserved += tables;
    vm.gpuvm.extobjAdd(op.vmBo);
  } catch (error) {
    cleanUp(vm, op);
    throw error;
  }
}

function allocateMappings(file: PanthorFile, count: number): void {
  for (let i = 0; i < count; i++) {
    if (file.device.options.allocFault?.("gpuva")) fail(ENOMEM, "vm_bind_op: no gpuva (injected)");
  }
}

/** The object's size against the range, or against the repeated window. */
function checkBounds(file: PanthorFile, op: BindOp, boSize: number): void {
  const { options, repeats } = file.device;
  const { quirks } = options;
  let bytes = op.size;
  if (repeats && !quirks.repeatIgnoredFields) {
    if (op.pad !== 0)
      fail(EINVAL, `vm_bind_op.bo_repeat_range: pad, or the upper half, is 0x${op.pad.toString(16)}, not 0`);
    if (op.kind === 0 && op.repeatRange !== 0)
      fail(EINVAL, "vm_bind_op.bo_repeat_range: not 0 without MAP_REPEAT");
  }
  if (op.kind === GPUVA_REPEAT) {
    bytes = op.repeatRange;
    if (bytes === 0) {
      if (quirks.repeatZero) fail(EIO, "vm_bind_op.bo_repeat_range: 0 divides by zero in the kernel");
      fail(EINVAL, "vm_bind_op.bo_repeat_range: 0 with MAP_REPEAT");
    }
    if (bytes % PAGE_BYTES !== 0 && !quirks.repeatUnaligned) {
      fail(EINVAL, `vm_bind_op.bo_repeat_range: 0x${bytes.toString(16)} is not a multiple of 4096`);
    }
  }
  const name = op.kind === GPUVA_REPEAT ? "bo_repeat_range" : "size";
  if (bytes > boSize || op.boOffset > boSize - bytes) {
    fail(
      EINVAL,
      `vm_bind_op.${name}: bo_offset 0x${op.boOffset.toString(16)} + 0x${bytes.toString(16)} exceeds the object's 0x${boSize.toString(16)}`,
    );
  }
  if (op.kind === GPUVA_REPEAT && op.size % bytes !== 0) {
    fail(
      EINVAL,
      `vm_bind_op.size: 0x${op.size.toString(16)} is not a multiple of bo_repeat_range 0x${bytes.toString(16)}`,
    );
  }
}

function prepareUnmap(file: PanthorFile, vm: PanthorVm, op: BindOp): void {
  checkNoObject(op, "UNMAP");
  const { options, counters } = file.device;
  if (options.allocFault !== undefined) allocateMappings(file, MAPPINGS_PER_UNMAP);
  const tables = tablesForUnmap(op.va, op.size);
  if (tables > 0 && options.allocFault?.("page-table")) {
    cleanUp(vm, op);
    fail(ENOMEM, "vm_bind_op: no page tables (injected)");
  }
  op.tables = tables;
  counters.tablesReserved += tables;
}

function checkSyncOnly(op: BindOp): void {
  checkNoObject(op, "SYNC_ONLY");
  if (op.va !== 0) fail(EINVAL, `vm_bind_op.va: 0x${op.va.toString(16)} with SYNC_ONLY`);
  if (op.size !== 0) fail(EINVAL, `vm_bind_op.size: 0x${op.size.toString(16)} with SYNC_ONLY`);
  if (op.syncsCount === 0) fail(EINVAL, "vm_bind_op.syncs.count: 0 with SYNC_ONLY");
}

function checkNoObject(op: BindOp, type: string): void {
  if ((op.flags & ~OP_TYPE_MASK) !== 0) {
    fail(EINVAL, `vm_bind_op.flags: 0x${(op.flags & ~OP_TYPE_MASK).toString(16)} with ${type}`);
  }
  if (op.boHandle !== 0) fail(EINVAL, `vm_bind_op.bo_handle: ${op.boHandle} with ${type}`);
  if (op.boOffset !== 0) fail(EINVAL, `vm_bind_op.bo_offset: 0x${op.boOffset.toString(16)} with ${type}`);
}

/**
 * Give back what an operation did not use up.
 *
 * @param vm - its VM
 * @param op - prepared, executed or not
 */
export function cleanUp(vm: PanthorVm, op: BindOp): void {
  vm.tablesReturned(op.tables);
  op.tables = 0;
  if (op.vmBo !== null) op.vmBo.putDeferred();
  op.vmBo = null;
  if (op.bo !== null) {
    op.bo.unpin();
    vm.gpuvm.deferredCleanup();
    op.bo.put();
    op.bo = null;
  } else vm.gpuvm.deferredCleanup();
}
