import { UserMemory } from "@vmbind/drm";
import { GPUVA_SPARSE } from "@vmbind/gpuvm-core";
import { describe, expect, it } from "vitest";
import { type DriverVersion, PanthorDevice, type PanthorFile, PanvkUmd } from "../src/index.ts";
import { bytesOf, hexOf, loadTrace, type TraceFile } from "./trace.ts";

function openFor({ header }: TraceFile): PanthorFile {
  return new PanthorDevice({
    driverVersion: header.driver_version as DriverVersion,
    vaBits: header.va_bits,
    paBits: header.pa_bits,
    gpuId: Number(header.gpu_id),
    adoptSyncobjs: true,
  }).open();
}

/** Replays every ioctl; returns the mappings at workload-end. */
function replay(trace: TraceFile, file: PanthorFile): number {
  let atEnd = 0;
  for (const line of trace.lines) {
    if (line.mark === "workload-end") atEnd = file.vm(1)?.gpuvm.count ?? 0;
    if (line.mark !== undefined) continue;
    const arg = bytesOf(line.arg_in);
    const user = new UserMemory();
    for (const p of line.ptrs) user.place(Number(p.addr), bytesOf(p.data));
    const ret = file.ioctl(Number(line.request), arg, user);
    const reason = file.lastError?.message ?? "";
    expect([line.seq, ret, reason, hexOf(arg)]).toEqual([line.seq, line.ret, "", line.arg_out]);
  }
  return atEnd;
}

describe("panvk's recorded ioctls", () => {
  // Payload bytes, operations and peak mappings as counted beside the recording, by other means.
  for (const [name, payload, ops, peak] of [
    ["panthor-sparse-buffer-100e6", 1136, 13, 6],
    ["panthor-sparse-buffer-stream", 100824, 2015, 2941],
    ["panthor-sparse-image-window", 65624, 1279, 481],
    ["panthor-sparse-many-small", 72992, 1011, 69],
    ["panthor-blackhole-buffer-100e6", 3472, 60, 53],
    ["panthor-blackhole-buffer-stream", 127016, 2539, 3431],
    ["panthor-blackhole-image-window", 99448, 1962, 1134],
    ["panthor-blackhole-many-small", 443200, 8601, 1216],
  ] as const) {
    it(`${name}: same answers, same mappings, nothing left`, () => {
      const trace = loadTrace(name);
      const file = openFor(trace);
      const { counters, gems } = file.device;
      expect(replay(trace, file)).toBe(5);
      expect([counters.payloadBytes, counters.bindOps, counters.gpuvasPeak]).toEqual([payload, ops, peak]);
      expect([counters.ioctlErrors, counters.kernelWarnings]).toEqual([0, 0]);
      file.close();
      expect([counters.gpuvasLive, counters.vmBosLive, counters.tablesLive]).toEqual([0, 0, 0]);
      expect([counters.backingBytes, gems.size]).toEqual([0, 0]);
    });
  }
});

/** The bytes of VM_BIND and BO_CREATE lines between two marks. */
function recorded(trace: TraceFile, from: string, to: string): string[] {
  const start = trace.lines.findIndex((l) => l.mark === from);
  const end = trace.lines.findIndex((l, i) => i > start && l.mark === to);
  return trace.lines
    .slice(start, end)
    .filter((l) => l.mark === undefined)
    .map((l) => [l.arg_in, ...l.ptrs.map((p) => `${p.addr}:${p.data}`)].join(" "));
}

function asHex(calls: ReturnType<PanvkUmd["create"]>): string[] {
  return calls.map((c) =>
    [hexOf(c.arg), ...c.buffers.map((b) => `0x${b.addr.toString(16)}:${hexOf(b.bytes)}`)].join(" "),
  );
}

