/**
 * What the GPU sees, against a naive array of pages: mappings of objects and of nothing, cut, replaced, taken away by the shrinker
 * and brought back by a submit, in jobs that run at once or later. After each call every invariant holds, and a call that is
 * refused has changed nothing.
 */

import { DrmError } from "@vmbind/drm";
import { Walk } from "@vmbind/mmu";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  checkDeviceInvariants,
  MsmDevice,
  type MsmFile,
  type MsmVm,
  OP_MAP,
  OP_MAP_NULL,
  OP_UNMAP,
  type VmBindOp,
} from "../src/index.ts";
import { bind, newObject, openWithQueues } from "./calls.ts";

const PAGE = 0x1000;
/** The window lies around a place where two tables of the last level meet, and two of the one above. */
const PAGES = 1300;
const START = 0x40_0000_0000 - 600 * PAGE;
const OBJECT_PAGES = [600, 64, 7];

interface Drawn {
  op: typeof OP_MAP | typeof OP_MAP_NULL | typeof OP_UNMAP;
  object: number;
  page: number;
  offset: number;
  pages: number;
}

type Event =
  | { ops: Drawn[]; queueId: number }
  | { evict: number }
  | { hold: boolean }
  | { submit: true }
  | { fail: number };

const drawnOp: fc.Arbitrary<Drawn> = fc
  .record({
    op: fc.constantFrom(OP_MAP, OP_MAP, OP_MAP, OP_MAP_NULL, OP_UNMAP),
    object: fc.nat(OBJECT_PAGES.length - 1),
    page: fc.nat(PAGES - 1),
    offset: fc.nat(599),
    pages: fc.oneof(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: 700 })),
  })
  .map((drawn) => {
    const size = OBJECT_PAGES[drawn.object] as number;
    const offset = drawn.op === OP_MAP ? drawn.offset % size : 0;
    const most = drawn.op === OP_MAP ? size - offset : PAGES;
    return { ...drawn, offset, pages: Math.min(drawn.pages, PAGES - drawn.page, most) };
  });

const events: fc.Arbitrary<Event[]> = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        ops: fc.array(drawnOp, { minLength: 1, maxLength: 4 }),
        queueId: fc.constantFrom(1, 2),
      }),
    },
    { weight: 2, arbitrary: fc.record({ evict: fc.nat(OBJECT_PAGES.length - 1) }) },
    { weight: 1, arbitrary: fc.record({ hold: fc.boolean() }) },
    { weight: 1, arbitrary: fc.constant({ submit: true as const }) },
    { weight: 2, arbitrary: fc.record({ fail: fc.integer({ min: 1, max: 6 }) }) },
  ),
  { minLength: 1, maxLength: 24 },
);

/** A page that shows something. `away` may be `maybe`: what is mapped again just as it is stays where the shrinker put it. */
interface Shown {
  object: number | null;
  page: number;
  away: boolean | "maybe";
}

class Pages {
  readonly shows: (Shown | null)[] = new Array(PAGES).fill(null);

  apply({ op, object, page, offset, pages }: Drawn): void {
    for (let i = 0; i < pages; i++) {
      const before = this.shows[page + i] ?? null;
      let now: Shown | null = null;
      if (op === OP_MAP_NULL) now = { object: null, page: 0, away: false };
      else if (op === OP_MAP) {
        const same = before?.object === object && before.page === offset + i && before.away !== false;
        now = { object, page: offset + i, away: same ? "maybe" : false };
      }
      this.shows[page + i] = now;
    }
  }

  evict(object: number): void {
    for (const shown of this.shows) if (shown?.object === object) shown.away = true;
  }

  restore(): void {
    for (const shown of this.shows) if (shown !== null) shown.away = false;
  }
}

/** A device with a file, an array of pages beside it. */
class Pair {
  readonly #device: MsmDevice;
  readonly #file: MsmFile;
  readonly #vm: MsmVm;
  readonly #handles: number[];
  readonly #pages = new Pages();
  #untilFailure = 0;

