/**
 * What the GPU sees, against a naive array of pages, for every page size and in whatever order they meet: regions made and taken
 * away, mappings made, cut, replaced by others of another page size, moved away and brought back. After each call every invariant
 * holds, and a call that is refused has changed nothing.
 */

import { Fence, type IoctlCall, issue, viewOf } from "@vmbind/drm";
import { Walk } from "@vmbind/mmu";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type BackendName,
  checkDeviceInvariants,
  GEM_DOMAIN_GART,
  GEM_DOMAIN_VRAM,
  NouveauDevice,
  type NouveauFile,
  type NouveauVm,
  openNvk,
  queueBindCall,
  SYNC,
  VM_BIND,
  VM_BIND_OP_MAP,
  VM_BIND_OP_UNMAP,
  VM_BIND_SPARSE,
  type VmBindOp,
  vmBindCall,
} from "../src/index.ts";

const PAGE = 0x1000;
/** The window: three blocks of 2 MiB, and the pages around them. */
const START = 0x40_0000_0000 - 0x20_0000;
const PAGES = 4 * 512;
/** Pages of 2 MiB, of 64 KiB, of 4 KiB in VRAM, of 4 KiB in system memory. */
const OBJECTS: readonly [size: number, domain: number][] = [
  [0x60_0000, GEM_DOMAIN_VRAM],
  [0x4_0000, GEM_DOMAIN_VRAM],
  [0x8_0000, GEM_DOMAIN_VRAM | GEM_DOMAIN_GART],
  [0x2_0000, GEM_DOMAIN_GART],
];

interface Drawn {
  what: "map" | "unmap" | "sparse" | "unsparse";
  object: number;
  /** First page of the window, page of the object, pages. */
  page: number;
  offset: number;
  pages: number;
  /** log2 of the pages that all three are rounded to. */
  lg2: number;
}

type Call = { ops: Drawn[]; queued: boolean } | { evict: number } | { run: true } | { fail: number };

const drawnOp: fc.Arbitrary<Drawn> = fc.record({
  what: fc.constantFrom("map", "map", "map", "unmap", "unmap", "sparse", "unsparse"),
  object: fc.nat(OBJECTS.length - 1),
  page: fc.nat(PAGES - 1),
  offset: fc.nat(1535),
  pages: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 1024 })),
  lg2: fc.constantFrom(0, 0, 4, 4, 9),
});

const calls: fc.Arbitrary<Call[]> = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({ ops: fc.array(drawnOp, { minLength: 1, maxLength: 4 }), queued: fc.boolean() }),
    },
    { weight: 1, arbitrary: fc.record({ evict: fc.nat(OBJECTS.length - 1) }) },
    { weight: 1, arbitrary: fc.constant({ run: true as const }) },
    { weight: 2, arbitrary: fc.record({ fail: fc.integer({ min: 1, max: 6 }) }) },
  ),
  { minLength: 1, maxLength: 24 },
);

/** What each page of the window should show: the region that it lies in, and the page of an object. */
class Pages {
  readonly regions: { page: number; pages: number }[] = [];
  readonly shows: ({ object: number; page: number } | null)[] = new Array(PAGES).fill(null);

  apply({ what, object, page, offset, pages }: Drawn): void {
    if (what === "sparse") this.regions.push({ page, pages });
    if (what === "unsparse") {
      this.regions.splice(
        this.regions.findIndex((r) => r.page === page && r.pages === pages),
        1,
      );
    }
    for (let i = 0; i < pages && what !== "sparse"; i++) {
      this.shows[page + i] = what === "map" ? { object, page: offset + i } : null;
    }
  }

  isSparse(at: number): boolean {
    return this.regions.some(({ page, pages }) => at >= page && at < page + pages);
  }
}

/** The same operation with its numbers rounded and inside the window and the object. */
function fitted(drawn: Drawn, { regions }: Pages): Drawn {
  const unit = 2 ** drawn.lg2;
  const down = (value: number): number => value - (value % unit);
  const size = (OBJECTS[drawn.object] as [number, number])[0] / PAGE;
  const page = down(drawn.page);
  let pages = Math.min(Math.max(unit, down(drawn.pages)), PAGES - page);
  let offset = 0;
  if (drawn.what === "map") {
    offset = Math.min(down(drawn.offset), size - 1);
    pages = Math.min(pages, size - offset);
  }
  // A region goes only whole, so most of the time one that is there.
  const known = regions[drawn.offset % (regions.length + 1)];
  if (drawn.what === "unsparse" && known !== undefined) return { ...drawn, ...known, offset: 0 };
  return { ...drawn, page, pages, offset };
}

