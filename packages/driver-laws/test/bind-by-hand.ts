/**
 * Every driver's bind operations as objects, and the same as one writes them by hand from the header: offsets and numbers only, none of
 * the drivers' layouts.
 */
import * as amdgpu from "@vmbind/amdgpu";
import * as asahi from "@vmbind/asahi";
import type { BindResult } from "@vmbind/drm";
import * as msm from "@vmbind/msm";
import * as nouveau from "@vmbind/nouveau";
import * as panthor from "@vmbind/panthor";
import * as xe from "@vmbind/xe";

/** A number of a struct: byte, bytes, value. */
export type Part = readonly [at: number, size: 1 | 2 | 4 | 8, value: number];

export function bytesOf(length: number, parts: readonly Part[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(length));
  for (const [at, size, value] of parts) {
    if (size === 8) view.setBigUint64(at, BigInt(value), true);
    else if (size === 4) view.setUint32(at, value, true);
    else if (size === 2) view.setUint16(at, value, true);
    else view.setUint8(at, value);
  }
  return new Uint8Array(view.buffer);
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
}

/** Numbers that operations are made of. */
export interface Numbers {
  va: number;
  size: number;
  handle: number;
  offset: number;
}

interface Encoded {
  /** What `vmBind` takes. */
  op: object;
  /** Its struct by hand. */
  bytes: Uint8Array;
}

interface Driver {
  /** Opens a file that can bind; operations are not typed here, since wrong ones are sent, too. */
  open(): (ops: readonly object[]) => BindResult;
  /** Every kind of operation. */
  ops(numbers: Numbers): Encoded[];
  /** Arguments and arrays of a call by hand, as (argument, arrays) one behind the other, for each ioctl. */
  calls(ops: readonly Uint8Array[]): Uint8Array[][];
  /** An operation that works on a fresh file, at an address of its own, and the member that holds the address. */
  good(index: number): object;
  member: string;
}

export const OPS = 0x7000_0000_0000;

