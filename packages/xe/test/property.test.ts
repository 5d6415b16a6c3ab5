import { ENOBUFS, ENOMEM } from "@vmbind/drm";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { dumpTables } from "../src/conformance/table-dump.ts";
import {
  checkDeviceInvariants,
  NO_QUIRKS,
  VM_CREATE_FLAG_LR_MODE,
  VM_CREATE_FLAG_SCRATCH_PAGE,
  type XeQuirks,
} from "../src/index.ts";
import { bind, type Fixture, fixture, GIB, map, nul, type Op, prefetch, unmap, unmapAll } from "./support.ts";

vi.setConfig({ testTimeout: 60_000 });

const PAGE = 4096;
/** Windows of a few pages around the edges of 64 KiB, 2 MiB and 1 GiB, so that ranges meet and cross. */
const ANCHORS = [
  8 * GIB - 0x20_0000,
  8 * GIB - 0x1_0000,
  8 * GIB,
  8 * GIB + 0x1_0000,
  8 * GIB + 0x20_0000,
  9 * GIB,
];
const START = 8 * GIB - 0x40_0000;
const END = 9 * GIB + 0x40_0000;
const BO_BYTES = 0x40_0000;

interface Step {
  kind: "map" | "null" | "unmap" | "unmapAll";
  from: number;
  to: number;
  bo: number;
  offset: number;
  readOnly: boolean;
}

const edge = fc
  .tuple(fc.constantFrom(...ANCHORS), fc.integer({ min: -20, max: 20 }))
  .map(([a, d]) => a + d * PAGE);
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom<Step["kind"]>("map", "map", "null", "null", "unmap", "unmapAll"),
  from: edge,
  to: edge,
  bo: fc.integer({ min: 1, max: 3 }),
  offset: fc.integer({ min: 0, max: 40 }).map((page) => page * PAGE),
  readOnly: fc.boolean(),
});
/** Each element is one ioctl. */
const ioctls = (most: number): fc.Arbitrary<Step[][]> =>
  fc.array(fc.array(step, { minLength: 1, maxLength: most }), { minLength: 1, maxLength: 14 });

function opOf(s: Step, patIndex = 0): Op {
  const addr = Math.min(s.from, s.to);
  const range = Math.max(PAGE, Math.abs(s.to - s.from));
  if (s.kind === "unmapAll") return { ...unmapAll(s.bo), patIndex };
  if (s.kind === "unmap") return unmap(addr, range);
  if (s.kind === "null") return nul(addr, range, s.readOnly ? 1 : 0);
  return map(addr, Math.min(range, BO_BYTES - s.offset), s.bo, s.offset, patIndex, s.readOnly ? 1 : 0);
}

/** The naive model: what each page shows. Ranges are long, so it keeps only the pages that the tests look at. */
class Pages {
  readonly #shown = new Map<number, { bo: number; offset: number; readOnly: boolean }>();
  readonly probes: readonly number[];

  constructor() {
    const probes = new Set<number>([START, END - PAGE, 8.5 * GIB]);
    for (const anchor of ANCHORS) for (let d = -45; d <= 45; d++) probes.add(anchor + d * PAGE);
    this.probes = [...probes].sort((a, b) => a - b);
  }

