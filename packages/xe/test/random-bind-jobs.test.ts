/** Random binds behind random gates, in several queues: in whatever order they run, the end is that of one after the other. */
import type { Fence } from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import { Random } from "../../../test/random.ts";
import * as xe from "../src/index.ts";
import { bindBehind, bindQueue, check, gate, pageOf, seen } from "./gates.ts";
import { fixture, GIB, KIB, map, nul, type Op, systemBo, unmap } from "./support.ts";

describe("random binds behind random gates", () => {
  const PAGES = 1536;
  const PAGE = 4 * KIB;
  const START = GIB - 512 * PAGE;
  const BO_PAGES = 600;

  it.each([
    ["bmg", 0],
    ["lnl", xe.VM_CREATE_FLAG_SCRATCH_PAGE],
    ["tgl", 0],
  ])("show what the finished ones say, on %s with flags %i", (platform, flags) => {
    for (let seed = 1; seed <= 4; seed++) {
      const { below } = new Random(seed);
      const f = fixture(platform, { tlb: { entries: 8 }, boFragmentation: "huge" }, flags);
      const empty = flags === 0 ? "fault" : "null";
      const queues = [0, bindQueue(f), bindQueue(f)];
      const bos = [systemBo(f, BO_PAGES * PAGE), systemBo(f, BO_PAGES * PAGE)];
      for (const bo of bos) f.file.bo(bo)?.populate();
      const gates: [number, Fence][] = [];
      const jobs: { end: Fence; gates: Fence[]; ops: (readonly [number, number, string[] | string])[] }[] =
        [];
      const look = (): void => {
        const pages = new Array<string>(PAGES).fill(empty);
        let blocked = false;
        for (const { end, gates: own, ops } of jobs) {
          blocked ||= own.some(({ signaled }) => !signaled);
          // With no closed gate up to here nothing can be in its way; behind a closed gate of its own it cannot be done.
          if (!blocked) expect(end.signaled).toBe(true);
          if (own.some(({ signaled }) => !signaled)) expect(end.signaled).toBe(false);
          if (!end.signaled) continue;
          for (const [first, count, shows] of ops) {
            for (let i = 0; i < count; i++) {
              pages[first + i] = typeof shows === "string" ? shows : (shows[i] as string);
            }
          }
        }
        const looked = [];
        for (let i = below(60); i < PAGES; i += 1 + below(60)) looked.push(i);
        expect(looked.map((i) => seen(f, START + i * PAGE))).toEqual(looked.map((i) => pages[i]));
        check(f);
      };
      for (let step = 0; step < 50; step++) {
        if (gates.length < 4 && below(3) === 0) gates.push(gate(f));
        else if (gates.length > 0 && below(4) === 0) {
          (gates.splice(below(gates.length), 1)[0] as [number, Fence])[1].signal();
        } else {
          const own = gates.filter(() => below(3) === 0);
          const ops: Op[] = [];
          const model: (readonly [number, number, string[] | string])[] = [];
          for (let left = 1 + below(3); left > 0; left--) {
            const first = below(PAGES - BO_PAGES);
            const count = 1 + below(below(2) === 0 ? 8 : BO_PAGES);
            const [addr, range] = [START + first * PAGE, count * PAGE];
            const kind = below(4);
            if (kind === 0) ops.push(unmap(addr, range));
            else if (kind === 1) ops.push(nul(addr, range));
            else {
              const bo = bos[kind - 2] as number;
              ops.push(map(addr, range, bo, 0, f.device.platform.patWb));
              model.push([first, count, Array.from({ length: count }, (_, i) => pageOf(f, bo, i * PAGE))]);
              continue;
            }
            model.push([first, count, kind === 0 ? empty : "null"]);
          }
          const queue = queues[below(3)] as number;
          const { ret, end } = bindBehind(f, ops, { queue, waits: own.map(([handle]) => handle) });
          expect([ret, f.file.lastError]).toEqual([0, null]);
          jobs.push({ end, gates: own.map(([, fence]) => fence), ops: model });
        }
        look();
      }
      for (const [, fence] of gates) fence.signal();
      look();
      f.file.close();
      xe.checkDeviceInvariants(f.device, []);
    }
  });
});
