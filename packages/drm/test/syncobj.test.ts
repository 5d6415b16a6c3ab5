import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EINVAL, Fence, FenceChain, Syncobj, Syncobjs, signaledFence } from "../src/index.ts";

/** A payload that forgets nothing: plain fences in the order of attaching, with the points that they count as. */
class Naive {
  fences: Fence[] = [];
  /** `[value, first of a new order]` of each, null for a plain fence at the bottom. */
  points: ([number, boolean] | null)[] = [];

  attach(point: number, fence: Fence): void {
    if (point === 0) {
      this.fences = [fence];
      this.points = [null];
      return;
    }
    const value = Number.isNaN(point) ? Number.POSITIVE_INFINITY : point;
    const last = this.points.at(-1)?.[0] ?? 0;
    const inOrder = value > last && last > 0;
    this.points.push([inOrder ? value : Math.max(value, last), !inOrder]);
    this.fences.push(fence);
  }

  /** What has to happen, null when nothing would end the wait. */
  find(point: number): Fence[] | null {
    if (this.points.length === 0) return null;
    if (point === 0) return [...this.fences];
    const value = Number.isNaN(point) ? Number.POSITIVE_INFINITY : point;
    if ((this.points.at(-1)?.[0] ?? 0) < value) return null;
    const order = this.points.findLastIndex((p) => p?.[1]);
    const first = this.points.findIndex((p, i) => i >= order && p !== null && p[0] >= value);
    return this.fences.slice(0, first + 1);
  }
}

const anyPoint = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.constant(Number.NaN));