  apply(op: Op): void {
    for (const page of this.probes) {
      const inside = page >= (op.addr ?? 0) && page < (op.addr ?? 0) + (op.range ?? 0);
      if (op.op === 3) {
        if (this.#shown.get(page)?.bo === op.obj) this.#shown.delete(page);
      } else if (inside && op.op === 1) this.#shown.delete(page);
      else if (inside) {
        const offset = op.obj ? (op.objOffset ?? 0) + page - (op.addr ?? 0) : 0;
        this.#shown.set(page, { bo: op.obj ?? 0, offset, readOnly: ((op.flags ?? 0) & 1) !== 0 });
      }
    }
  }

  /** `mayFault`: a mapping may not be in the page table yet. */
  check({ file, vm }: Fixture, scratch: boolean, mayFault = false): void {
    for (const page of this.probes) {
      const wanted = this.#shown.get(page);
      const pa =
        wanted === undefined || wanted.bo === 0 ? 0 : file.bo(wanted.bo)?.pages?.addressAt(wanted.offset);
      const kind = wanted === undefined ? (scratch ? "null" : "fault") : wanted.bo === 0 ? "null" : "page";
      const writable = wanted === undefined ? scratch : !wanted.readOnly;
      // Through the tables, and through the TLB, which may hold what earlier ioctls left there.
      for (const walk of [vm.addressSpace.walk(page), vm.addressSpace.translate(page)]) {
        if (mayFault && wanted !== undefined && walk.kind === "fault") continue;
        if (walk.kind !== kind || walk.pa !== pa || walk.writable !== writable) {
          expect([page, walk.kind, walk.pa, walk.writable]).toEqual([page, kind, pa, writable]);
        }
      }
    }
  }
}

/** num_live of every table equals its entries; the child map equals the tables; nothing is lost. */
function checkBookkeeping({ device, vm }: Fixture): void {
  const { tables } = dumpTables(vm);
  const wrong = tables.filter(
    (t) => t.numLive !== t.counted || (t.counted === 0 && t.level < vm.pageTable.rootLevel),
  );
  expect(wrong).toEqual([]);
  expect(device.memory.tables.live).toBe(tables.length + vm.pageTable.scratchTables.length);
}

function checkReferences({ file, vm }: Fixture): void {
  let refs = 1;
  const perBo = new Map<number, number>();
  for (const m of vm.mappings()) {
    refs += m.bo === 0 ? 2 : 1;
    if (m.bo !== 0) perBo.set(m.bo, (perBo.get(m.bo) ?? 0) + 1);
  }
  expect(vm.gpuvm.refs).toBe(refs + perBo.size);
  for (const bo of [1, 2, 3]) {
    const n = perBo.get(bo) ?? 0;
    expect(file.bo(bo)?.refs).toBe(1 + n + (n > 0 ? 1 : 0));
  }
}

const FRAGMENTATIONS = ["contiguous", "huge", "scattered"] as const;
const repaired: XeQuirks = NO_QUIRKS;

function run(
  platform: string,
  flags: number,
  tlb: object | null,
  quirks: XeQuirks,
  sequence: Step[][],
): void {
  const f = fixture(platform, { tlb, quirks }, flags);
  for (const fragmentation of FRAGMENTATIONS) {
    const handle = f.file.createBo(BO_BYTES, { placement: 1, cpuCaching: 1, vm: f.vm, fragmentation });
    f.file.bo(handle)?.populate();
  }
  const pages = new Pages();
  const scratch = (flags & VM_CREATE_FLAG_SCRATCH_PAGE) !== 0;
  for (const steps of sequence) {
    const ops = steps.map((s) => opOf(s, platform === "pvc" ? 3 : 0));
    expect([bind(f.file, ops), f.file.lastError?.message]).toEqual([0, undefined]);
    for (const op of ops) pages.apply(op);
    pages.check(f, scratch);
    checkBookkeeping(f);
    checkReferences(f);
    checkDeviceInvariants(f.device, [f.file]);
  }
  expect(bind(f.file, [unmap(0, 2 ** 48)])).toBe(0);
  expect(dumpTables(f.vm).tables).toHaveLength(1);
  f.file.close();
  expect([f.device.memory.tables.live, f.device.counters.gpuvasLive, f.device.gems.size]).toEqual([0, 0, 0]);
}

describe("any sequence of binds shows what a page-by-page model shows", () => {
  const runs = { numRuns: 100, seed: 7 };

  it.each([
    ["tgl", 0],
    ["dg2", VM_CREATE_FLAG_SCRATCH_PAGE],
    ["pvc", VM_CREATE_FLAG_SCRATCH_PAGE | VM_CREATE_FLAG_LR_MODE],
  ])("%s, flags %i: one operation an ioctl, as the kernel is", (platform, flags) => {
    const quirks: XeQuirks = { ...NO_QUIRKS, lostRemnant: true };
    fc.assert(
      fc.property(ioctls(1), (sequence) => run(platform, flags, {}, quirks, sequence)),
      runs,
    );
  });

  it.each([
    ["tgl", 0, null],
    ["dg2", 0, {}],
    ["dg2", VM_CREATE_FLAG_SCRATCH_PAGE, {}],
    ["dg1", VM_CREATE_FLAG_SCRATCH_PAGE | VM_CREATE_FLAG_LR_MODE, {}],
  ])("%s, flags %i, TLB %o: arrays, with their lost remnants repaired", (platform, flags, tlb) => {
    fc.assert(
      fc.property(ioctls(5), (sequence) => run(platform, flags, tlb, repaired, sequence)),
      runs,
    );
  });
});

describe("an array that maps and prefetches one range", () => {
  it.each([true, false])("countedTwice %s: the emptied table stays, or goes", (countedTwice) => {
    const f = fixture("dg2", { quirks: { ...NO_QUIRKS, countedTwice } });
    const addr = 8 * GIB;
    // The first page makes the tables; the second is staged twice into one that exists.
    expect(bind(f.file, [nul(addr, PAGE)])).toBe(0);
    expect(bind(f.file, [nul(addr + PAGE, PAGE), prefetch(addr + PAGE, PAGE)])).toBe(0);
    checkDeviceInvariants(f.device, [f.file]);
    expect(bind(f.file, [unmap(addr, 2 * PAGE)])).toBe(0);
    checkDeviceInvariants(f.device, [f.file]);
    expect(f.vm.addressSpace.walk(addr).kind).toBe("fault");
    expect(dumpTables(f.vm).tables.length).toBe(countedTwice ? 4 : 1);
  });
});

describe("a fault-mode VM with scratch", () => {
  it("shows what is mapped or faults there, scratch elsewhere, and counts its zero leaves once", () => {
    const steps = fc.record({ step, immediate: fc.boolean(), faultFirst: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(fc.array(steps, { minLength: 1, maxLength: 3 }), { maxLength: 12 }),
        (sequence) => {
          const f = fixture("bmg", { quirks: repaired }, 7);
          for (const fragmentation of FRAGMENTATIONS) {
            const handle = f.file.createBo(BO_BYTES, {
              placement: 1,
              cpuCaching: 1,
              vm: f.vm,
              fragmentation,
            });
            f.file.bo(handle)?.populate();
          }
          const pages = new Pages();
          for (const ioctl of sequence) {
            const ops = ioctl.map(({ step: s, immediate }) => {
              const op = opOf(s, 1);
              return op.op === 0 && immediate ? { ...op, flags: (op.flags ?? 0) | 2 } : op;
            });
            expect([bind(f.file, ops), f.file.lastError?.message]).toEqual([0, undefined]);
            for (const op of ops) pages.apply(op);
            const mapped = [...f.vm.mappings()][0];
            if (ioctl[0]?.faultFirst && mapped !== undefined) f.vm.fault(mapped.addr);
            pages.check(f, true, true);
            checkBookkeeping(f);
            checkReferences(f);
            checkDeviceInvariants(f.device, [f.file]);
          }
          expect(bind(f.file, [unmap(0, 2 ** 48)])).toBe(0);
          expect(dumpTables(f.vm).tables).toHaveLength(1);
        },
      ),
      { numRuns: 100, seed: 5 },
    );
  });
});

describe("an ioctl that runs out of memory", () => {
  it("leaves everything as it was, whichever allocation failed", () => {
    fc.assert(
      fc.property(ioctls(4), fc.array(step, { minLength: 1, maxLength: 5 }), (before, failing) => {
        let left = Number.POSITIVE_INFINITY;
        const f = fixture("dg2", { quirks: repaired, allocFault: () => left-- <= 0 });
        for (const fragmentation of FRAGMENTATIONS) {
          f.file.createBo(BO_BYTES, { placement: 1, cpuCaching: 1, vm: f.vm, fragmentation });
        }
        for (const steps of before)
          expect(
            bind(
              f.file,
              steps.map((s) => opOf(s)),
            ),
          ).toBe(0);
        const state = (): unknown => [
          [...f.vm.mappings()],
          dumpTables(f.vm),
          f.vm.gpuvm.refs,
          [1, 2, 3].map((b) => f.file.bo(b)?.refs),
        ];
        const ops = failing.map((s) => opOf(s));
        let ret = -1;
        for (let n = 0; ret !== 0; n++) {
          const old = state();
          left = n;
          ret = bind(f.file, ops);
          left = Number.POSITIVE_INFINITY;
          if (ret === 0) break;
          expect([-ENOMEM, -ENOBUFS]).toContain(ret);
          expect(state()).toEqual(old);
          checkBookkeeping(f);
          checkReferences(f);
          checkDeviceInvariants(f.device, [f.file]);
        }
        const pages = new Pages();
        for (const steps of before) for (const s of steps) pages.apply(opOf(s));
        for (const op of ops) pages.apply(op);
        for (const bo of [1, 2, 3]) f.file.bo(bo)?.populate();
        pages.check(f, false);
      }),
      { numRuns: 40, seed: 11 },
    );
  });
});
