/**
 * What the GPU sees, by loads and stores: PRT reads 0 and drops stores, the second range of a buffer shows an object of zeros again and
 * again, and until page tables have been brought up to date the GPU sees what they say.
 */
import { issue, UserMemory } from "@vmbind/drm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type AmdgpuBo,
  AmdgpuDevice,
  type AmdgpuFile,
  type AmdgpuGfx,
  checkDeviceInvariants,
  createdHandle,
  gemVaCall,
  openRadv,
  RADV_VIEW_BIT,
  RADV_ZERO_BYTES,
  VA_OP_CLEAR,
  VA_OP_MAP,
  VA_OP_REPLACE,
  VA_OP_UNMAP,
  VM_DELAY_UPDATE,
  VM_PAGE_PRT,
} from "../src/index.ts";

const GFX: readonly AmdgpuGfx[] = ["9.0", "10.3", "11.0", "12.0"];
const RWX = 0xe;
const PAGE = 4096;
const TILE = 0x1_0000;
const MIB2 = 2 ** 21;
const VA = 0x40_0000_0000;

function must(file: AmdgpuFile, args: Parameters<typeof gemVaCall>[0]): void {
  if (issue(file, gemVaCall(args)) !== 0) throw file.lastError;
}

function memoryOf(file: AmdgpuFile, bytes: number): number {
  return file.gemCreate({ boSize: bytes, alignment: 0, domains: 4, domainFlags: 0x40 });
}

