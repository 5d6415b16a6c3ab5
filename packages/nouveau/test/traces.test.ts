/** nvk's recordings against what the kernel's own code did with them; `driver-laws` holds everything else of a replay. */

import {
  type IoctlCall,
  plainLayout,
  SPARSE_TILE_BYTES,
  type SparseBind,
  tiledLevels,
  tileRows,
  viewOf,
} from "@vmbind/drm";
import { type OpenDevice, replay, type TraceArray, type TraceIoctl, type TraceRecord } from "@vmbind/trace";
import { describe, expect, test } from "vitest";
import { arrayBinds, windowBinds } from "../../../test/image-workloads.ts";
import { callsBehind, open, recordedText, recordsOf, sentText } from "../../../test/recordings.ts";
import { NvkUmd, SYNC, VM_BIND, VM_BIND_OP, type VmBindOp } from "../src/index.ts";
import { lens } from "../src/trace.ts";

/** TLB invalidations, tables made by VM_BIND, large ones of these, most tables at once in the logical device's file. */
const KERNEL: readonly [name: string, invalidations: number, tables: number, large: number, peak: number][] =
  [
    ["buffer-100e6", 34, 9, 2, 10],
    ["buffer-1526", 3291, 158, 2, 104],
    ["buffer-stream", 3871, 674, 2, 440],
    ["image-3d", 1175, 87, 2, 88],
    ["image-array-mips", 5308, 415, 2, 416],
    ["image-unbound", 40, 10, 2, 11],
    ["image-window", 3660, 159, 2, 32],
    ["many-small", 4637, 895, 467, 199],
  ];
/** Each file has a root table from VM_INIT on; the physical device's has no other. */
const ROOTS = 2;

test.each(KERNEL)("%s costs what it costs the kernel", async (name, invalidations, tables, large, peak) => {
  let most = 0;
  const after = (_record: unknown, { memory }: OpenDevice): void => {
    most = Math.max(most, memory.tables.live);
  };
  const { cost } = await replay(await open(`nouveau-${name}`), lens, { after });
  expect(cost).toMatchObject({
    tlbInvalidations: invalidations,
    tablesAllocated: tables + ROOTS,
    tablesFreed: tables + ROOTS,
    largeTables: large,
  });
  expect(most).toBe(peak + 1);
});

test("queue binds are lowered to the byte: shuffled blocks stay apart, ascending ones are joined", async () => {
  const records = await recordsOf("nouveau-buffer-1526");
  const queued = records.filter(
    (record) => record.kind === "ioctl" && record.arrays.some(({ field }) => field === "sig_ptr"),
  );
  const calls = queued.flatMap((record) => (record.kind === "ioctl" ? [record] : []));
  expect(calls.map((call) => opsOf(call).length)).toEqual([1525, 1, 1, 1, 1]);
  const [, unbind, ascending] = calls as [TraceIoctl, TraceIoctl, TraceIoctl];
  const signals = unbind.arrays.find(({ field }) => field === "sig_ptr") as TraceArray;
  const fence = SYNC.read(new DataView(signals.data.buffer, signals.data.byteOffset)).handle;
  const umd = new NvkUmd({ fence });
  const { addr, range } = opsOf(unbind)[0] as VmBindOp;
  const lowered = (binds: readonly SparseBind[]) =>
    umd.bind(addr, range, binds).map(({ arg, buffers }) => sentText(arg, buffers));
  expect(lowered([{ resourceOffset: 0, size: range, memory: null }])).toEqual([recordedText(unbind)]);
  const { handle } = opsOf(ascending)[0] as VmBindOp;
  const blocks = Array.from({ length: 1526 }, (_, i) => ({
    resourceOffset: i * 65536,
    size: Math.min(65536, range - i * 65536),
    memory: { handle, offset: i * 65536 },
  }));
  expect(lowered(blocks)).toEqual([recordedText(ascending)]);
  // Every second one: no two continue each other.
  expect(
    opsIn(
      umd.bind(
        addr,
        range,
        blocks.filter((_, i) => i % 2 === 0),
      ),
    ),
  ).toBe(763);
});

/** The operations of a recorded VM_BIND. */
function opsOf({ arrays }: TraceIoctl): VmBindOp[] {
  const { data, count } = arrays.find(({ field }) => field === "op_ptr") as TraceArray;
  return Array.from({ length: count }, (_, i) => VM_BIND_OP.read(viewOf(data), i * VM_BIND_OP.size));
}

/** VM_BINDs behind marks that begin so. */
const behind = (records: readonly TraceRecord[], mark: string) =>
  callsBehind(records, mark, "NOUVEAU_VM_BIND");

function imageUmd(call: TraceIoctl): NvkUmd {
  const signals = call.arrays.find(({ field }) => field === "sig_ptr") as TraceArray;
  return new NvkUmd({ images: true, fence: SYNC.read(viewOf(signals.data)).handle });
}