describe("the umd sends the bytes that panvk sends", () => {
  const va = 0x7ffffa000000;
  const size = 100_000_000;
  for (const strategy of ["sparse", "blackhole"] as const) {
    it(`buffer-100e6, ${strategy}`, () => {
      const trace = loadTrace(`panthor-${strategy}-buffer-100e6`);
      const umd = new PanvkUmd({ strategy, dummyHandle: 6, fence: 3 });
      expect(asHex([...umd.setup(), ...umd.create(va, size)])).toEqual(
        recorded(trace, "create", "requirements"),
      );
      expect(asHex(umd.bind(va, size, []))).toEqual(recorded(trace, "wait-idle", "destroy"));
      expect(asHex(umd.destroy(va, size))).toEqual(recorded(trace, "destroy", "workload-end"));
    });

    it(`buffer-stream, ${strategy}: every queue bind`, () => {
      const trace = loadTrace(`panthor-${strategy}-buffer-stream`);
      const binds = bufferStream(0x40000000, 0x1000, 64 << 20);
      const poolHandle = strategy === "sparse" ? 6 : 7;
      const umd = new PanvkUmd({ strategy, dummyHandle: 6, fence: 2 });
      const base = Number(
        Buffer.from(
          recorded(trace, "destroy", "free-pool")[0]?.slice(-64, -48) ?? "",
          "hex",
        ).readBigUInt64LE(),
      );
      const sent = binds.flatMap((call) =>
        umd.bind(
          base,
          0x40000000,
          call.map((b) => ({ ...b, memory: b.at < 0 ? null : { handle: poolHandle, offset: b.at } })),
        ),
      );
      expect(sent).toHaveLength(strategy === "sparse" ? 125 : 136);
      expect(asHex(sent)).toEqual(recorded(trace, "stream", "wait-idle"));
    });
  }
});

/** The buffer-stream workload: calls of 64 binds, `at` = byte in the pool or -1 to unbind. */
function bufferStream(bytes: number, block: number, pool: number) {
  let x = (2654435761 + 0x9e3779b9) >>> 0;
  const rnd = (n: number) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    x >>>= 0;
    return x % n;
  };
  const blocks = bytes / block;
  const owner = new Int32Array(blocks).fill(-1);
  const used = new Uint8Array(pool / block);
  const past: { start: number; n: number }[] = [];
  const calls: { resourceOffset: number; size: number; at: number }[][] = [];
  for (let done = 0; done < 2000; ) {
    const touched = new Set<number>();
    const free = (start: number, n: number) => {
      for (let i = 0; i < n; i++) if (touched.has(start + i)) return false;
      return true;
    };
    const freed = new Set<number>();
    const call: (typeof calls)[number] = [];
    for (let k = 0; k < 64 && done < 2000; k++, done++) {
      let n = 1 + rnd(16);
      let kind = rnd(8);
      let at = -1;
      let start = -1;
      if (kind < 5) {
        at = firstRun(used, n);
        if (at < 0) kind = 5;
      }
      if ((kind === 5 || kind === 6) && past.length > 0) {
        const first = rnd(past.length);
        for (let i = 0; i < past.length && start < 0; i++) {
          const pick = (first + i) % past.length;
          const entry = past[pick] as { start: number; n: number };
          if (!free(entry.start, entry.n)) continue;
          ({ start, n } = entry);
          const last = past.pop() as { start: number; n: number };
          if (pick < past.length) past[pick] = last;
        }
      }
      while (start < 0) {
        const tried = rnd(blocks - n + 1);
        if (free(tried, n)) start = tried;
      }
      if (at >= 0) past.push({ start, n });
      for (let i = 0; i < n; i++) {
        touched.add(start + i);
        const old = owner[start + i] as number;
        if (old >= 0) freed.add(old);
        owner[start + i] = at >= 0 ? at + i : -1;
        if (at >= 0) used[at + i] = 1;
      }
      call.push({ resourceOffset: start * block, size: n * block, at: at >= 0 ? at * block : -1 });
    }
    for (const p of freed) used[p] = 0;
    calls.push(call);
  }
  return calls;
}

function firstRun(used: Uint8Array, n: number): number {
  for (let at = 0, run = 0; at < used.length; at++) {
    run = used[at] ? 0 : run + 1;
    if (run === n) return at - n + 1;
  }
  return -1;
}

it("marks the sparse mappings of a replay", () => {
  const trace = loadTrace("panthor-sparse-buffer-100e6");
  const file = openFor(trace);
  const until = trace.lines.findIndex((l) => l.mark === "requirements");
  replay({ ...trace, lines: trace.lines.slice(0, until) }, file);
  const gpuvm = file.vm(1)?.gpuvm;
  const sparse = gpuvm?.mappings().filter((va) => gpuvm.flags(va) & GPUVA_SPARSE);
  expect(sparse?.map((va) => gpuvm?.rangeOf(va))).toEqual([0x5f5f000]);
});
