/** Each ioctl as text, in the names of `xe_drm.h`; bits without a name are numbers. */
import { fromRecorded, GEM_CLOSE, ioctlText, type NamedBytes } from "@vmbind/drm";
import { expect, it } from "vitest";
import * as uapi from "../src/index.ts";

const INLINE = uapi.VM_BIND.encode({
  vmId: 1,
  numBinds: 1,
  bind: {
    extensions: 0,
    obj: 0,
    patIndex: 9,
    pad: 0,
    objOffset: 0,
    range: 0x5f6_0000,
    addr: 2 ** 46,
    op: uapi.VM_BIND_OP_MAP,
    flags: uapi.VM_BIND_FLAG_NULL + uapi.VM_BIND_FLAG_READONLY + 0x8000_0000,
    prefetchMemRegionInstance: 0,
    pad2: 0,
    reserved: [0, 0, 0],
  },
});
const VECTOR = uapi.VM_BIND.encode({
  vmId: 1,
  execQueueId: 2,
  numBinds: 2,
  numSyncs: 3,
  syncs: 0x7100_0000_0000,
});
uapi.VM_BIND_VECTOR.write(new DataView(VECTOR.buffer), uapi.VM_BIND.fields.bind.offset, {
  vectorOfBinds: 0x7000_0000_0000,
});
const OPS = new Uint8Array(160);
OPS.set(uapi.VM_BIND_OP.encode({ op: uapi.VM_BIND_OP_UNMAP, addr: 0x10000, range: 0x10000 }));
OPS.set(uapi.VM_BIND_OP.encode({ op: 7, reserved: [0, 1, 2 ** 53] }), 80);
const SYNCS = new Uint8Array(144);
SYNCS.set(uapi.SYNC.encode({ type: uapi.SYNC_TYPE_TIMELINE_SYNCOBJ, flags: 1, addr: 3, timelineValue: 9 }));
SYNCS.set(
  uapi.SYNC.encode({ type: uapi.SYNC_TYPE_USER_FENCE, flags: 3, addr: 0x2000, timelineValue: 5 }),
  48,
);
SYNCS.set(uapi.SYNC.encode({ type: 4 }), 96);
const PLACES = new Uint8Array(16);
PLACES.set(uapi.ENGINE_CLASS_INSTANCE.encode({ engineClass: uapi.ENGINE_CLASS_VM_BIND }));
PLACES.set(uapi.ENGINE_CLASS_INSTANCE.encode({ engineClass: 1, gtId: 1 }), 8);