function opOf({ what, page, offset, pages }: Drawn, handle: number): Partial<VmBindOp> {
  const range = { addr: START + page * PAGE, range: pages * PAGE };
  if (what === "map") return { ...range, op: VM_BIND_OP_MAP, handle, boOffset: offset * PAGE };
  if (what === "unmap") return { ...range, op: VM_BIND_OP_UNMAP };
  return { ...range, op: what === "sparse" ? VM_BIND_OP_MAP : VM_BIND_OP_UNMAP, flags: VM_BIND_SPARSE };
}

function newObject(file: NouveauFile, size: number, domain: number): number {
  const info = { handle: 0, domain, size, offset: 0, mapHandle: 0, tileMode: 0, tileFlags: 0 };
  return file.gemNew({ info, channelHint: 0, align: 0 }).handle;
}

function expectView(file: NouveauFile, vm: NouveauVm, handles: readonly number[], model: Pages): void {
  const walk = new Walk();
  for (let i = 0; i < PAGES; i++) {
    vm.addressSpace.walk(START + i * PAGE, walk);
    const shown = model.shows[i] ?? null;
    const bo = shown === null ? undefined : file.bo(handles[shown.object] as number);
    // What was moved away is not there until somebody needs it.
    const there = shown !== null && bo !== undefined && !bo.evicted;
    const want = there ? "page" : model.isSparse(i) ? "null" : "fault";
    if (walk.kind !== want) throw new Error(`page ${i}: ${walk.kind}, should be ${want}`);
    if (there && walk.pa !== bo.pages.addressAt(shown.page * PAGE))
      throw new Error(`page ${i}: another page`);
  }
}

describe.each(["tu102", "gh100"] as const)("%s", (backend: BackendName) => {
  test("is what a naive array of pages has", { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(calls, (drawn) => {
        let untilFailure = 0;
        const device = new NouveauDevice({
          backend,
          allocFault: (point) => point === "page-table" && untilFailure > 0 && --untilFailure === 0,
        });
        const file = device.open();
        openNvk(file);
        const vm = file.ownVm as NouveauVm;
        const handles = OBJECTS.map(([size, domain]) => newObject(file, size, domain));
        const model = new Pages();
        vm.queue.held = true;
        for (const call of drawn) {
          if ("evict" in call) {
            const bo = file.bo(handles[call.evict] as number);
            if (bo !== undefined) device.evict(bo);
          } else if ("run" in call) {
            vm.queue.run();
          } else if ("fail" in call) {
            untilFailure = call.fail;
          } else {
            const ops = call.ops.map((op) => fitted(op, model));
            const sent = ops.map((op) => opOf(op, handles[op.object] as number));
            const ret = issue(file, call.queued ? queueBindCall(sent, 0) : vmBindCall(sent));
            if (ret === 0) for (const op of ops) model.apply(op);
            untilFailure = 0;
          }
          checkDeviceInvariants(device, [file]);
          if (vm.queue.jobs.length === 0) expectView(file, vm, handles, model);
        }
        vm.queue.run();
        checkDeviceInvariants(device, [file]);
        expectView(file, vm, handles, model);
        file.close();
        expect([device.memory.tables.live, device.gems.size, device.counters.backingBytes]).toEqual([
          0, 0, 0,
        ]);
      }),
      { numRuns: Number(process.env["NV_RUNS"] ?? 50), seed: Number(process.env["NV_SEED"] ?? 16) },
    );
  });
});

