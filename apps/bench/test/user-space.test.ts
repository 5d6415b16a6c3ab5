/** Handlers write to the caller by `UserSpace.write` alone, and remember no view: its views may be copies. */
import { GET_PARAMS, IOCTL_GET_PARAMS, PARAMS_GLOBAL } from "@vmbind/asahi";
import { UserMemory, type UserSpace } from "@vmbind/drm";
import { lensOf } from "@vmbind/lab";
import { DEV_QUERY, DEV_QUERY_ARG, IOCTL_DEV_QUERY } from "@vmbind/panthor";
import { deviceFor, type ModelFile } from "@vmbind/trace";
import { DEVICE_QUERY, DEVICE_QUERY_CONFIG, DEVICE_QUERY_MEM_REGIONS, IOCTL_DEVICE_QUERY } from "@vmbind/xe";
import { describe, expect, it } from "vitest";
import { bundledTraces, openTrace } from "../src/files/trace-files.ts";

interface Call {
  request: number;
  arg: Uint8Array;
  arrays: readonly { addr: number; data: Uint8Array }[];
}

/** A process elsewhere: what handlers look at is a copy, spoiled once the ioctl is over. */
class Elsewhere implements UserSpace {
  readonly #memory: UserMemory;
  readonly #views: DataView[] = [];

  constructor(memory: UserMemory) {
    this.#memory = memory;
  }

  view(addr: number, length: number): DataView {
    const { buffer, byteOffset } = this.#memory.view(addr, length);
    const copy = new DataView(buffer.slice(byteOffset, byteOffset + length));
    this.#views.push(copy);
    return copy;
  }

  write(addr: number, bytes: Uint8Array): void {
    this.#memory.write(addr, bytes);
  }

  over(): void {
    for (const { buffer } of this.#views) new Uint8Array(buffer).fill(0xa5);
  }
}

/** Issue on a file; returns all that the caller sees. */
function issue(file: ModelFile, { request, arg, arrays }: Call, elsewhere: boolean): unknown[] {
  const memory = new UserMemory();
  const own = arrays.map(({ addr, data }) => ({ addr, data: data.slice() }));
  for (const { addr, data } of own) memory.place(addr, data);
  const space = elsewhere ? new Elsewhere(memory) : null;
  const argOut = arg.slice();
  const ret = file.ioctl(request, argOut, space ?? memory);
  space?.over();
  return [ret, argOut, ...own.map(({ data }) => data)];
}

/** Whether numbers are the same, and bytes byte by byte. */
function equal(a: readonly unknown[], b: readonly unknown[]): boolean {
  return (
    a.length === b.length &&
    a.every((x, i) => {
      const y = b[i];
      return x instanceof Uint8Array && y instanceof Uint8Array ? Buffer.compare(x, y) === 0 : x === y;
    })
  );
}

/** Traces leave queries out. */
const QUERIES: Readonly<Record<string, readonly Call[]>> = {
  panthor: [DEV_QUERY.gpuInfo, DEV_QUERY.mmuInfo].map((type) => ({
    request: IOCTL_DEV_QUERY,
    arg: DEV_QUERY_ARG.encode({ type, size: 0x2100, pointer: 0x1000 }),
    arrays: [{ addr: 0x1000, data: new Uint8Array(0x2200).fill(7) }],
  })),
  asahi: [
    {
      request: IOCTL_GET_PARAMS,
      arg: GET_PARAMS.encode({ pointer: 0x1000, size: PARAMS_GLOBAL.size }),
      arrays: [{ addr: 0x1000, data: new Uint8Array(PARAMS_GLOBAL.size).fill(7) }],
    },
  ],
  xe: [
    [DEVICE_QUERY_CONFIG, 48],
    [DEVICE_QUERY_MEM_REGIONS, 96],
    [DEVICE_QUERY_MEM_REGIONS, 184],
  ].map(([query, size]) => ({
    request: IOCTL_DEVICE_QUERY,
    arg: DEVICE_QUERY.encode({ query: query as number, size: size as number, data: 0x1000 }),
    arrays: [{ addr: 0x1000, data: new Uint8Array(256).fill(7) }],
  })),
};

describe("a process whose memory handlers see as copies", () => {
  const names = bundledTraces().filter((name) => /many-small|image-array-mips/.test(name));
  it.each(names)("gets the same answers: %s", async (name) => {
    const trace = await openTrace(name);
    const lens = await lensOf(trace);
    const [here, there] = [deviceFor(lens, trace), deviceFor(lens, trace)];
    let calls = 0;
    const both = (call: Call): unknown[] => {
      const expected = issue(here.file(0), call, false);
      const got = issue(there.file(0), call, true);
      // Most are equal, and looked at in no time.
      if (!equal(got, expected)) expect(got).toEqual(expected);
      calls++;
      return expected;
    };
    for await (const record of trace.records) {
      if (record.kind !== "ioctl") continue;
      for (const device of [here, there]) device.beforeCall(record);
      both({ request: record.request, arg: record.argIn, arrays: record.arrays });
    }
    const written = (QUERIES[trace.header.driver] ?? []).map((query) => both(query)[2]);
    expect(written.some((bytes) => bytes instanceof Uint8Array && bytes[0] !== 7)).toBe(written.length > 0);
    const mapped = (file: ModelFile) =>
      [...file.vms()].flatMap(([id, vm]) =>
        [...vm.mappings()].map(({ gem: _, ...view }) => ({ id, ...view })),
      );
    expect(mapped(there.file(0))).toEqual(mapped(here.file(0)));
    expect([calls > 10, there.counters]).toEqual([true, here.counters]);
  });
});
