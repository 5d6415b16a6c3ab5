/**
 * What a VM tells of itself: the memory attributes of its mappings, and the faults that the driver recorded (`xe_vm.c`, Linux
 * 7.3-rc7).
 *
 * @module
 */

import { EINVAL, ENOBUFS, ENOENT, ENOMEM, ENOSPC, fail, type UserSpace, viewOf } from "@vmbind/drm";
import { mustBeZero } from "./device-query.ts";
import type { XeFile } from "./file.ts";
import {
  MEM_RANGE_ATTR,
  VM_FAULT,
  VM_GET_PROPERTY_FAULTS,
  VM_QUERY_MEM_RANGE_ATTR,
  type VmGetProperty,
} from "./uapi-madvise.ts";
import type { XeVm } from "./vm.ts";

/** Largest array that the kernel allocates. */
const MAX_ALLOC = 0x7fff_ffff;
const PAGE = 4096n;
const U64 = 64;
const { numMemRanges, sizeofMemRangeAttr, vectorOfMemAttr, start, range } = VM_QUERY_MEM_RANGE_ATTR.fields;

/**
 * VM_QUERY_MEM_RANGE_ATTRS: one element a mapping that meets the range, ascending; ask first with zeroes how many there are.
 * The range may be any numbers, and its end wraps at 2^64.
 *
 * @param file - the caller
 * @param arg - `drm_xe_vm_query_mem_range_attr`
 * @param user - memory behind its pointer
 * @throws `DrmError` EINVAL, ENOSPC for more mappings than elements, ENOMEM, ENOBUFS, EFAULT
 */
export function vmQueryMemRangeAttrs(file: XeFile, arg: DataView, user: UserSpace): void {
  const query = VM_QUERY_MEM_RANGE_ATTR.read(arg);
  const { size } = MEM_RANGE_ATTR;
  const count = query.numMemRanges;
  // A pointer and a size count as given when they are not 0, whatever they are.
  const asks = query.vectorOfMemAttr === 0 && query.sizeofMemRangeAttr === 0;
  if (count === 0 && !asks) {
    fail(EINVAL, "query_mem_range_attrs.num_mem_ranges: 0 asks how many there are, without array and size");
  }
  if (count > 0 && query.vectorOfMemAttr === 0) {
    fail(EINVAL, "query_mem_range_attrs.vector_of_mem_attr: must be given with num_mem_ranges");
  }
  if (count > 0 && query.sizeofMemRangeAttr !== size) {
    fail(EINVAL, `query_mem_range_attrs.sizeof_mem_range_attr: must be ${size}`);
  }
  const vm = file.vm(query.vmId);
  if (vm === undefined) fail(EINVAL, `query_mem_range_attrs.vm_id: no VM ${query.vmId}`);
  const vas = mappingsMeeting(vm, arg);
  if (count === 0) {
    numMemRanges.write(arg, 0, vas.length);
    sizeofMemRangeAttr.write(arg, 0, size);
    return;
  }
  if (count * size > MAX_ALLOC || file.device.options.allocFault?.("op-array")) {
    fail(
      count > 1 ? ENOBUFS : ENOMEM,
      `query_mem_range_attrs.num_mem_ranges: no memory for ${count} elements`,
    );
  }
  if (vas.length > count) {
    fail(ENOSPC, `query_mem_range_attrs.num_mem_ranges: ${count}, but there are ${vas.length} mappings`);
  }
  const out = new Uint8Array(vas.length * size);
  vas.forEach((va, i) => {
    const { gpuvm, vmas } = vm;
    MEM_RANGE_ATTR.write(viewOf(out), i * size, {
      start: gpuvm.addr(va),
      end: gpuvm.end(va),
      devmemFd: vmas.location(va) >>> 0,
      migrationPolicy: vmas.migration(va),
      atomic: vmas.atomic(va),
      patIndex: vmas.pat[va] as number,
    });
  });
  if (out.length > 0) user.write(vectorOfMemAttr.read(arg, 0), out);
  numMemRanges.write(arg, 0, vas.length);
}

/** Mappings that begin before the end of the range and end behind its start: both rounded to pages, where mappings are. */
function mappingsMeeting({ gpuvm }: XeVm, arg: DataView): number[] {
  const first = arg.getBigUint64(start.offset, true);
  const behind = BigInt.asUintN(U64, first + arg.getBigUint64(range.offset, true));
  const from = Number((first / PAGE) * PAGE);
  const to = Number(((behind + PAGE - 1n) / PAGE) * PAGE);
  const vas: number[] = [];
  for (const va of gpuvm.mappings()) {
    if (gpuvm.addr(va) >= to) break;
    if (gpuvm.end(va) > from) vas.push(va);
  }
  return vas;
}

/**
 * VM_GET_PROPERTY: ask with size 0 for the size, then for the data, all of it or the first so many faults.
 *
 * @param file - the caller
 * @param query - `drm_xe_vm_get_property`
 * @param user - memory behind its pointer
 * @throws `DrmError` EINVAL, ENOENT, EFAULT
 */
export function vmGetProperty(file: XeFile, query: VmGetProperty, user: UserSpace): Partial<VmGetProperty> {
  mustBeZero(query.reserved, "vm_get_property.reserved");
  mustBeZero([query.extensions], "vm_get_property.extensions");
  mustBeZero([query.pad], "vm_get_property.pad");
  const vm = file.vm(query.vmId);
  if (vm === undefined) fail(ENOENT, `vm_get_property.vm_id: no VM ${query.vmId}`);
  if (query.property !== VM_GET_PROPERTY_FAULTS) {
    fail(EINVAL, `vm_get_property.property: ${query.property} is none`);
  }
  const faults = vm.recordedFaults();
  const needed = faults.length * VM_FAULT.size;
  if (query.size === 0) return { size: needed };
  if (query.size > needed) fail(EINVAL, `vm_get_property.size: ${query.size} is above ${needed}`);
  if (query.size % VM_FAULT.size !== 0) {
    fail(EINVAL, `vm_get_property.size: must be a multiple of ${VM_FAULT.size}`);
  }
  const out = new Uint8Array(query.size);
  for (let at = 0, i = 0; at < out.length; at += VM_FAULT.size, i++) {
    VM_FAULT.write(viewOf(out), at, faults[i] ?? {});
  }
  user.write(query.data, out);
  return {};
}