describe.each([
  ["2 MiB", 0x20_0000, 0],
  ["64 KiB", 0x1_0000, 0x1_0000],
  ["4 KiB", 0x1000, 0x1000],
] as const)("a sparse entry of %s", (_name, bytes, at) => {
  test("reads 0 and drops stores, also where a page was bound and is gone again", () => {
    const device = new NouveauDevice();
    const file = device.open();
    openNvk(file);
    const gpu = (file.ownVm as NouveauVm).addressSpace;
    const handle = newObject(file, 0x20_0000, GEM_DOMAIN_VRAM);
    const addr = 0x40_0000_0000 + at;
    const must = (op: Partial<VmBindOp>) => expect(issue(file, vmBindCall([op]))).toBe(0);
    must({ op: VM_BIND_OP_MAP, flags: VM_BIND_SPARSE, addr, range: bytes });
    expect(gpu.walk(addr)).toMatchObject({ kind: "null", sizeBytes: bytes });
    const dropped = (va: number): void => {
      gpu.store32(va, 0xdeadbeef);
      expect(gpu.load32(va)).toBe(0);
    };
    dropped(addr);
    must({ op: VM_BIND_OP_MAP, handle, addr, range: 0x1000 });
    gpu.store32(addr, 0xcafe);
    expect(gpu.load32(addr)).toBe(0xcafe);
    if (bytes > 0x1000) dropped(addr + 0x1000);
    must({ op: VM_BIND_OP_UNMAP, addr, range: bytes });
    dropped(addr);
    expect(gpu.walk(addr)).toMatchObject({ kind: "null", sizeBytes: bytes });
    must({ op: VM_BIND_OP_UNMAP, flags: VM_BIND_SPARSE, addr, range: bytes });
    expect(() => gpu.load32(addr)).toThrow("not-present");
    checkDeviceInvariants(device, [file]);
  });
});

test.each([
  ["2 MiB", 0x20_0000, GEM_DOMAIN_VRAM],
  ["64 KiB", 0x1_0000, GEM_DOMAIN_VRAM],
  ["4 KiB", 0x1000, GEM_DOMAIN_VRAM | GEM_DOMAIN_GART],
])("whoever waits for an UNMAP of pages of %s finds a fault when it is told", (_name, bytes, domain) => {
  const device = new NouveauDevice();
  const file = device.open();
  openNvk(file);
  const vm = file.ownVm as NouveauVm;
  const handle = newObject(file, bytes, domain);
  const addr = 0x40_0000_0000;
  expect(issue(file, vmBindCall([{ op: VM_BIND_OP_MAP, handle, addr, range: bytes }]))).toBe(0);
  expect(vm.addressSpace.walk(addr)).toMatchObject({ kind: "page", sizeBytes: bytes });
  const fence = file.syncobjs.create();
  vm.queue.held = true;
  expect(issue(file, queueBindCall([{ op: VM_BIND_OP_UNMAP, addr, range: bytes }], fence))).toBe(0);
  const seen: string[] = [];
  file.syncobjs
    .get(fence)
    ?.find(0)
    ?.onSignal(() => seen.push(vm.addressSpace.walk(addr).kind));
  vm.queue.run();
  expect(seen).toEqual(["fault"]);
  checkDeviceInvariants(device, [file]);
});

const ADDR = 0x40_0000_0000;
const SIZE = 0x4000;
const AT = { addr: ADDR, range: SIZE };

describe.each([
  ["an UNMAP", [{ op: VM_BIND_OP_UNMAP, ...AT }]],
  ["an UNMAP SPARSE of its region", [{ op: VM_BIND_OP_UNMAP, flags: VM_BIND_SPARSE, ...AT }]],
  ["a MAP of another object", [{ op: VM_BIND_OP_MAP, handle: 2, ...AT }]],
])("while %s waits that takes the last mapping of an object out", (_name, ops) => {
  function waiting(): { device: NouveauDevice; file: NouveauFile; vm: NouveauVm } {
    const device = new NouveauDevice();
    const file = device.open();
    openNvk(file);
    newObject(file, SIZE, GEM_DOMAIN_VRAM);
    newObject(file, SIZE, GEM_DOMAIN_VRAM);
    const vm = file.ownVm as NouveauVm;
    const region = { op: VM_BIND_OP_MAP, flags: VM_BIND_SPARSE, ...AT };
    expect(issue(file, vmBindCall([region, { op: VM_BIND_OP_MAP, handle: 1, ...AT }]))).toBe(0);
    vm.addressSpace.store32(ADDR, 0xcafe);
    return { device, file, vm };
  }

  test("the object stays where it is, as the GPU reaches it until then", () => {
    const { device, file, vm } = waiting();
    const bo = file.bo(1) as NonNullable<ReturnType<NouveauFile["bo"]>>;
    const gate = new Fence();
    const syncobj = file.syncobjs.create();
    file.syncobjs.get(syncobj)?.attach(0, gate);
    expect(issue(file, waitingBindCall(ops, syncobj))).toBe(0);
    expect(() => device.evict(bo)).toThrow("EBUSY");
    expect(bo.evicted).toBe(false);
    expect(vm.addressSpace.load32(ADDR)).toBe(0xcafe);
    gate.signal();
    device.evict(bo);
    expect(bo.evicted).toBe(true);
    checkDeviceInvariants(device, [file]);
  });

  test("whoever moves the object lets that run first, where nothing else holds it up", () => {
    const { device, file, vm } = waiting();
    const bo = file.bo(1) as NonNullable<ReturnType<NouveauFile["bo"]>>;
    vm.queue.held = true;
    expect(issue(file, queueBindCall(ops, 0))).toBe(0);
    device.evict(bo);
    expect([bo.evicted, vm.queue.jobs.length]).toEqual([true, 0]);
    checkDeviceInvariants(device, [file]);
  });
});

