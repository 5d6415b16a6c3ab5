/** What is special in hk's recordings; `driver-laws` replays them all. */
import type { IoctlCall } from "@vmbind/drm";
import { CallBytes, replay, type TraceIoctl } from "@vmbind/trace";
import { describe, expect, test } from "vitest";
import { names, open, recordedText, recordsOf, sentText } from "../../../test/recordings.ts";
import { type GemBindOp, HkUmd } from "../src/index.ts";
import { VM_BIND_OPS } from "../src/ioctls.ts";
import { lens } from "../src/trace.ts";

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

const opsOf = (call: TraceIoctl): GemBindOp[] => new CallBytes(call).elements(VM_BIND_OPS);

describe.each(names.filter((name) => name.startsWith("asahi-")))("%s, recorded from Mesa's hk", (name) => {
  test("when all is unbound and closed, two pages have memory", async () => {
    let left: unknown[] = [];
    await replay(
      await open(name),
      lens,
      {},
      {
        checkers: ({ device: { counters } }) => [
          { end: () => (left = [counters.gpuvasLive, counters.backingBytes]) },
        ],
      },
    );
    expect(left).toEqual([0, 2 * 0x4000]);
  });

  test("HkUmd lowers the same sparse operations to the same bytes", async () => {
    let phase = "";
    let compared = 0;
    let va = 0;
    let size = 0;
    const umd = new HkUmd({ vmId: 2, zeroHandle: 4, scratchHandle: 5, leaveMirror: true });
    const recorded = (await recordsOf(name)).flatMap((record) => {
      if (record.kind === "mark") phase = record.mark;
      return record.kind === "mark" || record.ioctl !== "ASAHI_VM_BIND" ? [] : [{ call: record, phase }];
    });
    recorded.forEach(({ call, phase: at }, i) => {
      const [first] = opsOf(call);
      if (first === undefined) return;
      if (at.startsWith("create") && first.handle === 5) {
        va = first.addr;
        size = first.range;
        expectSame(umd.create(va, size), [call, recorded[i + 1]?.call as TraceIoctl]);
        compared += 2;
      } else if (at.startsWith("destroy ") || at === "destroy") {
        expectSame(umd.destroy(first.addr, first.range - 0x4000), [call]);
        compared++;
      } else if (at.startsWith("bind-sparse")) {
        // The lower half of each pair says what the application asked for.
        const binds = opsOf(call)
          .filter((_, k) => k % 2 === 0)
          .map((op) => ({
            resourceOffset: op.addr - va,
            size: op.range,
            memory: op.handle === 5 ? null : { handle: op.handle, offset: op.offset },
          }));
        expectSame(umd.bind(va, size, binds), [call]);
        compared++;
      }
    });
    expect(compared).toBe(COMPARED[name.replace("asahi-", "")]);
  });
});

function expectSame(calls: readonly IoctlCall[], recorded: readonly TraceIoctl[]): void {
  expect(calls.map(({ arg, buffers }) => sentText(arg, buffers))).toEqual(recorded.map(recordedText));
}
