/** What a program sends comes out as the recordings have it, wherever its memory lies. */
import { arraysOf, fromRecorded, UserMemory, writeU64 } from "@vmbind/drm";
import { type TraceIoctl, type TraceRecord, traceLine } from "@vmbind/trace";
import * as xe from "@vmbind/xe";
import { expect, test } from "vitest";
import { names, open, recordsOf } from "../../../test/recordings.ts";
import { hardwareDriver, LIVE_DRIVERS } from "../src/drivers/table.ts";
import type { HardwareDriver } from "../src/hardware.ts";
import { Recorder } from "../src/recorder.ts";

/** The call as the program made it: its arrays lie somewhere else, one behind the other with gaps. */
function moved(
  driver: HardwareDriver,
  call: TraceIoctl,
): { arg: Uint8Array; memory: UserMemory; pointers: number } {
  const row = driver.rows.find(({ name }) => name === call.ioctl);
  if (row === undefined) throw new Error(`no row ${call.ioctl}`);
  const memory = new UserMemory();
  const arg = call.argIn.slice();
  const copies = new Map(call.arrays.map(({ field, data }) => [field, data.slice()]));
  let next = 0x5555_0000_1230 + call.seq * 0x1_0000;
  let pointers = 0;
  for (const { array, field, within, addr } of arraysOf(row.arrays, call.argIn, fromRecorded(call.arrays))) {
    const outer = field.slice(0, field.lastIndexOf("["));
    const stride = call.arrays.find((other) => other.field === outer)?.stride ?? 0;
    const holder = within.length === 0 ? arg : copies.get(outer);
    const at = array.pointer.offset + (within.at(-1) ?? 0) * stride;
    if (holder === undefined || addr === 0) continue;
    writeU64(new DataView(holder.buffer, holder.byteOffset, holder.length), at, next);
    pointers++;
    const bytes = copies.get(field);
    if (bytes !== undefined) memory.place(next, bytes);
    next += (bytes?.length ?? 64) + 8;
  }
  return { arg, memory, pointers };
}

function isIoctl(record: TraceRecord): record is TraceIoctl {
  return record.kind === "ioctl";
}

/** One recording of each kind of call; all of them took ten seconds. */
const SHAPES = /buffer-100e6|image-unbound|igt|^(panthor|asahi)-image-3d/;

const driven = names.filter(
  (name) => LIVE_DRIVERS.some((driver) => name.startsWith(driver)) && SHAPES.test(name),
);

test.each(driven)("%s", async (name) => {
  const { header } = await open(name);
  const driver = await hardwareDriver(header.driver);
  if (driver === undefined) throw new Error(header.driver);
  const lines: string[] = [];
  const recorder = new Recorder({ driver, header, write: (line) => lines.push(line) });
  const records = await recordsOf(name);
  let pointers = 0;
  for (const record of records) {
    if (!isIoctl(record)) {
      if (!record.mark.startsWith("file-open")) recorder.mark(record.mark);
      continue;
    }
    const { arg, memory, pointers: some } = moved(driver, record);
    pointers += some;
    const call = recorder.begin(record.file, record.request, arg, memory);
    if (call === undefined) throw new Error(`${record.ioctl} is not kept`);
    // Members that come back are those of the recording; its pointers are the program's.
    const back = record.argOut.slice();
    for (const [i, byte] of record.argIn.entries()) if (record.argOut[i] === byte) back[i] = arg[i] as number;
    recorder.finish(call, record.ret, back);
  }
  recorder.end();
  const arrays = records.filter((record) => isIoctl(record) && record.arrays.length > 0).length;
  expect(pointers).toBeGreaterThanOrEqual(arrays);
  const wanted = records.map((record) =>
    isIoctl(record) ? traceLine(record) : traceLine({ kind: "mark", mark: record.mark, exec: null }),
  );
  const got = lines.slice(1, -1);
  expect(got.length).toBe(wanted.length);
  for (const [i, line] of got.entries()) if (line !== wanted[i]) expect(line).toBe(wanted[i]);
});

test("a chain of extensions is recorded as one: each lies somewhere else, and the next is found", async () => {
  const { header } = await open("xe-lnl-buffer-100e6");
  const driver = (await hardwareDriver("xe")) as HardwareDriver;
  const lines: string[] = [];
  const recorder = new Recorder({ driver, header, write: (line) => lines.push(line) });
  const at = { instances: 0x5000, first: 0x6000, second: 0x7000 };
  const memory = new UserMemory();
  memory.place(at.instances, xe.ENGINE_CLASS_INSTANCE.encode({ engineClass: xe.ENGINE_CLASS_VM_BIND }));
  memory.place(at.first, xe.EXT_SET_PROPERTY.encode({ nextExtension: at.second, property: 0, value: 1 }));
  memory.place(at.second, xe.EXT_SET_PROPERTY.encode({ property: 1, value: 1000 }));
  const arg = xe.EXEC_QUEUE_CREATE.encode({
    width: 1,
    numPlacements: 1,
    vmId: 1,
    instances: at.instances,
    extensions: at.first,
  });
  const begun = recorder.begin(0, xe.IOCTL_EXEC_QUEUE_CREATE, arg, memory);
  if (begun === undefined) throw new Error("not kept");
  recorder.finish(begun, 0, arg);

  const file = new xe.XeDevice("lnl").open();
  file.ioctl(xe.IOCTL_VM_CREATE, xe.VM_CREATE.encode({}));
  const recorded = new UserMemory();
  for (const { addr, data } of begun.arrays) recorded.place(addr, data);
  expect(new Set(begun.arrays.map(({ addr }) => addr)).size).toBe(3);
  const { arg_in } = JSON.parse(lines.at(-1) as string) as { arg_in: string };
  expect(file.ioctl(xe.IOCTL_EXEC_QUEUE_CREATE, Uint8Array.from(Buffer.from(arg_in, "hex")), recorded)).toBe(
    0,
  );
});