describe.each(GFX)("GFX %s", (gfx) => {
  test("PRT reads 0 and drops stores, and a tile in it is memory", () => {
    const file = new AmdgpuDevice({ gfx }).open();
    const gpu = file.space.addressSpace;
    must(file, { operation: VA_OP_MAP, flags: VM_PAGE_PRT, vaAddress: VA, mapSize: 100_007_936 });
    gpu.store32(VA + 0x1230, 7);
    expect(gpu.load32(VA + 0x1230)).toBe(0);
    const handle = memoryOf(file, TILE);
    must(file, { operation: VA_OP_REPLACE, handle, flags: RWX, vaAddress: VA + TILE, mapSize: TILE });
    gpu.store32(VA + TILE + 4, 8);
    expect(gpu.load32(VA + TILE + 4)).toBe(8);
    expect((file.bo(handle) as AmdgpuBo).read(4, 1)).toEqual(Uint8Array.of(8));
    expect(() => gpu.load32(VA - PAGE)).toThrow("fault");
  });

  test("around a new tile there is a hole until the next submission", () => {
    const device = new AmdgpuDevice({ gfx });
    const file = device.open();
    const gpu = file.space.addressSpace;
    must(file, { operation: VA_OP_MAP, flags: VM_PAGE_PRT, vaAddress: VA, mapSize: 4 * MIB2 });
    const handle = memoryOf(file, TILE);
    must(file, { operation: VA_OP_REPLACE, handle, flags: RWX, vaAddress: VA + TILE, mapSize: TILE });
    expect(gpu.load32(VA + TILE)).toBe(0);
    // Beside the tile, in what was one leaf of 2 MiB.
    expect(() => gpu.load32(VA)).toThrow("fault");
    expect(() => gpu.load32(VA + 2 * TILE)).toThrow("fault");
    // Another leaf.
    expect(gpu.load32(VA + MIB2)).toBe(0);
    checkDeviceInvariants(device, [file]);
    const before = device.counters.submissionEntries;
    file.space.submit();
    expect([gpu.load32(VA), gpu.load32(VA + 2 * TILE)]).toEqual([0, 0]);
    expect(device.counters.submissionEntries).toBeGreaterThan(before);
    checkDeviceInvariants(device, [file]);
  });

  test("a table that was made for clearing takes the leaf's place in the TLB too, calls later", () => {
    const device = new AmdgpuDevice({ gfx });
    const file = device.open();
    const gpu = file.space.addressSpace;
    must(file, { operation: VA_OP_MAP, flags: VM_PAGE_PRT, vaAddress: VA, mapSize: MIB2 });
    const [handle, other] = [memoryOf(file, TILE), memoryOf(file, TILE)];
    const later = RWX | VM_DELAY_UPDATE;
    must(file, { operation: VA_OP_REPLACE, handle, flags: later, vaAddress: VA + TILE, mapSize: TILE });
    // The last handle of an object goes: its mappings, of which there are none, are cleared, and all others that wait. No table is linked.
    file.gemClose(other);
    expect(gpu.load32(VA)).toBe(0);
    const { tlbInvalidations } = device.counters;
    must(file, { operation: VA_OP_MAP, handle, flags: RWX, vaAddress: VA + 4 * MIB2, mapSize: TILE });
    expect(() => gpu.load32(VA)).toThrow("fault");
    checkDeviceInvariants(device, [file]);
    expect(device.counters.tlbInvalidations).toBe(tlbInvalidations);
  });

  test("an entry that outlived its mapping is written over without a flush, and may stay in the TLB", () => {
    const device = new AmdgpuDevice({ gfx, quirks: { forgottenEntries: true } });
    const file = device.open();
    const gpu = file.space.addressSpace;
    const handle = memoryOf(file, TILE);
    must(file, { operation: VA_OP_MAP, handle, flags: RWX, vaAddress: VA, mapSize: TILE });
    must(file, { operation: VA_OP_CLEAR, vaAddress: VA, mapSize: PAGE });
    // The rest was cut, and not written since.
    file.gemClose(handle);
    expect(gpu.translate(VA + PAGE).kind).toBe("page");
    const absent = file.gemCreate({ boSize: PAGE, alignment: 0, domains: 1, domainFlags: 0 });
    must(file, { operation: VA_OP_MAP, handle: absent, flags: RWX, vaAddress: VA + PAGE, mapSize: PAGE });
    expect(gpu.walk(VA + PAGE).kind).toBe("fault");
    expect(gpu.translate(VA + PAGE).kind).toBe("page");
    checkDeviceInvariants(device, [file]);
  });

  test("with DELAY_UPDATE the GPU sees what was there before, until something brings the tables up to date", () => {
    const file = new AmdgpuDevice({ gfx }).open();
    const gpu = file.space.addressSpace;
    const flags = VM_PAGE_PRT | VM_DELAY_UPDATE;
    must(file, { operation: VA_OP_MAP, flags, vaAddress: VA, mapSize: TILE });
    expect(() => gpu.load32(VA)).toThrow("fault");
    file.space.submit();
    expect(gpu.load32(VA)).toBe(0);
    must(file, { operation: VA_OP_UNMAP, flags, vaAddress: VA, mapSize: 0 });
    expect(gpu.load32(VA)).toBe(0);
    file.space.submit();
    expect(() => gpu.load32(VA)).toThrow("fault");
  });

  test("an object that moved shows where it was until the next submission, and then with its bytes", () => {
    const device = new AmdgpuDevice({ gfx });
    const file = device.open();
    const gpu = file.space.addressSpace;
    const handle = memoryOf(file, TILE);
    must(file, { operation: VA_OP_MAP, handle, flags: RWX, vaAddress: VA, mapSize: TILE });
    gpu.store32(VA, 9);
    const bo = file.bo(handle) as AmdgpuBo;
    device.moveBo(bo, "gtt", true);
    bo.write(0, Uint8Array.of(10));
    expect(gpu.walk(VA).pa).not.toBe(bo.pages?.pa[0]);
    file.space.submit();
    expect(gpu.load32(VA)).toBe(10);
    checkDeviceInvariants(device, [file]);
  });

  test("an object larger than this process has room for moves with what was stored to it", () => {
    const device = new AmdgpuDevice({ gfx });
    const file = device.open();
    const bytes = 2 ** 33;
    const bo = file.bo(memoryOf(file, bytes)) as AmdgpuBo;
    bo.write(bytes - 1, Uint8Array.of(5));
    device.moveBo(bo, "gtt", true);
    expect([bo.place, bo.read(bytes - 1, 1)[0], device.memory.residentBytes]).toEqual(["gtt", 5, PAGE]);
  });

  test("lost VRAM comes back with the next submission, all of it", () => {
    const device = new AmdgpuDevice({ gfx });
    const file = device.open();
    const gpu = file.space.addressSpace;
    const handle = memoryOf(file, TILE);
    must(file, { operation: VA_OP_MAP, flags: VM_PAGE_PRT, vaAddress: VA, mapSize: MIB2 });
    must(file, { operation: VA_OP_REPLACE, handle, flags: RWX, vaAddress: VA, mapSize: TILE });
    file.space.submit();
    gpu.store32(VA, 1);
    file.space.vramLost();
    device.tlb.invalidateAll(file.space.pasid, 0);
    expect(() => gpu.load32(VA + TILE)).toThrow("fault");
    file.space.submit();
    expect([gpu.load32(VA), gpu.load32(VA + TILE)]).toEqual([1, 0]);
    checkDeviceInvariants(device, [file]);
  });
});