describe("queue binds of images are lowered to the byte", () => {
  const sent = (calls: readonly IoctlCall[]) => calls.map(({ arg, buffers }) => sentText(arg, buffers));

  test("a window: one operation for each tile, also where tiles continue each other", async () => {
    const records = await recordsOf("nouveau-image-window");
    const [created] = behind(records, "create") as [TraceIoctl];
    const calls = behind(records, "bind-sparse");
    const first = calls[0] as TraceIoctl;
    const [{ handle }] = opsOf(first) as [VmBindOp];
    const [{ addr, range }] = opsOf(created) as [VmBindOp];
    const umd = imageUmd(first);
    const binds = [...windowBinds(records, handle)];
    const layout = plainLayout(tiledLevels(16384, 16384));
    expect(sent(binds.flatMap((list) => umd.bindImage(addr, layout, list)))).toEqual(calls.map(recordedText));
    // The same as elements that name ranges.
    const ranges = binds.map((list) => list.flatMap((bind) => tileRows(layout, bind)));
    expect(sent(ranges.flatMap((list) => umd.bind(addr, range, list)))).toEqual(calls.map(recordedText));
  });

  test("levels and layers: a MAP for each level, an UNMAP for each row of tiles", async () => {
    const records = await recordsOf("nouveau-image-array-mips");
    const [created] = behind(records, "create") as [TraceIoctl];
    const calls = behind(records, "bind-sparse");
    const pools = [calls[1], calls[9]].map((call) => opsOf(call as TraceIoctl)[0]?.handle) as [
      number,
      number,
    ];
    const [{ addr, range }] = opsOf(created) as [VmBindOp];
    const umd = imageUmd(calls[0] as TraceIoctl);
    const layout = plainLayout(tiledLevels(2048, 2048));
    const built = arrayBinds(pools).flatMap((list) => umd.bindImage(addr, layout, list));
    expect(sent(built)).toEqual(calls.slice(1, -1).map(recordedText));
    expect(built.map(opsOfCall)).toEqual([...Array(8).fill(256), ...Array(5).fill(16), 256, 128, 64, 32, 16]);
    // The tail of all layers is one element of the application and an operation for each layer.
    const { handle, boOffset } = opsOf(calls[0] as TraceIoctl)[0] as VmBindOp;
    const tails = Array.from({ length: 16 }, (_, layer) => ({
      resourceOffset: layer * layout.layerStride + layout.tailOffset,
      size: SPARSE_TILE_BYTES,
      memory: { handle, offset: boOffset + layer * SPARSE_TILE_BYTES },
    }));
    expect(sent(umd.bind(addr, range, tails))).toEqual([recordedText(calls[0] as TraceIoctl)]);
  });
});

test("an image that is no square, as nvk on a model lowered it: 1000x700, 2 layers, tails of 2 tiles", () => {
  const layout = plainLayout(tiledLevels(1000, 700), 2 * SPARSE_TILE_BYTES);
  const umd = new NvkUmd({ images: true });
  const placesOf = (level: number, width: number, height: number, handle: number): string[] =>
    [0, 1].flatMap((layer) => {
      const memory = handle === 0 ? null : { handle, offset: 0 };
      const calls = umd.bindImage(0, layout, [{ layer, level, x: 0, y: 0, width, height, memory }]);
      const [{ addr, bytes }] = calls.flatMap(({ buffers }) => buffers) as [
        { addr: number; bytes: Uint8Array },
      ];
      expect(addr).toBe(0x7000_0000_0000);
      return Array.from({ length: bytes.length / VM_BIND_OP.size }, (_, i) => {
        const op = VM_BIND_OP.read(viewOf(bytes), i * VM_BIND_OP.size);
        return `${op.addr / SPARSE_TILE_BYTES}+${op.range / SPARSE_TILE_BYTES}`;
      });
    });
  expect(layout.layerStride).toBe(66 * SPARSE_TILE_BYTES);
  expect(placesOf(0, 8, 6, 1)).toEqual(["0+48", "66+48"]);
  expect(placesOf(1, 4, 3, 1)).toEqual(["48+12", "114+12"]);
  expect(placesOf(2, 2, 2, 1)).toEqual(["60+4", "126+4"]);
  expect(placesOf(1, 4, 3, 0)).toEqual(["48+4", "52+4", "56+4", "114+4", "118+4", "122+4"]);
  expect(placesOf(2, 2, 2, 0)).toEqual(["60+2", "62+2", "126+2", "128+2"]);
});

test("a lowering of buffers takes no image", () => {
  expect(() => new NvkUmd().bindImage(0, plainLayout(tiledLevels(512, 512)), [])).toThrow("made for buffers");
});

function opsOfCall({ arg }: IoctlCall): number {
  return VM_BIND.read(viewOf(arg)).opCount;
}

test("more than 4096 operations take several ioctls, of which the last one signals", () => {
  const binds = Array.from({ length: 9000 }, (_, i) => ({
    resourceOffset: i * 0x2000,
    size: 0x1000,
    memory: null,
  }));
  const calls = new NvkUmd({ fence: 7 }).bind(0x1000_0000, 2 ** 30, binds);
  expect(
    calls
      .map(({ arg }) => VM_BIND.read(new DataView(arg.buffer)))
      .map(({ opCount, sigCount }) => [opCount, sigCount]),
  ).toEqual([
    [4096, 0],
    [4096, 0],
    [808, 1],
  ]);
});

function opsIn(calls: readonly IoctlCall[]): number {
  return calls.reduce((sum, call) => sum + opsOfCall(call), 0);
}