  constructor() {
    this.#device = new MsmDevice({
      boFragmentation: "scattered",
      allocFault: (point) => point === "gpuva" && this.#untilFailure > 0 && --this.#untilFailure === 0,
    });
    this.#file = openWithQueues(this.#device);
    this.#vm = this.#file.needVm();
    this.#handles = OBJECT_PAGES.map((pages) => newObject(this.#file, pages * PAGE));
  }

  happen(event: Event): void {
    const { scheduler } = this.#vm;
    if ("evict" in event) this.#evict(event.evict);
    else if ("submit" in event) this.#submit();
    else if ("fail" in event) this.#untilFailure = event.fail;
    else if ("hold" in event) event.hold ? scheduler.hold() : scheduler.resume();
    else {
      const ops = event.ops.map((op) => this.#opOf(op));
      const ret = bind(this.#file, ops, { queueId: event.queueId });
      if (ret === 0) for (const op of event.ops) this.#pages.apply(op);
      this.#untilFailure = 0;
    }
  }

  #opOf({ op, object, page, offset, pages }: Drawn): Partial<VmBindOp> {
    const where = { op, iova: START + page * PAGE, range: pages * PAGE };
    if (op !== OP_MAP) return where;
    return { ...where, handle: this.#handles[object] as number, objOffset: offset * PAGE };
  }

  #evict(object: number): void {
    const bo = this.#file.bo(this.#handles[object] as number);
    if (bo === undefined || bo.pages === null) return;
    try {
      this.#device.evict(bo);
      this.#pages.evict(object);
    } catch (error) {
      // In use by a job.
      if (!(error instanceof DrmError)) throw error;
    }
  }

  /** A submit comes behind all binds, and needs everything. */
  #submit(): void {
    this.#vm.scheduler.resume();
    this.#vm.validate();
    this.#pages.restore();
  }

  check(): void {
    checkDeviceInvariants(this.#device, [this.#file]);
    if (this.#vm.scheduler.jobs.length > 0) return;
    const walk = new Walk();
    for (const [i, shown] of this.#pages.shows.entries()) {
      this.#vm.addressSpace.walk(START + i * PAGE, walk);
      const found = walk.kind === "fault" ? -1 : walk.pa;
      const wanted = this.#wanted(shown);
      if (!wanted.includes(found)) throw new Error(`page ${i} shows ${found}, should ${wanted.join(" or ")}`);
    }
  }

  /** Physical pages that may be there, -1 for none. */
  #wanted(shown: Shown | null): number[] {
    if (shown === null || shown.away === true) return [-1];
    if (shown.object === null) return [this.#device.prr.address];
    const bo = this.#file.bo(this.#handles[shown.object] as number);
    const there = bo?.pages?.addressAt(shown.page * PAGE) ?? -1;
    return shown.away === "maybe" ? [there, -1] : [there];
  }

  finish(): void {
    this.#submit();
    this.check();
    this.#file.close();
    checkDeviceInvariants(this.#device, []);
    const { memory, gems, counters, tablesAside } = this.#device;
    expect([memory.tables.live, gems.size, counters.backingBytes, tablesAside]).toEqual([0, 0, 0, 0]);
  }
}

test("is what a naive array of pages has", { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(events, (sequence) => {
      const pair = new Pair();
      for (const event of sequence) {
        pair.happen(event);
        pair.check();
      }
      pair.finish();
    }),
    { numRuns: Number(process.env["MSM_RUNS"] ?? 50), seed: Number(process.env["MSM_SEED"] ?? 17) },
  );
});

test("MAP_NULL reads 0 and drops stores, also where an object was mapped and is gone again", () => {
  const device = new MsmDevice();
  const file = openWithQueues(device);
  const { addressSpace: gpu } = file.needVm();
  const handle = newObject(file, 4 * PAGE);
  const range = 512 * PAGE;
  const dropped = (va: number): void => {
    gpu.store32(va, 0xdeadbeef);
    expect(gpu.load32(va)).toBe(0);
  };
  expect(bind(file, [{ op: OP_MAP_NULL, iova: START, range }])).toBe(0);
  dropped(START);
  dropped(START + range - 4);
  expect(bind(file, [{ op: OP_MAP, handle, iova: START + PAGE, range: PAGE, objOffset: 2 * PAGE }])).toBe(0);
  gpu.store32(START + PAGE, 0xcafe);
  expect(gpu.load32(START + PAGE)).toBe(0xcafe);
  dropped(START + 2 * PAGE);
  expect(bind(file, [{ op: OP_MAP_NULL, iova: START + PAGE, range: PAGE }])).toBe(0);
  dropped(START + PAGE);
  expect(bind(file, [{ op: OP_UNMAP, iova: START, range }])).toBe(0);
  expect(() => gpu.load32(START)).toThrow("not-present");
  checkDeviceInvariants(device, [file]);
});

test.each([
  ["dropped", 0],
  ["stored", 0xdeadbeef],
] as const)("what a file stores through MAP_NULL is %s, and every file reads the same", (prrStores, read) => {
  const device = new MsmDevice({ prrStores });
  const [one, other] = [openWithQueues(device), openWithQueues(device)] as const;
  const op = { op: OP_MAP_NULL, iova: START, range: 8 * PAGE };
  expect([bind(one, [op]), bind(other, [op])]).toEqual([0, 0]);
  one.needVm().addressSpace.store32(START + 2 * PAGE + 8, 0xdeadbeef);
  // One page is behind all of it.
  expect(one.needVm().addressSpace.load32(START + 8)).toBe(read);
  expect(other.needVm().addressSpace.load32(START + 5 * PAGE + 8)).toBe(read);
  checkDeviceInvariants(device, [one, other]);
});
