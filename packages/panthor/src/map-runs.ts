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
import type { ScatterList } from "@vmbind/mmu";
import type { PanthorBindOp } from "./bind-op.ts";
import type { PanthorFile } from "./file.ts";
import type { CopiedArray } from "./obj-array.ts";
import { BLOCK_2M, PAGE_BYTES, tablesForMap } from "./page-sizes.ts";
import { PARTS } from "./parts.ts";
import { OBJ_ARRAY, OP_MAP, VM_BIND_OP_REPEAT } from "./uapi.ts";
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
 * Carry out what repeats an operation that has just succeeded.
 *
 * @param file - the open file
 * @param vm - its VM
 * @param ops - the array of a synchronous call
 * @param op - one of it, done
 * @param count - operations of the array
 * @returns how many operations behind it are done, too; none of them had anything in its way
 */
export function mapRun(
  file: PanthorFile,
  vm: PanthorVm,
  ops: CopiedArray,
  op: PanthorBindOp,
  count: number,
): number {
  const { size, boOffset } = op;
  const { device } = file;
  const { gpuvm, pageTable, as } = vm;
  const leaf = size === PAGE_BYTES || (size === BLOCK_2M && pageTable.io.isBlock(op.va));
  if (op.type !== OP_MAP || op.kind !== 0 || !leaf) return 0;
  if (device.options.allocFault !== undefined || !hasOwnParts(device.parts)) return 0;
  const va = op.va + size;
  const tables = tablesForMap(va, size);
  if (pageTable.io.tooMany(tables) !== null) return 0;
  const wanted = Math.min(repetitions(ops, op, count), Math.floor((vm.userRange - va) / size));
  const room = wanted === 0 ? 0 : gpuvm.roomFor(va, size, wanted);
  if (room === 0) return 0;
  const bo = file.bo(op.boHandle);
  const vmBo = bo && gpuvm.vmBoFind(bo);
  if (!vmBo) return 0;
  const pa = (bo.pages as ScatterList).addressAt(boOffset);
  const n = pageTable.mapAgain(op.flags, va, size, room, pa);
  const flags = (op.flags & MAP_FLAGS_MASK) << GPUVA_USERBITS_SHIFT;
  gpuvm.mapRun({ addr: va, range: size, gem: bo, offset: boOffset, flags }, vmBo, n);
  vmBo.put();
  vm.counters.tablesReserved += tables * n;
  vm.counters.tablesReturned += tables * n;
  if (as.slot === 0) return n;
  for (let i = 0; i < n; i++) {
    as.lock(va + i * size, size);
    as.unlock();
  }
  return n;
}

/** Whether a what-if has left the driver as it is: another part may do something else with each mapping. */
function hasOwnParts({ PageTable, VmSteps }: PanthorFile["device"]["parts"]): boolean {
  return PageTable === PARTS.PageTable && VmSteps === PARTS.VmSteps;
}
