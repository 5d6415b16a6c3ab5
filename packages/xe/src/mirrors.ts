/**
 * Mirrors of the process's addresses (CPU_ADDR_MIRROR): they have nothing in the page table, so those that meet can be one.
 *
 * @module
 */

import type { Gpuvm, MapRequest } from "@vmbind/gpuvm-core";
import { PAGE_BYTES } from "./page-sizes.ts";
import type { XeVmas } from "./vma.ts";

/**
 * Widen the request for a mirror to the mirrors beside it, which it swallows: what they were mapped with is gone then. Those
 * whose attributes MADVISE changed stay (`xe_vm_find_cpu_addr_mirror_vma_range`, Linux 7.3-rc7).
 *
 * @param request - a mapping to make; widened in place
 * @param vm - its VM
 * @param vmas - the driver's data of the VM's mappings
 */
export function joinMirrors(
  request: MapRequest,
  { gpuvm, size }: { readonly gpuvm: Gpuvm; readonly size: number },
  vmas: XeVmas,
): void {
  const start = request.addr;
  const end = start + request.range;
  const before = start < PAGE_BYTES ? 0 : gpuvm.findFirst(start - PAGE_BYTES, PAGE_BYTES);
  const behind = end >= size ? 0 : gpuvm.findFirst(end, PAGE_BYTES);
  if (vmas.isPlainMirror(before)) request.addr = gpuvm.addr(before);
  request.range = (vmas.isPlainMirror(behind) ? gpuvm.end(behind) : end) - request.addr;
}