test("each VM_BIND that waits has tables of its own where page sizes meet, and runs though there are no others", () => {
  let dry = false;
  const device = new NouveauDevice({ allocFault: (point) => point === "page-table" && dry });
  const file = device.open();
  openNvk(file);
  const vm = file.ownVm as NouveauVm;
  const handle = newObject(file, 0x9_0000, GEM_DOMAIN_VRAM);
  expect(issue(file, vmBindCall([{ op: VM_BIND_OP_MAP, handle, addr: ADDR, range: 0x9_0000 }]))).toBe(0);
  vm.queue.held = true;
  const queued = (op: Partial<VmBindOp>): void => {
    expect(issue(file, queueBindCall([op], 0))).toBe(0);
    checkDeviceInvariants(device, [file]);
  };
  // A page of 4 KiB cuts those of 64 KiB; what is left behind the UNMAP has 64 KiB again.
  queued({ op: VM_BIND_OP_MAP, handle, addr: ADDR + 0x2_0000, range: 0x2000 });
  queued({ op: VM_BIND_OP_UNMAP, addr: ADDR, range: 0x4_0000 });
  // New tables of other work are not theirs.
  queued({ op: VM_BIND_OP_MAP, handle, addr: ADDR + 0x4000_0000, range: 0x2000 });
  dry = true;
  while (vm.queue.run(1) > 0) checkDeviceInvariants(device, [file]);
  const kinds = [0, 0x2_0000, 0x4_0000, 0x4000_0000].map((at) => vm.addressSpace.walk(ADDR + at).kind);
  expect(kinds).toEqual(["fault", "fault", "page", "page"]);
});

/** As `queueBindCall`, with a syncobj to wait for. */
function waitingBindCall(ops: readonly Partial<VmBindOp>[], syncobj: number): IoctlCall {
  const call = queueBindCall(ops, 0);
  const at = 0x7e00_0000_0000;
  const waits = { waitCount: 1, waitPtr: at };
  return {
    ...call,
    arg: VM_BIND.encode({ ...VM_BIND.read(viewOf(call.arg)), ...waits }),
    buffers: [...call.buffers, { addr: at, bytes: SYNC.encode({ handle: syncobj }) }],
  };
}

test.each([1, 31, 32, 300])("%i pages of 2 MiB show their object, and are gone after an UNMAP", (count) => {
  const device = new NouveauDevice();
  const file = device.open();
  openNvk(file);
  const gpu = (file.ownVm as NouveauVm).addressSpace;
  const bytes = count * 0x20_0000;
  const handle = newObject(file, bytes, GEM_DOMAIN_VRAM);
  // 300 of them reach into a second directory.
  const addr = 0x40_0000_0000 + 0x20_0000;
  const { pages } = file.bo(handle) as NonNullable<ReturnType<NouveauFile["bo"]>>;
  expect(issue(file, vmBindCall([{ op: VM_BIND_OP_MAP, handle, addr, range: bytes }]))).toBe(0);
  for (let at = 0x1000; at < bytes; at += 0x20_0000)
    expect(gpu.walk(addr + at)).toMatchObject({
      kind: "page",
      sizeBytes: 0x20_0000,
      pa: pages.addressAt(at),
    });
  expect(gpu.walk(addr - 1).kind).toBe("fault");
  expect(gpu.walk(addr + bytes).kind).toBe("fault");
  checkDeviceInvariants(device, [file]);
  expect(issue(file, vmBindCall([{ op: VM_BIND_OP_UNMAP, addr, range: bytes }]))).toBe(0);
  for (let at = 0; at < bytes; at += 0x20_0000) expect(gpu.walk(addr + at).kind).toBe("fault");
  checkDeviceInvariants(device, [file]);
});