export const DRIVERS: Record<string, Driver> = {
  panthor: {
    open() {
      const file = new panthor.PanthorDevice().open();
      file.ioctl(panthor.IOCTL_VM_CREATE, panthor.VM_CREATE.encode({}));
      return (ops) => panthor.vmBind(file, ops as panthor.PanthorOp[]);
    },
    ops({ va, size, handle, offset }) {
      const op = (flags: number, bo = 0, at = 0) =>
        bytesOf(48, [
          [0, 4, flags],
          [4, 4, bo],
          [8, 8, at],
          [16, 8, va],
          [24, 8, size],
        ]);
      return [
        {
          op: { op: "map", boHandle: handle, boOffset: offset, va, size, flags: 3 },
          bytes: op(3, handle, offset),
        },
        { op: { op: "map", boHandle: handle, va, size }, bytes: op(0, handle) },
        { op: { op: "map-sparse", va, size }, bytes: op(0xa) },
        { op: { op: "map-sparse", va, size, flags: 1 }, bytes: op(0xb) },
        { op: { op: "unmap", va, size }, bytes: op(0x1000_0000) },
        { op: { op: "sync-only", syncs: [] }, bytes: bytesOf(48, [[0, 4, 0x2000_0000]]) },
      ];
    },
    calls: (ops) => [
      [
        bytesOf(24, [
          [0, 4, 1],
          [8, 4, 48],
          [12, 4, ops.length],
          [16, 8, OPS],
        ]),
        joined(ops),
      ],
    ],
    good: (i) => ({ op: "map-sparse", va: 0x4000_0000 + i * 0x20_0000, size: 0x20_0000 }),
    member: "va",
  },
  asahi: {
    open() {
      const file = new asahi.AsahiDevice().open();
      asahi.openHk(file);
      return (ops) => asahi.vmBind(file, ops as asahi.AsahiOp[]);
    },
    ops({ va: addr, size: range, handle, offset }) {
      const op = (flags: number, bo = 0, at = 0) =>
        bytesOf(32, [
          [0, 4, flags],
          [4, 4, bo],
          [8, 8, at],
          [16, 8, range],
          [24, 8, addr],
        ]);
      return [
        { op: { op: "bind", handle, offset, addr, range }, bytes: op(6, handle, offset) },
        { op: { op: "bind", handle, addr, range, flags: 2 }, bytes: op(2, handle) },
        { op: { op: "bind-single-page", handle, offset, addr, range }, bytes: op(0xe, handle, offset) },
        { op: { op: "bind-single-page", handle, addr, range, flags: 2 }, bytes: op(0xa, handle) },
        { op: { op: "unbind", addr, range }, bytes: op(1) },
      ];
    },
    calls: (ops) => [
      [
        bytesOf(24, [
          [0, 4, 1],
          [4, 4, ops.length],
          [8, 4, 32],
          [16, 8, OPS],
        ]),
        joined(ops),
      ],
    ],
    good: (i) => ({ op: "bind", handle: 1, addr: 2 ** 37 + i * 0x4000, range: 0x4000 }),
    member: "addr",
  },
  xe: {
    open() {
      const file = new xe.XeDevice("bmg").open();
      file.ioctl(xe.IOCTL_VM_CREATE, xe.VM_CREATE.encode({}));
      return (ops) => xe.vmBind(file, ops as xe.XeOp[]);
    },
    ops({ va: addr, size: range, handle, offset }) {
      const op = (number: number, flags: number, more: readonly Part[] = []) =>
        bytesOf(80, [[24, 8, range], [32, 8, addr], [40, 4, number], [44, 4, flags], ...more]);
      return [
        {
          op: { op: "map", obj: handle, objOffset: offset, addr, range, patIndex: 3, flags: 1 },
          bytes: op(0, 1, [
            [8, 4, handle],
            [12, 2, 3],
            [16, 8, offset],
          ]),
        },
        { op: { op: "map-null", addr, range }, bytes: op(0, 4) },
        { op: { op: "map-null", addr, range, patIndex: 2, flags: 8 }, bytes: op(0, 0xc, [[12, 2, 2]]) },
        { op: { op: "map-cpu-addr-mirror", addr, range }, bytes: op(0, 0x20) },
        { op: { op: "map-userptr", objOffset: offset, addr, range }, bytes: op(2, 0, [[16, 8, offset]]) },
        { op: { op: "unmap", addr, range }, bytes: op(1, 0) },
        {
          op: { op: "unmap-all", obj: handle },
          bytes: bytesOf(80, [
            [8, 4, handle],
            [40, 4, 3],
          ]),
        },
        { op: { op: "prefetch", addr, range, prefetchMemRegionInstance: 1 }, bytes: op(4, 0, [[48, 4, 1]]) },
      ];
    },
    calls(ops) {
      const arg = bytesOf(136, [
        [8, 4, 1],
        [20, 4, ops.length],
      ]);
      if (ops.length === 1) {
        arg.set(ops[0] as Uint8Array, 24);
        return [[arg]];
      }
      arg.set(bytesOf(8, [[0, 8, OPS]]), 24);
      return [[arg, joined(ops)]];
    },
    good: (i) => ({ op: "map-null", addr: 0x4000_0000 + i * 0x1000, range: 0x1000 }),
    member: "addr",
  },
  nouveau: {
    open() {
      const file = new nouveau.NouveauDevice().open();
      nouveau.openNvk(file);
      return (ops) => nouveau.vmBind(file, ops as nouveau.NouveauOp[]);
    },
    ops({ va: addr, size: range, handle, offset }) {
      const op = (number: number, flags: number, bo = 0, at = 0) =>
        bytesOf(40, [
          [0, 4, number],
          [4, 4, flags],
          [8, 4, bo],
          [16, 8, addr],
          [24, 8, at],
          [32, 8, range],
        ]);
      return [
        {
          op: { op: "map", handle, boOffset: offset, addr, range, flags: 6 },
          bytes: op(0, 6, handle, offset),
        },
        { op: { op: "map", handle, addr, range }, bytes: op(0, 0, handle) },
        { op: { op: "unmap", addr, range }, bytes: op(1, 0) },
        { op: { op: "map-sparse", addr, range }, bytes: op(0, 0x100) },
        { op: { op: "unmap-sparse", addr, range }, bytes: op(1, 0x100) },
      ];
    },
    calls: (ops) => [
      [
        bytesOf(40, [
          [0, 4, ops.length],
          [32, 8, OPS],
        ]),
        joined(ops),
      ],
    ],
    good: (i) => ({ op: "map-sparse", addr: 0x4000_0000 + i * 0x20_0000, range: 0x1000 }),
    member: "addr",
  },
  msm: {
    open() {
      const file = new msm.MsmDevice().open();
      const value = { pipe: msm.PIPE_3D0, param: msm.PARAM.enVmBind, value: 1 };
      file.ioctl(msm.IOCTL_SET_PARAM, msm.PARAM_ARG.encode(value));
      const queue = msm.SUBMITQUEUE_NEW.encode({ flags: msm.SUBMITQUEUE_VM_BIND });
      file.ioctl(msm.IOCTL_SUBMITQUEUE_NEW, queue);
      return (ops) => msm.vmBind(file, ops as msm.MsmOp[]);
    },
    ops({ va: iova, size: range, handle, offset }) {
      const op = (number: number, bo = 0, at = 0, flags = 0) =>
        bytesOf(40, [
          [0, 4, number],
          [4, 4, bo],
          [8, 8, at],
          [16, 8, iova],
          [24, 8, range],
          [32, 4, flags],
        ]);
      return [
        { op: { op: "map", handle, objOffset: offset, iova, range }, bytes: op(1, handle, offset) },
        { op: { op: "map", handle, iova, range, flags: 1 }, bytes: op(1, handle, 0, 1) },
        { op: { op: "map-null", iova, range }, bytes: op(2) },
        { op: { op: "unmap", iova, range }, bytes: op(0) },
      ];
    },
    calls(ops) {
      const arg = bytesOf(88, [
        [4, 4, ops.length],
        [12, 4, 1],
        [40, 4, 16],
        [44, 4, 40],
      ]);
      if (ops.length === 1) {
        arg.set(ops[0] as Uint8Array, 48);
        return [[arg]];
      }
      arg.set(bytesOf(8, [[0, 8, OPS]]), 48);
      return [[arg, joined(ops)]];
    },
    good: (i) => ({ op: "map-null", iova: 0x1_0000_0000 + i * 0x1000, range: 0x1000 }),
    member: "iova",
  },
  amdgpu: {
    open() {
      const file = new amdgpu.AmdgpuDevice().open();
      return (ops) => amdgpu.vmBind(file, ops as amdgpu.AmdgpuOp[]);
    },
    ops({ va: vaAddress, size: mapSize, handle, offset }) {
      const op = (operation: number, flags: number, bo = 0, at = 0) =>
        bytesOf(64, [
          [0, 4, bo],
          [8, 4, operation],
          [12, 4, flags],
          [16, 8, vaAddress],
          [24, 8, at],
          [32, 8, mapSize],
        ]);
      const range = { vaAddress, mapSize };
      return [
        { op: { op: "map", handle, offsetInBo: offset, ...range }, bytes: op(1, 0xe, handle, offset) },
        { op: { op: "replace", handle, ...range, flags: 2 }, bytes: op(4, 2, handle) },
        { op: { op: "unmap", handle, ...range }, bytes: op(2, 0xe, handle) },
        { op: { op: "map-prt", ...range }, bytes: op(1, 0x10) },
        { op: { op: "replace-prt", ...range, flags: 1 }, bytes: op(4, 0x11) },
        { op: { op: "unmap-prt", ...range }, bytes: op(2, 0x10) },
        { op: { op: "clear", ...range }, bytes: op(3, 0) },
      ];
    },
    calls: (ops) => ops.map((op) => [op]),
    good: (i) => ({ op: "map-prt", vaAddress: 0x4000_0000 + i * 0x1000, mapSize: 0x1000 }),
    member: "vaAddress",
  },
};
