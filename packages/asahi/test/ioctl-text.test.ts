/** Each ioctl as text, in the names of `asahi_drm.h`; bits without a name are numbers. */
import { fromRecorded, GEM_CLOSE, ioctlText, type NamedBytes } from "@vmbind/drm";
import { expect, it } from "vitest";
import * as uapi from "../src/index.ts";

const OPS = new Uint8Array(64);
OPS.set(
  uapi.GEM_BIND_OP.encode({
    flags: uapi.BIND_READ | uapi.BIND_WRITE | uapi.BIND_SINGLE_PAGE | 0x40,
    handle: 1,
    range: 0x1_0000_0000,
    addr: 0x20_0000_0000,
  }),
);
OPS.set(uapi.GEM_BIND_OP.encode({ flags: uapi.BIND_UNBIND, range: 0x4000, addr: 0x4000 }), 32);
const BIND = uapi.VM_BIND.encode({ vmId: 2, numBinds: 2, stride: 32, userptr: 0x7000_0000_0000 });

const GOLDEN: readonly [request: number, arg: Uint8Array, arrays: NamedBytes[], text: string][] = [
  [
    uapi.IOCTL_GET_PARAMS,
    uapi.GET_PARAMS.encode({ pointer: 0x1000, size: 592 }),
    [],
    "ASAHI_GET_PARAMS {param_group=0, pad=0, pointer=0x1000, size=0x250}",
  ],
  [
    uapi.IOCTL_GET_TIME,
    uapi.GET_TIME.encode({ gpuTimestamp: 77 }),
    [],
    "ASAHI_GET_TIME {flags=0, gpu_timestamp=0x4d}",
  ],
  [
    uapi.IOCTL_VM_CREATE,
    uapi.VM_CREATE.encode({ kernelStart: 2 ** 38, kernelEnd: 2 ** 38 + 2 ** 30 }),
    [],
    "ASAHI_VM_CREATE {kernel_start=0x4000000000, kernel_end=0x4040000000, vm_id=0, pad=0}",
  ],
  [
    uapi.IOCTL_VM_DESTROY,
    uapi.VM_DESTROY.encode({ vmId: 1, pad: 7 }),
    [],
    "ASAHI_VM_DESTROY {vm_id=1, pad=7}",
  ],
  [
    uapi.IOCTL_VM_BIND,
    BIND,
    [{ field: "userptr", data: OPS }],
    "ASAHI_VM_BIND {vm_id=2, num_binds=2, stride=32, pad=0, userptr=0x700000000000 [{flags=BIND_READ|BIND_WRITE|BIND_SINGLE_PAGE|0x40, handle=1, offset=0, range=0x100000000, addr=0x2000000000}, {flags=BIND_UNBIND, handle=0, offset=0, range=0x4000, addr=0x4000}]}",
  ],
  [
    uapi.IOCTL_GEM_CREATE,
    uapi.GEM_CREATE.encode({ size: 0x4000, flags: 0xb, vmId: 1 }),
    [],
    "ASAHI_GEM_CREATE {size=0x4000, flags=GEM_WRITEBACK|GEM_VM_PRIVATE|0x8, vm_id=1, handle=0, pad=0}",
  ],
  [
    uapi.IOCTL_GEM_MMAP_OFFSET,
    uapi.GEM_MMAP_OFFSET.encode({ handle: 1, flags: 5 }),
    [],
    "ASAHI_GEM_MMAP_OFFSET {handle=1, flags=5, offset=0}",
  ],
  [
    uapi.IOCTL_GEM_BIND_OBJECT,
    uapi.GEM_BIND_OBJECT.encode({ op: 1, flags: 3, objectHandle: 1 }),
    [],
    "ASAHI_GEM_BIND_OBJECT {op=BIND_OBJECT_OP_UNBIND, flags=BIND_OBJECT_USAGE_TIMESTAMPS|0x2, handle=0, vm_id=0, offset=0, range=0, object_handle=1, pad=0}",
  ],
  [
    uapi.IOCTL_GEM_BIND_OBJECT,
    uapi.GEM_BIND_OBJECT.encode({ op: 2, handle: 1, range: 0x4000 }),
    [],
    "ASAHI_GEM_BIND_OBJECT {op=2 (BIND_OBJECT_OP_???), flags=0, handle=1, vm_id=0, offset=0, range=0x4000, object_handle=0, pad=0}",
  ],
  [
    uapi.IOCTL_QUEUE_CREATE,
    uapi.QUEUE_CREATE.encode({ vmId: 1, uscExecBase: 2 ** 36 }),
    [],
    "ASAHI_QUEUE_CREATE {flags=0, vm_id=1, priority=0, queue_id=0, usc_exec_base=0x1000000000}",
  ],
  [
    uapi.IOCTL_QUEUE_DESTROY,
    uapi.QUEUE_DESTROY.encode({ queueId: 1 }),
    [],
    "ASAHI_QUEUE_DESTROY {queue_id=1, pad=0}",
  ],
  [
    uapi.IOCTL_SUBMIT,
    uapi.SUBMIT.encode({ syncs: 0x1000, cmdbuf: 0x2000, queueId: 1, cmdbufSize: 64 }),
    [],
    "ASAHI_SUBMIT {syncs=0x1000, cmdbuf=0x2000, flags=0, queue_id=1, in_sync_count=0, out_sync_count=0, cmdbuf_size=64, pad=0}",
  ],
  [0x40086409, GEM_CLOSE.encode({ handle: 2 }), [], "GEM_CLOSE {handle=2, pad=0}"],
];

it.each(GOLDEN)("ioctl 0x%x", (request, arg, arrays, text) => {
  const row = uapi.IOCTLS.row(request);
  expect(row && `${row.name} ${ioctlText(row, arg, fromRecorded(arrays))}`).toBe(text);
});

it("every ioctl is among them", () => {
  const shown = new Set(GOLDEN.map(([request]) => request));
  expect(uapi.IOCTLS.rows.filter(({ request }) => !shown.has(request))).toEqual([]);
});