const GOLDEN: readonly [request: number, arg: Uint8Array, arrays: NamedBytes[], text: string][] = [
  [
    uapi.IOCTL_DEVICE_QUERY,
    uapi.DEVICE_QUERY.encode({ query: 2, size: 48, data: 0x1000 }),
    [],
    "XE_DEVICE_QUERY {extensions=0, query=DEVICE_QUERY_CONFIG, size=48, data=0x1000, reserved=[0, 0]}",
  ],
  [
    uapi.IOCTL_DEVICE_QUERY,
    uapi.DEVICE_QUERY.encode({ query: 11 }),
    [],
    "XE_DEVICE_QUERY {extensions=0, query=0xb (DEVICE_QUERY_???), size=0, data=0, reserved=[0, 0]}",
  ],
  [
    uapi.IOCTL_GEM_CREATE,
    uapi.GEM_CREATE.encode({ extensions: 0x1000, size: 65536, placement: 2, flags: 0x19, cpuCaching: 2 }),
    [{ field: "extensions", data: uapi.USER_EXTENSION.encode({ name: 1 }) }],
    "XE_GEM_CREATE {extensions=0x1000 [{next_extension=0, name=1, pad=0}], size=0x10000, placement=2, flags=GEM_CREATE_FLAG_DEFER_BACKING|GEM_CREATE_FLAG_NO_COMPRESSION|0x10, vm_id=0, handle=0, cpu_caching=GEM_CPU_CACHING_WC, pad=[0, 0, 0], reserved=[0, 0]}",
  ],
  [
    uapi.IOCTL_GEM_CREATE,
    uapi.GEM_CREATE.encode({ cpuCaching: 3 }),
    [],
    "XE_GEM_CREATE {extensions=0, size=0, placement=0, flags=0, vm_id=0, handle=0, cpu_caching=3 (GEM_CPU_CACHING_???), pad=[0, 0, 0], reserved=[0, 0]}",
  ],
  [
    uapi.IOCTL_GEM_MMAP_OFFSET,
    uapi.GEM_MMAP_OFFSET.encode({ handle: 1, flags: 3 }),
    [],
    "XE_GEM_MMAP_OFFSET {extensions=0, handle=1, flags=MMAP_OFFSET_FLAG_PCI_BARRIER|0x2, offset=0, reserved=[0, 0]}",
  ],
  [
    uapi.IOCTL_VM_CREATE,
    uapi.VM_CREATE.encode({ flags: 0x83, vmId: 1 }),
    [],
    "XE_VM_CREATE {extensions=0, flags=VM_CREATE_FLAG_SCRATCH_PAGE|VM_CREATE_FLAG_LR_MODE|0x80, vm_id=1, reserved=[0, 0]}",
  ],
  [
    uapi.IOCTL_VM_DESTROY,
    uapi.VM_DESTROY.encode({ vmId: 1 }),
    [],
    "XE_VM_DESTROY {vm_id=1, pad=0, reserved=[0, 0]}",
  ],
  [
    uapi.IOCTL_VM_BIND,
    INLINE,
    [],
    "XE_VM_BIND {extensions=0, vm_id=1, exec_queue_id=0, pad=0, num_binds=1, bind={extensions=0, obj=0, pat_index=9, pad=0, obj_offset=0, range=0x5f60000, addr=0x400000000000, op=VM_BIND_OP_MAP, flags=VM_BIND_FLAG_READONLY|VM_BIND_FLAG_NULL|0x80000000, prefetch_mem_region_instance=0, pad2=0, reserved=[0, 0, 0]}, pad2=0, num_syncs=0, syncs=0, reserved=[0, 0]}",
  ],
  [
    uapi.IOCTL_VM_BIND,
    VECTOR,
    [
      { field: "vector_of_binds", data: OPS },
      { field: "syncs", data: SYNCS },
    ],
    "XE_VM_BIND {extensions=0, vm_id=1, exec_queue_id=2, pad=0, num_binds=2, bind={vector_of_binds=0x700000000000 [{extensions=0, obj=0, pat_index=0, pad=0, obj_offset=0, range=0x10000, addr=0x10000, op=VM_BIND_OP_UNMAP, flags=0, prefetch_mem_region_instance=0, pad2=0, reserved=[0, 0, 0]}, {extensions=0, obj=0, pat_index=0, pad=0, obj_offset=0, range=0, addr=0, op=7 (VM_BIND_OP_???), flags=0, prefetch_mem_region_instance=0, pad2=0, reserved=[0, 0x1, 0x20000000000000]}], unused=0}, pad2=0, num_syncs=3, syncs=0x710000000000 [{extensions=0, type=SYNC_TYPE_TIMELINE_SYNCOBJ, flags=SYNC_FLAG_SIGNAL, addr=0x3, timeline_value=0x9, reserved=[0, 0]}, {extensions=0, type=SYNC_TYPE_USER_FENCE, flags=SYNC_FLAG_SIGNAL|0x2, addr=0x2000, timeline_value=0x5, reserved=[0, 0]}, {extensions=0, type=4 (SYNC_TYPE_???), flags=0, addr=0, timeline_value=0, reserved=[0, 0]}], reserved=[0, 0]}",
  ],
  [
    uapi.IOCTL_EXEC_QUEUE_CREATE,
    uapi.EXEC_QUEUE_CREATE.encode({ width: 1, numPlacements: 2, vmId: 1, instances: 0x3000 }),
    [{ field: "instances", data: PLACES }],
    "XE_EXEC_QUEUE_CREATE {extensions=0, width=1, num_placements=2, vm_id=1, flags=0, exec_queue_id=0, instances=0x3000 [{engine_class=ENGINE_CLASS_VM_BIND, engine_instance=0, gt_id=0, pad=0}, {engine_class=ENGINE_CLASS_COPY, engine_instance=0, gt_id=1, pad=0}], reserved=[0, 0]}",
  ],
  [
    uapi.IOCTL_EXEC_QUEUE_DESTROY,
    uapi.EXEC_QUEUE_DESTROY.encode({ execQueueId: 2 }),
    [],
    "XE_EXEC_QUEUE_DESTROY {exec_queue_id=2, pad=0, reserved=[0, 0]}",
  ],
  [
    uapi.IOCTL_MADVISE,
    uapi.MADVISE.encode({
      start: 0x20_0000,
      range: 0x1000,
      vmId: 1,
      type: uapi.VMA_ATTR_PURGEABLE_STATE,
      val: uapi.VMA_PURGEABLE_STATE_DONTNEED,
      retainedPtr: 0x4000,
    }),
    [{ field: "retained_ptr", data: Uint8Array.of(1, 0, 0, 0) }],
    "XE_MADVISE {extensions=0, start=0x200000, range=0x1000, vm_id=1, type=VMA_ATTR_PURGEABLE_STATE, val=1, pad=0, retained_ptr=0x4000, reserved=[0, 0]}",
  ],
  [
    uapi.IOCTL_VM_QUERY_MEM_RANGE_ATTRS,
    uapi.VM_QUERY_MEM_RANGE_ATTR.encode({
      vmId: 1,
      numMemRanges: 1,
      range: 2 ** 48,
      sizeofMemRangeAttr: 64,
      vectorOfMemAttr: 0x5000,
    }),
    [
      {
        field: "vector_of_mem_attr",
        data: uapi.MEM_RANGE_ATTR.encode({ end: 0x1000, atomic: 3, patIndex: 2 }),
      },
    ],
    "XE_VM_QUERY_MEM_RANGE_ATTRS {extensions=0, vm_id=1, num_mem_ranges=1, start=0, range=0x1000000000000, sizeof_mem_range_attr=0x40, vector_of_mem_attr=0x5000, reserved=[0, 0]}",
  ],
  [
    uapi.IOCTL_VM_GET_PROPERTY,
    uapi.VM_GET_PROPERTY.encode({ vmId: 1, property: uapi.VM_GET_PROPERTY_FAULTS, size: 96 }),
    [],
    "XE_VM_GET_PROPERTY {extensions=0, vm_id=1, property=VM_GET_PROPERTY_FAULTS, size=96, pad=0, data=0, reserved=[0, 0, 0]}",
  ],
  [0x40086409, GEM_CLOSE.encode({ handle: 2 }), [], "GEM_CLOSE {handle=2, pad=0}"],
];

it.each(GOLDEN)("ioctl 0x%x", (request, arg, arrays, text) => {
  const row = uapi.IOCTLS.row(request);
  expect(row && `${row.name} ${ioctlText(row, arg, fromRecorded(arrays))}`).toBe(text);
});

it("every ioctl that is modelled is among them", () => {
  const shown = new Set(GOLDEN.map(([request]) => request));
  expect(uapi.IOCTLS.rows.filter(({ run, request }) => run !== null && !shown.has(request))).toEqual([]);
});