describe("radv's second range", () => {
  test("reads 0, and is one object of zeros again and again", () => {
    const file = new AmdgpuDevice().open();
    const { umd, va } = openRadv(file, { gfx: "10.3" });
    const low = va.alloc(100e6);
    for (const call of umd.create(low + RADV_VIEW_BIT, 100e6)) expect(issue(file, call)).toBe(0);
    const gpu = file.space.addressSpace;
    for (const at of [0, RADV_ZERO_BYTES, 90e6]) {
      const address = low + at - (at % PAGE);
      expect([gpu.load32(address), gpu.load32(address + RADV_VIEW_BIT)]).toEqual([0, 0]);
    }
    gpu.store32(low + 64, 5);
    expect(gpu.load32(low + RADV_ZERO_BYTES + 64)).toBe(5);
    // The other range drops what is stored.
    gpu.store32(low + RADV_VIEW_BIT + 64, 6);
    expect([gpu.load32(low + RADV_VIEW_BIT + 64), gpu.load32(low + 64)]).toEqual([0, 5]);
    for (const call of umd.destroy(low + RADV_VIEW_BIT, 100e6)) expect(issue(file, call)).toBe(0);
    expect(() => gpu.load32(low)).toThrow("fault");
  });

  test("is not there on GFX9, nor for images", () => {
    for (const options of [{ gfx: "9.0" }, { gfx: "12.0", images: true }] as const) {
      const file = new AmdgpuDevice({ gfx: options.gfx }).open();
      const { umd } = openRadv(file, options);
      expect(umd.create(VA, 100e6)).toHaveLength(1);
      expect(umd.zeroHandle).toBe(0);
    }
  });
});

/** Pages of a small world, and what each shows: nothing, PRT, or a page of one of two objects. */
type Shown = null | "prt" | { object: number; page: number };

