/**
 * Random operations against a model that knows nothing but pages: for each page of a window, which byte of which object
 * it shows. After every step each page must translate so, past the TLB and through it.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkDeviceInvariants,
  MAP_NOEXEC,
  MAP_REPEAT,
  MAP_SPARSE,
  OP_UNMAP,
  type PanthorBo,
} from "../src/index.ts";
import { bind, createBo, type DeviceOptions, type Fixture, fixture, type TestOp } from "./support.ts";

const PAGE = 0x1000;
const BASE = 0x40000000 - 3 * 0x200000;
const PAGES = 8 * 512;
const BO_PAGES = 5 * 512;

type Step =
  | { kind: "map" | "repeat"; at: number; pages: number; bo: number; offset: number }
  | { kind: "sparse" | "unmap"; at: number; pages: number }
  | { kind: "evict" | "validate"; bo: number };

/** Page numbers near 2 MiB boundaries, and anywhere. */
const place = (limit: number) =>
  fc.oneof(
    fc.integer({ min: 0, max: limit - 1 }),
    fc
      .tuple(fc.integer({ min: 0, max: Math.floor(limit / 512) }), fc.integer({ min: -2, max: 2 }))
      .map(([chunk, delta]) => Math.min(Math.max(chunk * 512 + delta, 0), limit - 1)),
  );

const range = fc.record({ at: place(PAGES), pages: fc.oneof(fc.integer({ min: 1, max: 40 }), place(PAGES)) });
const bo = fc.integer({ min: 0, max: 2 });

function steps(repeats: boolean): fc.Arbitrary<Step> {
  const map = fc
    .tuple(range, bo, place(BO_PAGES))
    .map(([r, b, offset]): Step => ({ kind: "map", ...r, bo: b, offset }));
  const filler = fc
    .tuple(range, bo, place(BO_PAGES))
    .map(
      ([r, b, offset]): Step =>
        repeats ? { kind: "repeat", ...r, bo: b, offset } : { kind: "sparse", ...r },
    );
  const unmap = range.map((r): Step => ({ kind: "unmap", ...r }));
  const reclaim = fc
    .tuple(bo, fc.boolean())
    .map(([b, evict]): Step => ({ kind: evict ? "evict" : "validate", bo: b }));
  return fc.oneof({ arbitrary: map, weight: 3 }, { arbitrary: filler, weight: 3 }, unmap, reclaim);
}

/** Object (0..2, 3 = dummy) and page of it, or -1. */
type Naive = Int32Array;
const pack = (object: number, page: number) => object * 65536 + page;

function apply(fx: Fixture, handles: number[], naive: Naive, step: Step): void {
  if (!("at" in step)) {
    // Object 2 stands for the dummy here.
    const target = step.bo === 2 ? fx.file.dummy : (fx.file.bo(handles[step.bo] as number) as PanthorBo);
    if (step.kind === "evict") fx.device.evict(target);
    else fx.vm.validate();
    return;
  }
  let pages = Math.min(step.pages || 1, PAGES - step.at);
  const op: TestOp = { va: BASE + step.at * PAGE };
  let shows: (i: number) => number = () => -1;
  if (step.kind === "unmap") op.flags = OP_UNMAP;
  else if (!("bo" in step)) {
    op.flags = MAP_NOEXEC | MAP_SPARSE;
    const phase = (BASE / PAGE + step.at) % 512;
    shows = (i) => pack(3, (phase + i) % 512);
  } else {
    op.boHandle = handles[step.bo] as number;
    op.boOffset = step.offset * PAGE;
    op.flags = MAP_NOEXEC;
    if (step.kind === "map") {
      pages = Math.min(pages, BO_PAGES - step.offset);
      shows = (i) => pack(step.bo, step.offset + i);
    } else {
      const window = [1, 3, 16, 512, 1024][step.pages % 5] as number;
      const room = Math.min(window, BO_PAGES - step.offset);
      pages = Math.floor(pages / room) * room;
      if (pages === 0) return;
      op.flags |= MAP_REPEAT;
      op.boRepeatRange = room * PAGE;
      shows = (i) => pack(step.bo, step.offset + (i % room));
    }
  }
  op.size = pages * PAGE;
  const { ret, reason } = bind(fx, [op]);
  expect([ret, reason]).toEqual([0, ""]);
  for (let i = 0; i < pages; i++) naive[step.at + i] = shows(i);
}

function checkTranslations(fx: Fixture, handles: number[], naive: Naive): void {
  const objects = [...handles.map((h) => fx.file.bo(h) as PanthorBo), fx.file.dummy];
  const evicted = new Set<number>();
  for (const m of fx.vm.mappings()) {
    if (m.evicted) for (let p = 0; p < m.range / PAGE; p++) evicted.add((m.addr - BASE) / PAGE + p);
  }
  const { addressSpace } = fx.vm;
  for (let i = 0; i < PAGES; i++) {
    const code = naive[i] as number;
    const object = Math.floor(code / 65536);
    const pages = code < 0 || evicted.has(i) ? null : objects[object]?.pages;
    const want = pages ? pages.addressAt((code % 65536) * PAGE) : Number.NaN;
    const walk = addressSpace.walk(BASE + i * PAGE);
    const cached = addressSpace.translate(BASE + i * PAGE);
    const got = walk.kind === "page" ? walk.pa : Number.NaN;
    const gotCached = cached.kind === "page" ? cached.pa : Number.NaN;
    if (!Object.is(got, want) || !Object.is(gotCached, want)) {
      throw new Error(`page ${i}: expected ${want}, walked to ${got}, TLB says ${gotCached}`);
    }
  }
}

describe("any sequence of operations translates as a page-by-page model does", () => {
  const devices: [string, NonNullable<DeviceOptions>][] = [
    ["huge pages", {}],
    ["scattered pages", { boFragmentation: "scattered", dummyFragmentation: "scattered" }],
    [
      "one contiguous run, scattered dummy",
      { boFragmentation: "contiguous", dummyFragmentation: "scattered" },
    ],
    ["REPEAT, huge pages", { repeat: "v5" }],
    [
      "REPEAT, scattered pages",
      { repeat: "v5", boFragmentation: "scattered", dummyFragmentation: "scattered" },
    ],
  ];
  for (const [name, options] of devices) {
    it(name, () => {
      const repeats = options.repeat !== undefined;
      fc.assert(
        fc.property(fc.array(steps(repeats), { minLength: 1, maxLength: 14 }), (sequence) => {
          const fx = fixture({
            ...options,
            tlb: { entries: 256 },
            memory: { frames: { limit: 0x200000000 } },
          });
          const handles = [0, 1, 2].map((i) => createBo(fx.file, BO_PAGES * PAGE, i === 0 ? 0 : fx.vmId));
          const naive = new Int32Array(PAGES).fill(-1);
          for (const step of sequence) {
            apply(fx, handles, naive, step);
            checkTranslations(fx, handles, naive);
            checkDeviceInvariants(fx.device, [fx.file]);
          }
          expect([fx.device.counters.kernelWarnings, fx.vm.unusable]).toEqual([0, false]);
          fx.file.close();
          expect([fx.device.counters.tablesLive, fx.device.gems.size]).toEqual([0, 0]);
        }),
        { numRuns: 25, seed: 20260322 },
      );
    }, 60_000);
  }
});