describe("a syncobj", () => {
  it("answers as one that forgets nothing, whatever is attached and happens in whatever order", () => {
    const step = fc.record({
      point: fc.oneof(
        { weight: 9, arbitrary: fc.integer({ min: 1, max: 40 }) },
        { weight: 1, arbitrary: anyPoint },
      ),
      signal: fc.integer({ min: 0, max: 100 }),
      wait: anyPoint,
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, minLength: 30 }), (steps) => {
        const syncobj = new Syncobj();
        const naive = new Naive();
        const fences: Fence[] = [];
        const waits: { found: Fence; all: Fence[]; called: () => boolean }[] = [];
        for (const { point, signal, wait } of steps) {
          const fence = new Fence();
          fences.push(fence);
          syncobj.attach(point, fence);
          naive.attach(point, fence);
          const found = syncobj.find(wait);
          const all = naive.find(wait);
          expect(found === null).toBe(all === null);
          if (found !== null && all !== null) {
            let called = false;
            found.onSignal(() => {
              called = true;
            });
            waits.push({ found, all, called: () => called });
          }
          fences[signal]?.signal();
          for (const { found, all, called } of waits) {
            const happened = all.every((f) => f.signaled);
            if (called() === happened && found.signaled === happened) continue;
            expect([called(), found.signaled]).toEqual([happened, happened]);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it("keeps only the points that have not happened", () => {
    const syncobj = new Syncobj();
    const late = new Fence();
    syncobj.attach(1, late);
    for (let value = 2; value < 10000; value++) {
      const fence = new Fence();
      syncobj.attach(value, fence);
      fence.signal();
      expect(syncobj.points).toBeLessThanOrEqual(17);
    }
    expect([syncobj.find(1)?.signaled, syncobj.find(9000)?.signaled]).toEqual([false, false]);
    expect(syncobj.find(10000)).toBeNull();
    late.signal();
    for (let value = 10000; value < 10020; value++) syncobj.attach(value, new Fence());
    expect(syncobj.find(9999)?.signaled).toBe(true);
    expect(syncobj.find(10001)?.signaled).toBe(false);
  });

  it("waits for the newest of many points without going deep", () => {
    const syncobj = new Syncobj();
    const fences = Array.from({ length: 20000 }, () => new Fence());
    fences.forEach((fence, i) => {
      syncobj.attach(i + 1, fence);
    });
    let happened = 0;
    syncobj.find(0)?.onSignal(() => happened++);
    for (const fence of fences) fence.signal();
    expect(happened).toBe(1);
  });

  it("has one payload at a time", () => {
    const syncobj = new Syncobj();
    expect([syncobj.find(0), syncobj.find(1)]).toEqual([null, null]);
    const binary = new Fence();
    syncobj.attach(0, binary);
    expect([syncobj.find(0), syncobj.find(1), syncobj.points]).toEqual([binary, null, 0]);
    // A point on a fence waits for it, too.
    const own = signaledFence();
    syncobj.attach(5, own);
    expect(syncobj.find(0)).toBeInstanceOf(FenceChain);
    expect([syncobj.find(3)?.signaled, syncobj.find(6)]).toEqual([false, null]);
    binary.signal(-EINVAL);
    expect([syncobj.find(3)?.signaled, syncobj.find(3)?.error]).toEqual([true, 0]);
    syncobj.attach(0, new Fence());
    expect([syncobj.find(5), syncobj.find(0)?.signaled]).toEqual([null, false]);
    syncobj.reset();
    expect(syncobj.find(0)).toBeNull();
  });

  it("is given the point 0 to replace it, or adds it as one that counts as the last", () => {
    const syncobj = new Syncobj();
    syncobj.attach(5, signaledFence());
    const late = new Fence();
    syncobj.addPoint(0, late);
    expect([syncobj.find(5)?.signaled, syncobj.find(6), syncobj.points]).toEqual([false, null, 2]);
    late.signal();
    expect(syncobj.find(5)?.signaled).toBe(true);
    syncobj.attach(0, signaledFence());
    expect(syncobj.find(5)).toBeNull();
  });
});

describe("the syncobjs of a file", () => {
  it("go by the lowest free handle, and live on where another file has them", () => {
    const [one, two] = [new Syncobjs(), new Syncobjs()];
    expect([one.create(), one.create(true)]).toEqual([1, 2]);
    expect([one.get(1)?.find(0), one.get(2)?.find(0)?.signaled]).toEqual([null, true]);
    const shared = one.export(1);
    expect([two.import(shared), two.import(shared)]).toEqual([1, 2]);
    two.get(2)?.attach(0, signaledFence());
    expect(one.get(1)?.find(0)?.signaled).toBe(true);
    one.destroy(1);
    expect([one.get(1), two.get(1), one.create()]).toEqual([undefined, shared, 1]);
    expect(() => one.destroy(7)).toThrow("EINVAL: syncobj_destroy.handle: 7 is not a syncobj of this file");
    expect(() => one.export(7)).toThrow("EINVAL: syncobj_handle_to_fd.handle: 7");
    expect([...two.entries()]).toEqual([
      [1, shared],
      [2, shared],
    ]);
  });

  it("take a fence that somebody else signals, at a point or as the payload", () => {
    const syncobjs = new Syncobjs();
    const handle = syncobjs.create();
    const fence = syncobjs.attachFence(handle);
    expect(syncobjs.get(handle)?.find(0)).toBe(fence);
    syncobjs.attachFence(handle, 4);
    expect([syncobjs.get(handle)?.find(4)?.signaled, syncobjs.get(handle)?.find(5)]).toEqual([false, null]);
    expect(() => syncobjs.attachFence(7)).toThrow("ENOENT: syncobj.handle: 7 is not a syncobj of this file");
  });

  it("count as signalled where they were made elsewhere, but for what is attached here", () => {
    const syncobjs = new Syncobjs(true);
    expect(syncobjs.get(0)).toBeUndefined();
    const adopted = syncobjs.get(9);
    expect([adopted?.find(0)?.signaled, adopted?.find(40)?.signaled]).toEqual([true, true]);
    adopted?.attach(3, new Fence());
    expect([adopted?.find(3)?.signaled, adopted?.find(40)?.signaled]).toEqual([false, true]);
    expect(syncobjs.get(9)).toBe(adopted);
    expect([...syncobjs.entries()]).toEqual([]);
    syncobjs.destroy(9);
    expect(syncobjs.get(9)).not.toBe(adopted);
  });
});