describe("any operations, then a submission", () => {
  const PAGES = 1200;
  const step = fc.record({
    kind: fc.constantFrom("map", "replace", "replace", "prt", "prt", "clear", "unmap", "submit", "move"),
    first: fc.nat(PAGES - 1),
    pages: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(512, 640)),
    object: fc.integer({ min: 0, max: 1 }),
    offset: fc.nat(200),
    delay: fc.boolean(),
  });

  test.each(GFX)("leave what a plain array of pages has, GFX %s", (gfx) => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => {
        const device = new AmdgpuDevice({ gfx, boFragmentation: "scattered" });
        const file = device.open();
        // 1 GiB - 2 MiB on: tables of all levels meet.
        const base = 2 ** 39 - MIB2;
        const objects = [
          memoryOf(file, 900 * PAGE),
          file.gemCreate({ boSize: 900 * PAGE, alignment: 0, domains: 2, domainFlags: 0 }),
        ];
        const world: Shown[] = new Array(PAGES).fill(null);
        const starts = new Map<number, number>();
        const individual = (): AmdgpuBo[] => [file.bo(objects[1] as number) as AmdgpuBo];
        for (const { kind, first, pages: wanted, object, offset, delay } of steps) {
          const pages = Math.min(wanted, PAGES - first);
          const handle = objects[object] as number;
          const where = { vaAddress: base + first * PAGE, mapSize: pages * PAGE };
          const later = delay ? VM_DELAY_UPDATE : 0;
          if (kind === "submit") file.space.submit(individual());
          else if (kind === "move") {
            const bo = file.bo(handle) as AmdgpuBo;
            device.moveBo(bo, bo.place === "vram" ? "gtt" : "vram", delay);
          } else if (kind === "unmap") {
            const length = starts.get(first);
            const call = gemVaCall({ operation: VA_OP_UNMAP, flags: VM_PAGE_PRT | later, ...where });
            const isPrt = length !== undefined && world[first] === "prt";
            expect(issue(file, call) === 0).toBe(isPrt);
            if (isPrt) {
              world.fill(null, first, first + (length as number));
              starts.delete(first);
            }
          } else {
            const isFree = world.slice(first, first + pages).every((shown) => shown === null);
            const isPrt = kind === "prt";
            const args =
              kind === "clear"
                ? { operation: VA_OP_CLEAR, flags: later, ...where }
                : isPrt
                  ? { operation: VA_OP_REPLACE, flags: VM_PAGE_PRT | later, ...where }
                  : {
                      operation: kind === "map" ? VA_OP_MAP : VA_OP_REPLACE,
                      handle,
                      flags: RWX | later,
                      offsetInBo: offset * PAGE,
                      ...where,
                    };
            const ret = issue(file, gemVaCall(args));
            expect(ret === 0).toBe(kind !== "map" || isFree);
            if (ret !== 0) continue;
            cut(starts, first, pages);
            if (kind !== "clear") starts.set(first, pages);
            for (let i = 0; i < pages; i++) {
              world[first + i] = kind === "clear" ? null : isPrt ? "prt" : { object, page: offset + i };
            }
          }
          checkDeviceInvariants(device, [file]);
        }
        file.space.submit(individual());
        checkDeviceInvariants(device, [file]);
        const gpu = file.space.addressSpace;
        world.forEach((shown, i) => {
          const walk = gpu.translate(base + i * PAGE);
          const expected = shown === null ? "fault" : shown === "prt" ? "null" : "page";
          expect([i, walk.kind]).toEqual([i, expected]);
          if (typeof shown !== "object" || shown === null) return;
          const bo = file.bo(objects[shown.object] as number) as AmdgpuBo;
          expect([i, walk.pa]).toEqual([i, bo.pages?.addressAt(shown.page * PAGE)]);
        });
        file.close();
        expect(device.counters.tablesLive).toBe(0);
      }),
      { numRuns: 12 },
    );
  });
});

/** What a range does to the mappings that it meets: which begin where, and how long they are. */
function cut(starts: Map<number, number>, first: number, pages: number): void {
  for (const [start, length] of [...starts]) {
    const end = start + length;
    if (start >= first + pages || end <= first) continue;
    starts.delete(start);
    if (start < first) starts.set(start, first - start);
    if (end > first + pages) starts.set(first + pages, end - first - pages);
  }
}

test("a submission by its ioctls writes what waits, and signals its syncobjs", () => {
  const file = new AmdgpuDevice().open();
  const ctx = new Uint8Array(16);
  ctx[0] = 1;
  expect(file.ioctl(0xc0106442, ctx)).toBe(0);
  must(file, { operation: VA_OP_MAP, flags: VM_PAGE_PRT | VM_DELAY_UPDATE, vaAddress: VA, mapSize: PAGE });
  const syncobj = file.syncobjs.create();
  const user = new UserMemory();
  const words = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);
  user.place(0x1000, words(0x2000, 0, 0x3000, 0));
  user.place(0x2000, words(1, 8, 0x4000, 0));
  user.place(0x3000, words(5, 1, 0x5000, 0));
  user.place(0x4000, new Uint8Array(32));
  user.place(0x5000, words(syncobj));
  const cs = (chunks: number): Uint8Array => words(1, 0, chunks, 0, 0x1000, 0);
  expect(file.ioctl(0xc0186444, cs(0), user)).toBe(-22);
  expect(file.lastError?.reason).toBe("cs.num_chunks: 0");
  expect(() => file.space.addressSpace.load32(VA)).toThrow("fault");
  expect(file.ioctl(0xc0186444, cs(2), user)).toBe(0);
  expect(file.space.addressSpace.load32(VA)).toBe(0);
  expect(file.syncobjs.get(syncobj)?.find(0)?.signaled).toBe(true);
  expect(createdHandle(gemVaCall({ handle: 3 }))).toBe(3);
});
