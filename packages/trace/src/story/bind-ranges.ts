/**
 * What the operations of one VM_BIND may touch.
 *
 * @module
 */

import type { BindOp, ModelVm } from "../lens.ts";
import type { Range } from "./leaf-diff.ts";

/**
 * @param vm - the VM before the operations
 * @param ops - operations of one call
 * @returns the addresses that they name, or that an object is mapped at
 */
export function rangesOf(vm: ModelVm, ops: readonly BindOp[]): Range[] {
  const ranges = ops
    .filter((op) => op.effect === "map" || op.effect === "unmap" || op.effect === "unmap-at")
    .map(({ addr, range }) => ({ addr, end: addr + range }));
  const objects = new Set(ops.filter((op) => op.effect === "unmap-object").map((op) => op.handle));
  if (objects.size > 0) {
    for (const { addr, range, bo } of vm.mappings()) {
      if (objects.has(bo)) ranges.push({ addr, end: addr + range });
    }
  }
  return ranges.filter(({ addr, end }) => addr < end);
}
