/**
 * Runs of equal MAPs in one VM_BIND: each shows the same bytes where the one before ends. Whoever has neither MAP_SPARSE nor REPEAT says
 * "unbound" so, one operation for each page of it.
 *
 * The first operation of a run goes the way of all operations: it is checked, makes the pair and the tables, and may fail. Those behind it
 * pass the same checks, so only what each leaves behind remains: a mapping, an entry, its AS commands, its counts. Where more than that
 * can happen, or somebody would see each of them happen, an operation is not taken for one of a run. Whatever a run leaves, single
 * operations leave the same; a test holds one against the other.
 *
 * @module
 */

import { GPUVA_USERBITS_SHIFT } from "@vmbind/gpuvm-core";
import type { PanthorBindOp } from "./bind-op.ts";
import type { PanthorBo } from "./bo.ts";
import type { PanthorFile } from "./file.ts";
import type { CopiedArray } from "./obj-array.ts";
import { BLOCK_2M, PAGE_BYTES, tablesForMap } from "./page-sizes.ts";
import { OBJ_ARRAY, OP_MAP, OP_TYPE_MASK, VM_BIND_OP_REPEAT } from "./uapi.ts";
import type { PanthorVm } from "./vm.ts";

const OP = VM_BIND_OP_REPEAT.fields;
// Of u64 members the low half; the high one follows.
const AT_FLAGS = OP.flags.offset;
const AT_BO_HANDLE = OP.boHandle.offset;
const AT_BO_OFFSET = OP.boOffset.offset;
const AT_VA = OP.va.offset;
const AT_SIZE = OP.size.offset;
const AT_SYNCS_COUNT = OP.syncs.offset + OBJ_ARRAY.fields.count.offset;
/** What only operations of the REPEAT proposal have. */
const AT_TAIL = OP.boRepeatRange.offset;
const MAP_FLAGS_MASK = 0xf;

/**
 * How many operations repeat one: alike but for `va`, which ascends by `size`, and for where syncs would be, which they have none of.
 *
 * @param ops - the array
 * @param op - one of it, decoded
 * @param count - operations of the array
 */
function repetitions({ view, stride }: CopiedArray, op: PanthorBindOp, count: number): number {
  const first = op.index * stride;
  const flags = view.getInt32(first + AT_FLAGS, true);
  const boHandle = view.getInt32(first + AT_BO_HANDLE, true);
  const boOffset = view.getInt32(first + AT_BO_OFFSET, true);
  const boOffsetHigh = view.getInt32(first + AT_BO_OFFSET + 4, true);
  const size = view.getInt32(first + AT_SIZE, true);
  const sizeHigh = view.getInt32(first + AT_SIZE + 4, true);
  let va = op.va;
  let i = op.index + 1;
  for (; i < count; i++) {
    const at = i * stride;
    va += op.size;
    const repeats =
      view.getUint32(at + AT_VA, true) + view.getUint32(at + AT_VA + 4, true) * 4294967296 === va &&
      view.getInt32(at + AT_FLAGS, true) === flags &&
      view.getInt32(at + AT_BO_HANDLE, true) === boHandle &&
      view.getInt32(at + AT_BO_OFFSET, true) === boOffset &&
      view.getInt32(at + AT_BO_OFFSET + 4, true) === boOffsetHigh &&
      view.getInt32(at + AT_SIZE, true) === size &&
      view.getInt32(at + AT_SIZE + 4, true) === sizeHigh &&
      view.getInt32(at + AT_SYNCS_COUNT, true) === 0;
    if (!repeats || (stride > AT_TAIL && !hasTail(view, at, first, stride))) break;
  }
  return i - op.index - 1;
}

/** Whether the operation at a byte ends as the one at `first` does. */
function hasTail(view: DataView, at: number, first: number, stride: number): boolean {
  for (let k = AT_TAIL; k < stride; k++) if (view.getUint8(at + k) !== view.getUint8(first + k)) return false;
  return true;
}

/**
 * Carry out an operation and those that repeat it, where nothing is in their way.
 *
 * @param file - the open file
 * @param vm - its VM
 * @param ops - the array of a synchronous call
 * @param op - one of it, decoded; its size is not 0, and it has no syncs
 * @param count - operations of the array
 * @param whole - only as many are done as are a multiple of this
 * @returns how many operations are done, `op` the first of them; 0 where it has to go the way of all operations, also where none repeats it
 */
export function mapRun(
  file: PanthorFile,
  vm: PanthorVm,
  ops: CopiedArray,
  op: PanthorBindOp,
  count: number,
  whole = 1,
): number {
  const { va, size, boOffset } = op;
  if (op.type !== OP_MAP || op.kind !== 0 || (size !== PAGE_BYTES && size !== BLOCK_2M)) return 0;
  const repeats = repetitions(ops, op, count);
  if (repeats === 0) return 0;
  const { device } = file;
  const { gpuvm, pageTable } = vm;
  if (device.options.allocFault !== undefined || !vm.hasOwnParts || vm.unusable || vm.destroyed) return 0;
  const bo = file.bo(op.boHandle);
  const pa = bo === undefined ? -1 : shownAt(device, vm, op, bo);
  if (bo === undefined || pa < 0 || va + size > vm.userRange) return 0;
  const tables = tablesForMap(va, size);
  if (pageTable.io.tooMany(tables) !== null) return 0;
  const wanted = Math.min(repeats + 1, Math.floor((vm.userRange - va) / size));
  let room = pageTable.roomFor(va, size, wanted, pa);
  if (whole > 1) {
    room = gpuvm.roomFor(va, size, room);
    room -= room % whole;
  }
  const vmBo = room === 0 ? null : gpuvm.vmBoFind(bo);
  if (vmBo === null) return 0;
  const first = vm.syncRun;
  first.addr = va;
  first.range = size;
  first.gem = bo;
  first.offset = boOffset;
  first.flags = (op.flags & MAP_FLAGS_MASK) << GPUVA_USERBITS_SHIFT;
  const n = gpuvm.mapRun(first, vmBo, room);
  first.gem = null;
  vmBo.put();
  if (n === 0) return 0;
  if (bo.exclusiveVm === null) gpuvm.extobjAdd(vmBo);
  pageTable.mapSame(op.flags, va, size, n, pa);
  vm.as.lockEach(va, size, n);
  device.counters.tablesReserved += tables * n;
  vm.counters.tablesReturned += tables * n;
  return n;
}

/**
 * What preparing the operation would find, where it finds nothing to refuse and nothing to allocate.
 *
 * @returns the physical address of the leaf that it maps, -1 where only preparing tells
 */
function shownAt(
  { repeats, mapFlags }: PanthorFile["device"],
  vm: PanthorVm,
  op: PanthorBindOp,
  { pages, size: boSize, exclusiveVm }: PanthorBo,
): number {
  const { size, boOffset } = op;
  if (op.unaligned || (op.flags & ~OP_TYPE_MASK & ~mapFlags) !== 0) return -1;
  if (repeats && (op.pad !== 0 || op.repeatRange !== 0)) return -1;
  if ((exclusiveVm !== null && exclusiveVm !== vm) || pages === null) return -1;
  if (size > boSize || boOffset > boSize - size) return -1;
  const segment = pages.segmentAt(boOffset);
  if (segment < 0) return -1;
  const skip = boOffset - (pages.offset[segment] as number);
  const pa = (pages.pa[segment] as number) + skip;
  // One leaf: pages are always that, a block only where it is one in physical memory, too.
  const whole = skip + size <= (pages.bytes[segment] as number);
  return whole && ((op.va | pa) & (size - 1)) === 0 ? pa : -1;
}
