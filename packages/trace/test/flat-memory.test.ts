import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { lens } from "../../panthor/src/trace.ts";
import { OP_MAP, OP_UNMAP, VM_BIND, VM_BIND_OP } from "../../panthor/src/uapi.ts";
import { readTrace, replay } from "../src/index.ts";

const PAGES = 500;
const OPS = 4;
const OPS_ADDR = 0x7000_0000_0000;

const recorded = gunzipSync(
  readFileSync(new URL("../../../apps/bench/traces/panthor-sparse-buffer-100e6.jsonl.gz", import.meta.url)),
)
  .toString()
  .split("\n");
/** What makes a VM and objects; the first record that is left out is the first of the workload. */
const beginning = recorded.slice(
  0,
  recorded.findIndex((line) => line.includes('"mark":"workload')),
);
const firstSeq = beginning.filter((line) => line.includes('"seq"')).length;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** A VM_BIND that maps three pages somewhere in a small window, and unmaps one. */
function bindLine(n: number): string {
  const bytes = new Uint8Array(OPS * VM_BIND_OP.size);
  const syncs = { stride: 16, count: 0, array: 0 };
  for (let k = 0; k < OPS; k++) {
    const unmaps = k === 3;
    VM_BIND_OP.write(new DataView(bytes.buffer), k * VM_BIND_OP.size, {
      flags: unmaps ? OP_UNMAP : OP_MAP,
      boHandle: unmaps ? 0 : 1,
      boOffset: 0,
      va: 0x1000_0000 + ((n * 37 + k * 101) % PAGES) * 4096,
      size: 4096,
      syncs,
    });
  }
  const ops = { stride: VM_BIND_OP.size, count: OPS, array: OPS_ADDR };
  const arg = hex(VM_BIND.encode({ vmId: 1, flags: 0, ops }));
  const array = { field: "ops", addr: `0x${OPS_ADDR.toString(16)}`, count: OPS, stride: ops.stride };
  return JSON.stringify({
    seq: firstSeq + n,
    ioctl: "PANTHOR_VM_BIND",
    request: "0xc0186443",
    arg_in: arg,
    ptrs: [{ ...array, data: hex(bytes) }],
    ret: 0,
    arg_out: arg,
  });
}

async function* bytesOf(binds: number): AsyncGenerator<Uint8Array> {
  yield Buffer.from(`${beginning.join("\n")}\n`);
  for (let n = 0; n < binds; n++) yield Buffer.from(`${bindLine(n)}\n`);
}

describe("the memory of a replay", () => {
  it("does not grow with the trace: what is kept after 200,000 operations was kept after 60,000", {
    timeout: 120_000,
  }, async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    // What the test runner holds for a moment comes and goes, so the least of nine looks is what is kept. The memory behind
    // buffers is given back beside the program; the second collection waits for what the first one found.
    const early: number[] = [];
    const late: number[] = [];
    const after = ({ kind, seq = 0 }: { kind: string; seq?: number }): void => {
      const bind = seq - firstSeq;
      if (kind !== "ioctl" || bind % 500 !== 0) return;
      const looks = bind >= 13_000 && bind <= 17_000 ? early : bind >= 45_500 && bind < 50_000 ? late : null;
      if (looks === null) return;
      collect();
      collect();
      const { heapUsed, external } = process.memoryUsage();
      looks.push(heapUsed + external);
    };
    const result = await replay(await readTrace("churn.jsonl", () => bytesOf(50_000)), lens, { after });
    expect(result.differences).toEqual([]);
    expect(result.counts.bindOps).toBeGreaterThanOrEqual(200_000);
    // One number kept of each ioctl, in an array, takes 7 to 8 bytes.
    expect((Math.min(...late) - Math.min(...early)) / 32_500).toBeLessThan(4);
    expect([early.length, late.length]).toEqual([9, 9]);
  });
});
