import type { Fence } from "@vmbind/drm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OP_UNMAP } from "../src/index.ts";
import { bind, fixture } from "./support.ts";

describe("the queue of a VM", () => {
  it("keeps what lies behind the first operation that waits, whichever fences signal when", () => {
    const calls = fc.array(fc.array(fc.option(fc.nat(3), { nil: null }), { minLength: 1, maxLength: 6 }), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(calls, fc.array(fc.nat(3), { maxLength: 6 }), (arrays, signals) => {
        const fx = fixture();
        const { syncobjs } = fx.file;
        const fences = Array.from({ length: 4 }, () => {
          const handle = syncobjs.create();
          return { handle, fence: syncobjs.attachFence(handle) as Fence };
        });
        const waits: (number | null)[] = [];
        const check = (): void => {
          const first = waits.findIndex((fence) => fence !== null && !fences[fence]?.fence.signaled);
          const left = first < 0 ? [] : waits.slice(first);
          expect(fx.vm.queue.length).toBe(left.length);
          expect(fx.vm.queue.jobs.map((job) => job.op.va / 0x1000)).toEqual(left.map((_, i) => first + i));
        };
        for (const [turn, array] of arrays.entries()) {
          const ops = array.map((fence, i) => ({
            flags: OP_UNMAP,
            // Says which one it is: nothing is mapped there.
            va: 0x1000 * (waits.length + i),
            size: 0x1000,
            syncs: fence === null ? [] : [{ flags: 0, handle: fences[fence]?.handle as number }],
          }));
          const { ret } = bind(fx, ops, { async: true });
          expect(ret).toBe(0);
          waits.push(...array);
          check();
          const signal = signals[turn];
          if (signal !== undefined && !fences[signal]?.fence.signaled) fences[signal]?.fence.signal();
          check();
        }
      }),
      { numRuns: 60 },
    );
  });
});
