/** nvk's recordings against what the kernel's own code did with them; `driver-laws` holds everything else of a replay. */

import type { IoctlCall, SparseBind } from "@vmbind/drm";
import { type OpenDevice, replay, type TraceArray, type TraceIoctl } from "@vmbind/trace";
import { expect, test } from "vitest";
import { open, recordedText, recordsOf, sentText } from "../../../test/recordings.ts";
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
  const opsOf = ({ arrays }: TraceIoctl) => {
    const { data, count } = arrays.find(({ field }) => field === "op_ptr") as TraceArray;
    const view = new DataView(data.buffer, data.byteOffset);
    return Array.from({ length: count }, (_, i) => VM_BIND_OP.read(view, i * VM_BIND_OP.size));
  };
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
  return calls.reduce((sum, { arg }) => sum + VM_BIND.read(new DataView(arg.buffer)).opCount, 0);
}
