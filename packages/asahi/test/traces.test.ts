import { readdirSync } from "node:fs";
import type { IoctlCall } from "@vmbind/drm";
import { describe, expect, test } from "vitest";
import { AsahiDevice, HkUmd } from "../src/index.ts";
import { opsOf, type ReplayCounts, readTrace, replay, type TraceIoctl, toHex } from "./trace-replay.ts";

/** The check values that came with the recordings. */
const EXPECTED: Readonly<Record<string, ReplayCounts>> = {
  "buffer-100e6": {
    ioctls: 41,
    bindIoctls: 19,
    creates: 10,
    closes: 10,
    ops: 19,
    opsMax: 1,
    byKind: { bindRW: 14, bindR: 2, singleRW: 1, singleR: 1, unbind: 1 },
    bytesByKind: { bindRW: 720896, bindR: 32768, singleRW: 100007936, singleR: 100007936, unbind: 100024320 },
    payload: 1432,
    payloadBind: 1064,
    peak: 18,
    atWorkloadEnd: 17,
    removed: 1,
    cut: 0,
  },
  "buffer-stream": {
    ioctls: 77,
    bindIoctls: 53,
    creates: 11,
    closes: 11,
    ops: 4021,
    opsMax: 128,
    byKind: { bindRW: 1138, bindR: 1126, singleRW: 878, singleR: 878, unbind: 1 },
    bytesByKind: {
      bindRW: 214614016,
      bindR: 213925888,
      singleRW: 1194459136,
      singleR: 1194459136,
      unbind: 1073758208,
    },
    payload: 130344,
    payloadBind: 129944,
    peak: 5142,
    atWorkloadEnd: 2580,
    removed: 3880,
    cut: 3152,
  },
  "image-unbound": {
    ioctls: 49,
    bindIoctls: 23,
    creates: 12,
    closes: 12,
    ops: 24,
    opsMax: 2,
    byKind: { bindRW: 17, bindR: 4, singleRW: 1, singleR: 1, unbind: 1 },
    bytesByKind: {
      bindRW: 1507328,
      bindR: 114688,
      singleRW: 1431699456,
      singleR: 1431699456,
      unbind: 1431715840,
    },
    payload: 1752,
    payloadBind: 1320,
    peak: 25,
    atWorkloadEnd: 22,
    removed: 3,
    cut: 2,
  },
  "image-window": {
    ioctls: 112,
    bindIoctls: 86,
    creates: 12,
    closes: 12,
    ops: 13086,
    opsMax: 384,
    byKind: { bindRW: 3346, bindR: 3333, singleRW: 3203, singleR: 3203, unbind: 1 },
    bytesByKind: {
      bindRW: 118931456,
      bindR: 117538816,
      singleRW: 1536622592,
      singleR: 1536622592,
      unbind: 1431715840,
    },
    payload: 421248,
    payloadBind: 420816,
    peak: 5417,
    atWorkloadEnd: 2718,
    removed: 10843,
    cut: 4920,
  },
  "image-3d": {
    ioctls: 38,
    bindIoctls: 16,
    creates: 10,
    closes: 10,
    ops: 16,
    opsMax: 1,
    byKind: { bindRW: 14, bindR: 2 },
    bytesByKind: { bindRW: 720896, bindR: 32768 },
    payload: 1264,
    payloadBind: 896,
    peak: 16,
    atWorkloadEnd: 16,
    removed: 0,
    cut: 0,
  },
  "many-small": {
    ioctls: 1538,
    bindIoctls: 1516,
    creates: 10,
    closes: 10,
    ops: 1516,
    opsMax: 1,
    byKind: { bindRW: 14, bindR: 2, singleRW: 500, singleR: 500, unbind: 500 },
    bytesByKind: {
      bindRW: 720896,
      bindR: 32768,
      singleRW: 16587882496,
      singleR: 16587882496,
      unbind: 16596074496,
    },
    payload: 85264,
    payloadBind: 84896,
    peak: 268,
    atWorkloadEnd: 202,
    removed: 886,
    cut: 598,
  },
  "image-array-mips": {
    ioctls: 78,
    bindIoctls: 48,
    creates: 14,
    closes: 14,
    ops: 29466,
    opsMax: 15904,
    byKind: { bindRW: 14626, bindR: 14613, singleRW: 113, singleR: 113, unbind: 1 },
    bytesByKind: {
      bindRW: 986316800,
      bindR: 985432064,
      singleRW: 716177408,
      singleR: 716177408,
      unbind: 358105088,
    },
    payload: 944560,
    payloadBind: 944064,
    peak: 21047,
    atWorkloadEnd: 135,
    removed: 37520,
    cut: 13312,
  },
};

