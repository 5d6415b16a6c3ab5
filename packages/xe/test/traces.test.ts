/** What is special in anv's recordings; `driver-laws` replays them all, and those of igt. */
import { EFAULT, viewOf } from "@vmbind/drm";
import { CallBytes, hexOf, replay, type TraceIoctl } from "@vmbind/trace";
import { describe, expect, it } from "vitest";
import { open, recordedText, recordsOf, sentText } from "../../../test/recordings.ts";
import { AnvUmd, SYNC, SYNC_FLAG_SIGNAL, SYNC_TYPE_USER_FENCE } from "../src/index.ts";
import { VM_BIND_OPS } from "../src/ioctls.ts";
import { lens } from "../src/trace.ts";
import { VM_BIND_OP } from "../src/uapi.ts";

describe("AnvUmd", () => {
  it("creates and destroys a resource with anv's very bytes", async () => {
    const records = await recordsOf("xe-lnl-buffer-100e6");
    const after = (mark: string): string => {
      const behind = records.slice(records.findIndex((r) => r.kind === "mark" && r.mark === mark));
      return hexOf(behind.find((r) => r.kind === "ioctl")?.argIn ?? new Uint8Array());
    };
    const umd = new AnvUmd();
    const va = 0xeffef94a0000;
    expect(hexOf(umd.create(va, 100e6)[0]?.arg as Uint8Array)).toBe(after("create"));
    expect(hexOf(umd.destroy(va, 100e6)[0]?.arg as Uint8Array)).toBe(after("destroy"));
  });

  it("builds every queue bind of a recording with anv's very bytes", async () => {
    let next = false;
    let compared = 0;
    for (const record of await recordsOf("xe-image-window")) {
      if (record.kind === "mark") {
        if (record.mark.startsWith("bind-sparse")) next = record.mark.includes(" image ");
        continue;
      }
      if (!next || record.ioctl !== "XE_VM_BIND") continue;
      next = false;
      const ops = new CallBytes(record).elements(VM_BIND_OPS);
      if (ops.length === 0) continue;
      // Take each operation apart into blocks: the driver has to join them again.
      const binds = ops.flatMap((op) =>
        Array.from({ length: op.range / 0x10000 }, (_, block) => ({
          resourceOffset: op.addr + block * 0x10000,
          size: 0x10000,
          memory: op.obj === 0 ? null : { handle: op.obj, offset: op.objOffset + block * 0x10000 },
        })),
      );
      const syncs = record.arrays.find(({ field }) => field === "syncs")?.data ?? new Uint8Array();
      const fence = SYNC.read(viewOf(syncs)).addr;
      const [call] = new AnvUmd({ execQueueId: 2, fence, patIndex: 9 }).bind(0, 2 ** 48, binds);
      expect(sentText(call?.arg as Uint8Array, call?.buffers ?? [])).toEqual(recordedText(record));
      compared++;
    }
    expect(compared).toBeGreaterThan(50);
    expect(new AnvUmd({ execQueueId: 2, fence: 1, patIndex: 9 }).bind(0, 0x20000, [])).toHaveLength(1);
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

describe("a replay has the memory that the driver writes to, which no recording holds", () => {
  const NAME = "xe-igt-null-once";

  /** The recording, its binds with user fences in place of syncobjs, which returned `ret`. */
  async function withUserFences(
    ret: number,
  ): Promise<readonly { seq: number; got: string; reason: unknown }[]> {
    const fence = SYNC.encode({
      type: SYNC_TYPE_USER_FENCE,
      flags: SYNC_FLAG_SIGNAL,
      addr: 0x7f00_0000_1000,
      timelineValue: 5,
    });
    const fenced = (call: TraceIoctl): TraceIoctl => {
      const arrays = call.arrays.map((array) =>
        array.field === "syncs" ? { ...array, data: fence } : array,
      );
      return { ...call, arrays, ret: call.ioctl === "XE_VM_BIND" ? ret : call.ret };
    };
    const records = (await recordsOf(NAME)).flatMap((record) =>
      record.kind === "ioctl" ? [fenced(record)] : [],
    );
    const again = async function* () {
      yield* records;
    };
    const { differences } = await replay({ ...(await open(NAME)), records: again() }, lens);
    return differences.map(({ seq, got, reason }) => ({ seq, got, reason }));
  }

  it("so a user fence is written where the recording says that it was", async () => {
    expect(await withUserFences(0)).toEqual([]);
  });

  it("and is not there where the recording says that it was not", async () => {
    expect(await withUserFences(-EFAULT)).toEqual([]);
  });
});
