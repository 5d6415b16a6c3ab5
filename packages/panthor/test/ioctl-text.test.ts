/** Each ioctl as text, in the names of `panthor_drm.h`; bits without a name are numbers. */
import { fromRecorded, GEM_CLOSE, ioctlText, type NamedBytes } from "@vmbind/drm";
import { expect, it } from "vitest";
import * as uapi from "../src/index.ts";

const ASYNC = uapi.VM_BIND.encode({
  vmId: 1,
  flags: uapi.VM_BIND_ASYNC | 0x20,
  ops: { stride: 48, count: 2, array: 0x7000_0000_0000 },
});
const OPS = new Uint8Array(96);
OPS.set(
  uapi.VM_BIND_OP.encode({
    flags: uapi.OP_MAP | uapi.MAP_NOEXEC | uapi.MAP_SPARSE | 0x100,
    va: 0x4000_0000,
    size: 0x20_0000,
    syncs: { stride: 16, count: 2, array: 0x7100_0000_0000 },
  }),
);
OPS.set(uapi.VM_BIND_OP.encode({ flags: 0x5000_0000 }), 48);
const SYNCS = new Uint8Array(32);
SYNCS.set(
  uapi.SYNC_OP.encode({ flags: uapi.SYNC_OP_SIGNAL + uapi.SYNC_OP_TIMELINE, handle: 3, timelineValue: 9 }),
);
SYNCS.set(uapi.SYNC_OP.encode({ flags: 0x4000_0007, handle: 4 }), 16);
const REPEAT = uapi.VM_BIND_OP_REPEAT.encode({ flags: uapi.MAP_REPEAT, boHandle: 2, boRepeatRange: 4096 });

const GOLDEN: readonly [request: number, arg: Uint8Array, arrays: NamedBytes[], text: string][] = [
  [
    uapi.IOCTL_DEV_QUERY,
    uapi.DEV_QUERY_ARG.encode({ type: 4, size: 8, pointer: 0x1000 }),
    [],
    "PANTHOR_DEV_QUERY {type=DEV_QUERY_MMU_INFO, size=8, pointer=0x1000}",
  ],
  [
    uapi.IOCTL_DEV_QUERY,
    uapi.DEV_QUERY_ARG.encode({ type: 5 }),
    [],
    "PANTHOR_DEV_QUERY {type=5 (DEV_QUERY_???), size=0, pointer=0}",
  ],
  [
    uapi.IOCTL_VM_CREATE,
    uapi.VM_CREATE.encode({ flags: 2, userVaRange: 2 ** 47 }),
    [],
    "PANTHOR_VM_CREATE {flags=2, id=0, user_va_range=0x800000000000}",
  ],
  [uapi.IOCTL_VM_DESTROY, uapi.VM_DESTROY.encode({ id: 1, pad: 7 }), [], "PANTHOR_VM_DESTROY {id=1, pad=7}"],
  [
    uapi.IOCTL_VM_BIND,
    ASYNC,
    [
      { field: "ops", data: OPS },
      { field: "ops[0].syncs", data: SYNCS },
    ],
    "PANTHOR_VM_BIND {vm_id=1, flags=VM_BIND_ASYNC|0x20, ops={stride=48, count=2, array=0x700000000000 [{flags=OP_MAP|MAP_NOEXEC|MAP_SPARSE|0x100, bo_handle=0, bo_offset=0, va=0x40000000, size=0x200000, syncs={stride=16, count=2, array=0x710000000000 [{flags=SYNC_OP_TIMELINE|SYNC_OP_SIGNAL, handle=3, timeline_value=0x9}, {flags=7 (SYNC_OP_???)|0x40000000, handle=4, timeline_value=0}]}}, {flags=0x50000000 (OP_???), bo_handle=0, bo_offset=0, va=0, size=0, syncs={stride=0, count=0, array=0}}]}}",
  ],
  [
    uapi.IOCTL_VM_BIND,
    uapi.VM_BIND.encode({ vmId: 1, ops: { stride: 56, count: 1, array: 0x1000 } }),
    [{ field: "ops", data: REPEAT }],
    "PANTHOR_VM_BIND {vm_id=1, flags=0, ops={stride=56, count=1, array=0x1000 [{flags=OP_MAP|MAP_REPEAT, bo_handle=2, bo_offset=0, va=0, size=0, syncs={stride=0, count=0, array=0}, bo_repeat_range=4096, pad=0}]}}",
  ],
  [
    uapi.IOCTL_VM_GET_STATE,
    uapi.VM_GET_STATE.encode({ vmId: 1, state: 1 }),
    [],
    "PANTHOR_VM_GET_STATE {vm_id=1, state=VM_STATE_UNUSABLE}",
  ],
  [
    uapi.IOCTL_VM_GET_STATE,
    uapi.VM_GET_STATE.encode({ vmId: 1, state: 2 }),
    [],
    "PANTHOR_VM_GET_STATE {vm_id=1, state=2 (VM_STATE_???)}",
  ],
  [
    uapi.IOCTL_BO_CREATE,
    uapi.BO_CREATE.encode({ size: 4096, flags: 7, exclusiveVmId: 1, handle: 2 }),
    [],
    "PANTHOR_BO_CREATE {size=0x1000, flags=BO_NO_MMAP|BO_WB_MMAP|0x4, exclusive_vm_id=1, handle=2, pad=0}",
  ],
  [
    uapi.IOCTL_BO_MMAP_OFFSET,
    uapi.BO_MMAP_OFFSET.encode({ handle: 2, offset: 2 ** 32 }),
    [],
    "PANTHOR_BO_MMAP_OFFSET {handle=2, pad=0, offset=0x100000000}",
  ],
  [
    uapi.IOCTL_BO_SET_LABEL,
    uapi.BO_SET_LABEL.encode({ handle: 2, label: 0x1000 }),
    [],
    "PANTHOR_BO_SET_LABEL {handle=2, pad=0, label=0x1000}",
  ],
  [
    uapi.IOCTL_BO_SYNC,
    uapi.BO_SYNC.encode({ ops: { stride: 24, count: 1, array: 0x1000 } }),
    [{ field: "ops", data: uapi.BO_SYNC_OP.encode({ handle: 2, type: 1, offset: 4096, size: 8192 }) }],
    "PANTHOR_BO_SYNC {ops={stride=24, count=1, array=0x1000 [{handle=2, type=BO_SYNC_CPU_CACHE_FLUSH_AND_INVALIDATE, offset=0x1000, size=0x2000}]}}",
  ],
  [
    uapi.IOCTL_BO_QUERY_INFO,
    uapi.BO_QUERY_INFO.encode({ handle: 2, extraFlags: 1, createFlags: 2 }),
    [],
    "PANTHOR_BO_QUERY_INFO {handle=2, extra_flags=BO_IS_IMPORTED, create_flags=BO_WB_MMAP, pad=0}",
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
