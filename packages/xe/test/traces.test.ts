import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { AnvUmd, VM_BIND_OP } from "../src/index.ts";
import { loadTrace, replay } from "./trace.ts";

const url = (name: string): URL => new URL(`./traces/${name}.jsonl.gz`, import.meta.url);

/** GEM_CREATE, VM_BIND, [MAP, NULL, UNMAP, UNMAP_ALL], payload bytes, exec marks. */
const COUNTS: Record<string, [number, number, number[], number, number]> = {
  "xe-dg2-igt-large-split-misaligned-binds-4194304": [1, 4, [2, 0, 2, 0], 760, 16],
  "xe-igt-compact-64k-pages": [2, 4, [2, 0, 0, 2], 824, 1],
  "xe-igt-null-once": [5, 15, [5, 5, 5, 0], 3360, 5],
  "xe-image-window": [12, 92, [844, 436, 1, 10], 118856, 0],
  "xe-lnl-buffer-100e6": [10, 24, [10, 4, 1, 8], 5096, 0],
};

describe("recorded ioctls", () => {
  it("covers every trace of the folder", () => {
    const names = readdirSync(new URL("./traces/", import.meta.url)).map((f) => f.replace(".jsonl.gz", ""));
    expect(names.sort()).toEqual(Object.keys(COUNTS).sort());
  });

  it.each(Object.keys(COUNTS))(
    "%s: same answers, every store lands where it did, nothing is left",
    (name) => {
      const r = replay(loadTrace(url(name)));
      expect(r.differences).toEqual([]);
      const [gems, binds, ops, payload, stores] = COUNTS[name] as (typeof COUNTS)[string];
      expect([r.gemCreates, r.vmBinds, r.ops, r.payloadBytes]).toEqual([gems, binds, ops, payload]);
      if (stores > 0) expect(r.execs).toBe(stores);
      expect(r.device.counters.payloadBytes).toBe(payload);
      r.file.close();
      const { gems: objects, memory, counters } = r.device;
      expect([objects.size, memory.tables.live, counters.gpuvasLive, counters.backingBytes]).toEqual([
        0, 0, 0, 0,
      ]);
    },
  );

  it("knows the most mappings that were alive at once", () => {
    const window = replay(loadTrace(url("xe-image-window")));
    expect([window.peakMappings, window.peakNull]).toEqual([482, 435]);
  });
});

interface Line {
  ioctl?: string;
  mark?: string;
  arg_in: string;
  ptrs: { field: string; data: string }[];
}

const linesOf = (name: string): Line[] =>
  loadTrace(url(name))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
const hexOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("hex");

describe("AnvUmd", () => {
  it("creates and destroys a resource with anv's very bytes", () => {
    const lines = linesOf("xe-lnl-buffer-100e6");
    const after = (mark: string): string =>
      lines.slice(lines.findIndex((l) => l.mark === mark)).find((l) => l.ioctl !== undefined)?.arg_in ?? "";
    const umd = new AnvUmd();
    const va = 0xeffef94a0000;
    expect(hexOf(umd.create(va, 100e6)[0]?.arg)).toBe(after("create"));
    expect(hexOf(umd.destroy(va, 100e6)[0]?.arg)).toBe(after("destroy"));
  });

  it("builds every queue bind of a recording with anv's very bytes", () => {
    const umd = new AnvUmd({ execQueueId: 2, fence: 1, patIndex: 9 });
    let next = false;
    let compared = 0;
    for (const line of linesOf("xe-image-window")) {
      if (line.mark?.startsWith("bind-sparse")) next = line.mark.includes(" image ");
      if (!next || line.ioctl !== "XE_VM_BIND") continue;
      next = false;
      const vector = line.ptrs.find((p) => p.field === "vector_of_binds");
      if (vector === undefined) continue;
      const data = Uint8Array.from(Buffer.from(vector.data, "hex"));
      const view = new DataView(data.buffer);
      // Take each operation apart into blocks: the driver has to join them again.
      const binds = Array.from({ length: data.length / VM_BIND_OP.size }, (_, i) =>
        VM_BIND_OP.read(view, i * VM_BIND_OP.size),
      ).flatMap((op) =>
        Array.from({ length: op.range / 0x10000 }, (_, block) => ({
          resourceOffset: op.addr + block * 0x10000,
          size: 0x10000,
          memory: op.obj === 0 ? null : { handle: op.obj, offset: op.objOffset + block * 0x10000 },
        })),
      );
      const fence = line.ptrs.find((p) => p.field === "syncs")?.data ?? "";
      const call = new AnvUmd({
        execQueueId: 2,
        fence: Number.parseInt(fence.slice(32, 34), 16),
        patIndex: 9,
      }).bind(0, 2 ** 48, binds)[0];
      expect(hexOf(call?.arg)).toBe(line.arg_in);
      expect(hexOf(call?.buffers[0]?.bytes)).toBe(vector.data);
      expect(hexOf(call?.buffers[1]?.bytes)).toBe(fence);
      compared++;
    }
    expect(compared).toBeGreaterThan(50);
    expect(umd.bind(0, 0x20000, [])).toHaveLength(1);
  });

  it("rounds up only the end of the resource", () => {
    const umd = new AnvUmd();
    const tail = { resourceOffset: 0x10000, size: 0x8000, memory: null };
    expect(() => umd.bind(0, 0x20000, [tail])).toThrow(/whole 64 KiB blocks/);
    const op = VM_BIND_OP.read(new DataView(umd.bind(0, 0x18000, [tail])[0]?.arg.buffer as ArrayBuffer), 24);
    expect([op.addr, op.range]).toEqual([0x10000, 0x10000]);
  });

  it("joins what continues, and nothing else", () => {
    const umd = new AnvUmd();
    const at = (block: number, memory: { handle: number; offset: number } | null) => ({
      resourceOffset: block * 0x10000,
      size: 0x10000,
      memory,
    });
    const numBinds = (...binds: ReturnType<typeof at>[]): number =>
      new DataView(umd.bind(0, 2 ** 30, binds)[0]?.arg.buffer as ArrayBuffer).getUint32(20, true);
    expect(numBinds(at(0, null), at(1, null), at(2, null))).toBe(1);
    expect(numBinds(at(0, null), at(2, null))).toBe(2);
    expect(numBinds(at(0, { handle: 1, offset: 0 }), at(1, { handle: 1, offset: 0x10000 }))).toBe(1);
    expect(numBinds(at(0, { handle: 1, offset: 0 }), at(1, { handle: 1, offset: 0x20000 }))).toBe(2);
    expect(numBinds(at(0, { handle: 1, offset: 0 }), at(1, { handle: 2, offset: 0x10000 }))).toBe(2);
    expect(numBinds(at(0, { handle: 1, offset: 0 }), at(1, null))).toBe(2);
  });
});