/** Sparse VM_BINDs of each recording: creates, queue binds and destroys. */
const COMPARED: Readonly<Record<string, number>> = {
  "buffer-100e6": 3,
  "buffer-stream": 35,
  "image-unbound": 4,
  "image-window": 67,
  "image-3d": 0,
  "many-small": 1500,
  "image-array-mips": 25,
};

const folder = new URL("./traces/", import.meta.url);

describe.each(readdirSync(folder))("%s, recorded from Mesa's hk", (name) => {
  const lines = readTrace(new URL(name, folder));
  const workload = name.replace(/^asahi-|\.jsonl\.gz$/g, "");

  test("replays with the recorded answers and the counts of the recording", { timeout: 60_000 }, () => {
    const device = new AsahiDevice();
    const counts = replay(device, device.open(), lines, (line, ret, argOut) => {
      expect([line.seq, ret, argOut]).toEqual([line.seq, line.ret, line.arg_out]);
    });
    expect(counts).toEqual(EXPECTED[workload]);
    expect(device.counters.gpuvasLive).toBe(0);
    expect(device.counters.backingBytes).toBe(2 * 0x4000);
  });

  test("HkUmd lowers the same sparse operations to the same bytes", () => {
    let phase = "";
    let compared = 0;
    let va = 0;
    let size = 0;
    const umd = new HkUmd({ vmId: 2, zeroHandle: 4, scratchHandle: 5, leaveMirror: true });
    const recorded = lines.flatMap((line) => {
      if ("mark" in line) phase = line.mark;
      return "mark" in line || line.ioctl !== "ASAHI_VM_BIND" ? [] : [{ line, phase }];
    });
    recorded.forEach(({ line, phase: at }, i) => {
      const [first] = opsOf(line);
      if (first === undefined) return;
      if (at.startsWith("create") && first.handle === 5) {
        va = first.addr;
        size = first.range;
        const calls = umd.create(va, size);
        expectSame(calls, [line, recorded[i + 1]?.line as TraceIoctl]);
        compared += 2;
      } else if (at.startsWith("destroy ") || at === "destroy") {
        expectSame(umd.destroy(first.addr, first.range - 0x4000), [line]);
        compared++;
      } else if (at.startsWith("bind-sparse")) {
        // The lower half of each pair says what the application asked for.
        const binds = opsOf(line)
          .filter((_, k) => k % 2 === 0)
          .map((op) => ({
            resourceOffset: op.addr - va,
            size: op.range,
            memory: op.handle === 5 ? null : { handle: op.handle, offset: op.offset },
          }));
        expectSame(umd.bind(va, size, binds), [line]);
        compared++;
      }
    });
    expect(compared).toBe(COMPARED[workload]);
  });
});

function expectSame(calls: readonly IoctlCall[], lines: readonly TraceIoctl[]): void {
  expect(calls.map(({ arg, buffers }) => [toHex(arg), ...buffers.map((b) => toHex(b.bytes))])).toEqual(
    lines.map(({ arg_in, ptrs }) => [arg_in, ...ptrs.map((p) => p.data)]),
  );
}
