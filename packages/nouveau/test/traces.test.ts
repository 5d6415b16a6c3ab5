/** nvk's recordings against what the kernel's own code did with them; `driver-laws` holds everything else of a replay. */

import { type OpenDevice, replay } from "@vmbind/trace";
import { expect, test } from "vitest";
import { between, open, recordedText, recordsOf, sentText } from "../../../test/recordings.ts";
import { NvkUmd } from "../src/index.ts";
import { lens } from "../src/trace.ts";

/** TLB invalidations, tables made by VM_BIND, large ones of these, most tables at once in the logical device's file. */
const KERNEL: readonly [name: string, invalidations: number, tables: number, large: number, peak: number][] = [
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

test("1526 shuffled blocks are 1525 operations, in order they are one, to the byte", async () => {
  const records = await recordsOf("nouveau-buffer-1526");
  const calls = between(records, "alloc-pool", "wait-idle").filter(({ ioctl }) => ioctl === "NOUVEAU_VM_BIND");
  const sent = calls.map(recordedText);
  // What the client asked for can be read back from what was sent of the shuffled call.
  const ops = calls.flatMap(({ arrays }) => arrays.filter(({ field }) => field === "op_ptr"));
  const counts = ops.map(({ count }) => count);
  expect(counts.slice(-5)).toEqual([1525, 1, 1, 1, 1]);
  const umd = new NvkUmd({ fence: new DataView((calls.at(-1)?.arrays.find(({ field }) => field === "sig_ptr") as { data: Uint8Array }).data.slice().buffer).getUint32(4, true) });
  const last = ops.at(-4)?.data as Uint8Array;
  const view = new DataView(last.buffer, last.byteOffset);
  const va = Number(view.getBigUint64(16, true));
  const bytes = Number(view.getBigUint64(32, true));
  const unbind = umd.bind(va, bytes, [{ resourceOffset: 0, size: bytes, memory: null }]);
  expect(unbind.map(({ arg, buffers }) => sentText(arg, buffers))).toEqual([sent.at(-4)]);
  const handle = new DataView((ops.at(-3) as { data: Uint8Array }).data.slice().buffer).getUint32(8, true);
  const ascending = Array.from({ length: 1526 }, (_, i) => ({
    resourceOffset: i * 65536,
    size: Math.min(65536, bytes - i * 65536),
    memory: { handle, offset: i * 65536 },
  }));
  const bind = umd.bind(va, bytes, ascending);
  expect(bind.map(({ arg, buffers }) => sentText(arg, buffers))).toEqual([sent.at(-3)]);
});
