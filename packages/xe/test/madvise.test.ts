/** MADVISE's memory attributes, and VM_QUERY_MEM_RANGE_ATTRS that tells them (`xe_vm_madvise.c`, Linux 7.3-rc7). */
import { EFAULT, EINVAL, ENOBUFS, ENOENT, ENOMEM, ENOSPC, UserMemory } from "@vmbind/drm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as xe from "../src/index.ts";
import {
  bind,
  type Fixture,
  fixture,
  GIB,
  MIB,
  map,
  mustBind,
  nul,
  type Op,
  systemBo,
  unmap,
  vramBo,
} from "./support.ts";

const PAGE = 4096;
const OUT = 0x5000;
const FAULT_MODE = xe.VM_CREATE_FLAG_FAULT_MODE | xe.VM_CREATE_FLAG_LR_MODE;
const { MEM_RANGE_ATTR_ATOMIC: ATOMIC, MEM_RANGE_ATTR_PAT: PAT, MEM_RANGE_ATTR_PREFERRED_LOC: LOCATION } = xe;

const mirror = (addr: number, range: number): Op => ({
  op: xe.VM_BIND_OP_MAP,
  flags: xe.VM_BIND_FLAG_CPU_ADDR_MIRROR,
  addr,
  range,
  patIndex: 1,
});

type Advice = Partial<xe.Madvise> & { location?: Partial<xe.MadviseLocation> };

function advise(file: xe.XeFile, { location, ...fields }: Advice): [number, string] {
  const arg = xe.MADVISE.encode({ vmId: 1, range: PAGE, ...fields });
  if (location) xe.MADVISE_LOCATION.write(new DataView(arg.buffer), 32, location);
  return [file.ioctl(xe.IOCTL_MADVISE, arg), file.lastError?.reason ?? ""];
}

function mustAdvise(file: xe.XeFile, advice: Advice): void {
  expect(advise(file, advice)).toEqual([0, ""]);
}

/** What VM_QUERY_MEM_RANGE_ATTRS tells of `[start, start + range)`. */
function attributes(file: xe.XeFile, start = 0, range = 2 ** 48): xe.MemRangeAttr[] {
  const ask = xe.VM_QUERY_MEM_RANGE_ATTR.encode({ vmId: 1, start, range });
  expect(file.ioctl(xe.IOCTL_VM_QUERY_MEM_RANGE_ATTRS, ask)).toBe(0);
  const { numMemRanges, sizeofMemRangeAttr } = xe.VM_QUERY_MEM_RANGE_ATTR.read(new DataView(ask.buffer));
  expect(sizeofMemRangeAttr).toBe(64);
  if (numMemRanges === 0) return [];
  const bytes = new Uint8Array(64 * numMemRanges);
  const user = new UserMemory();
  user.place(OUT, bytes);
  const again = { vmId: 1, start, range, numMemRanges, sizeofMemRangeAttr, vectorOfMemAttr: OUT };
  expect(file.ioctl(xe.IOCTL_VM_QUERY_MEM_RANGE_ATTRS, xe.VM_QUERY_MEM_RANGE_ATTR.encode(again), user)).toBe(
    0,
  );
  return Array.from({ length: numMemRanges }, (_, i) =>
    xe.MEM_RANGE_ATTR.read(new DataView(bytes.buffer), 64 * i),
  );
}

const check = ({ device, file }: Fixture): void => xe.checkDeviceInvariants(device, [file]);

describe("the structs", () => {
  const bytesOf = (bytes: Uint8Array): Record<number, number> =>
    Object.fromEntries([...bytes.entries()].filter(([, byte]) => byte !== 0));

  it("have their members where xe_drm.h has them", () => {
    expect(
      bytesOf(
        xe.MADVISE.encode({
          extensions: 1,
          start: 2,
          range: 3,
          vmId: 4,
          type: 5,
          val: 6,
          pad: 7,
          retainedPtr: 8,
          reserved: [9, 10],
        }),
      ),
    ).toEqual({ 0: 1, 8: 2, 16: 3, 24: 4, 28: 5, 32: 6, 36: 7, 40: 8, 48: 9, 56: 10 });
    expect(
      bytesOf(
        xe.MADVISE_LOCATION.encode({ devmemFd: 1, migrationPolicy: 2, regionInstance: 3, reserved: 4 }),
      ),
    ).toEqual({ 0: 1, 4: 2, 6: 3, 8: 4 });
    expect(
      bytesOf(
        xe.MEM_RANGE_ATTR.encode({
          start: 1,
          end: 2,
          devmemFd: 3,
          migrationPolicy: 4,
          atomic: 5,
          patIndex: 6,
        }),
      ),
    ).toEqual({ 8: 1, 16: 2, 24: 3, 28: 4, 32: 5, 40: 6 });
    expect(
      bytesOf(
        xe.VM_QUERY_MEM_RANGE_ATTR.encode({
          vmId: 1,
          numMemRanges: 2,
          start: 3,
          range: 4,
          sizeofMemRangeAttr: 5,
          vectorOfMemAttr: 6,
        }),
      ),
    ).toEqual({ 8: 1, 12: 2, 16: 3, 24: 4, 32: 5, 40: 6 });
    expect(
      bytesOf(
        xe.VM_GET_PROPERTY.encode({ vmId: 1, property: 2, size: 3, pad: 4, data: 5, reserved: [6, 7, 8] }),
      ),
    ).toEqual({ 8: 1, 12: 2, 16: 3, 20: 4, 24: 5, 32: 6, 40: 7, 48: 8 });
    expect(
      bytesOf(
        xe.VM_FAULT.encode({ address: 1, addressPrecision: 2, accessType: 3, faultType: 4, faultLevel: 5 }),
      ),
    ).toEqual({ 0: 1, 8: 2, 12: 3, 13: 4, 14: 5 });
  });
});

describe("MADVISE", () => {
  it.each<[string, Advice, number, RegExp]>([
    ["no VM", { vmId: 2 }, -EINVAL, /vm_id/],
    ["no VM, before all else", { vmId: 2, start: 1, type: 9 }, -EINVAL, /vm_id/],
    ["a crooked start", { start: 0x800, type: ATOMIC }, -EINVAL, /start/],
    ["a crooked range", { range: 0x1800, type: ATOMIC }, -EINVAL, /range/],
    ["no range", { range: 0, type: ATOMIC }, -EINVAL, /range: must not be 0/],
    ["no type", { type: 4 }, -EINVAL, /type/],
    ["a file descriptor below -1", { location: { devmemFd: 0xffff_fffe } }, -EINVAL, /devmem_fd/],
    [
      "an instance of no device",
      { location: { devmemFd: 0xffff_ffff, regionInstance: 1 } },
      -EINVAL,
      /instance/,
    ],
    ["an instance of the default device", { location: { regionInstance: 1 } }, -EINVAL, /instance/],
    ["a policy", { location: { migrationPolicy: 2 } }, -EINVAL, /policy/],
    ["a reserved word of a location", { location: { reserved: 1 } }, -EINVAL, /reserved/],
    ["another device", { location: { devmemFd: 3, regionInstance: 1 } }, -ENOENT, /devmem_fd/],
    ["atomics of nobody", { type: ATOMIC, val: 4 }, -EINVAL, /val/],
    ["a pad of atomics", { type: ATOMIC, pad: 1 }, -EINVAL, /pad/],
    ["a reserved word of atomics", { type: ATOMIC, retainedPtr: 8 }, -EINVAL, /reserved/],
    ["a PAT index too large", { type: PAT, val: 28 }, -EINVAL, /28/],
    ["a reserved PAT index", { type: PAT, val: 17 }, -EINVAL, /reserved entry/],
    ["a pad of a PAT index", { type: PAT, pad: 1 }, -EINVAL, /pad/],
    ["a purgeable state", { type: 3, val: 2 }, -EINVAL, /purgeable/],
    ["a pad of a purgeable state", { type: 3, pad: 1 }, -EINVAL, /pad/],
    ["a retained_ptr to nowhere", { type: 3, retainedPtr: 0x9000 }, -EFAULT, /0x9000/],
    ["reserved words", { type: ATOMIC, reserved: [0, 1] }, -EINVAL, /reserved/],
    ["a range beyond the VM", { type: ATOMIC, start: 2 ** 48 }, -EINVAL, /./],
    ["extensions, which nobody looks at", { type: ATOMIC, extensions: 1 }, 0, /^$/],
    ["nothing mapped", { type: PAT, val: 2 }, 0, /^$/],
  ])("%s", (_what, advice, ret, reason) => {
    const { file } = fixture("bmg");
    const [got, why] = advise(file, advice);
    expect(got).toBe(ret);
    expect(why).toMatch(reason);
  });

  it("cuts mirrors at the ends of the range, and their pieces keep what they had", () => {
    const f = fixture("lnl", {}, FAULT_MODE);
    mustBind(f.file, mirror(0, 16 * PAGE));
    mustAdvise(f.file, { start: PAGE, range: 4 * PAGE, type: ATOMIC, val: xe.ATOMIC_DEVICE });
    mustAdvise(f.file, {
      start: 3 * PAGE,
      range: 4 * PAGE,
      location: { devmemFd: 0xffff_ffff, migrationPolicy: 1 },
    });
    check(f);
    expect(
      attributes(f.file).map(({ start, end, atomic, devmemFd, migrationPolicy, patIndex }) => [
        start / PAGE,
        end / PAGE,
        atomic,
        devmemFd,
        migrationPolicy,
        patIndex,
      ]),
    ).toEqual([
      [0, 1, 0, 0, 0, 1],
      [1, 3, xe.ATOMIC_DEVICE, 0, 0, 1],
      [3, 5, xe.ATOMIC_DEVICE, 0xffff_ffff, 1, 1],
      [5, 7, 0, 0xffff_ffff, 1, 1],
      [7, 16, 0, 0, 0, 1],
    ]);
    // A location is a mirror's alone, and pieces that an UNMAP leaves have it still.
    mustBind(f.file, unmap(4 * PAGE, PAGE));
    expect(attributes(f.file, 3 * PAGE, PAGE)).toMatchObject([
      { atomic: xe.ATOMIC_DEVICE, devmemFd: 0xffff_ffff },
    ]);
    expect(f.device.counters.tlbInvalidations).toBe(0);
  });

  it("never cuts mappings of objects, and zaps them whole", () => {
    const f = fixture("bmg");
    const bo = systemBo(f, 4 * MIB);
    mustBind(f.file, map(GIB, 4 * MIB, bo, 0, 1));
    f.vm.addressSpace.load32(GIB + MIB);
    const invalidations = f.device.counters.tlbInvalidations;
    mustAdvise(f.file, { start: GIB + MIB, range: PAGE, type: PAT, val: 2 });
    check(f);
    expect([...f.vm.mappings()]).toMatchObject([{ addr: GIB, range: 4 * MIB, patIndex: 2, zapped: true }]);
    expect(f.device.counters.tlbInvalidations - invalidations).toBe(f.device.platform.gts);
    expect(f.vm.lastInvalidation).toMatchObject({ start: GIB, end: GIB + 4 * MIB });
    expect(() => f.vm.addressSpace.load32(GIB + MIB)).toThrow(/not-present/);
    // The same once more changes nothing.
    mustAdvise(f.file, { start: GIB, range: PAGE, type: PAT, val: 2 });
    expect(f.vm.lastInvalidation).toBeNull();
    mustBind(f.file, { op: xe.VM_BIND_OP_PREFETCH, addr: GIB, range: 4 * MIB });
    check(f);
    expect([...f.vm.mappings()]).toMatchObject([{ zapped: false, present: true }]);
    expect(f.vm.addressSpace.load32(GIB + MIB)).toBe(0);
    mustBind(f.file, unmap(GIB, 4 * MIB));
    check(f);
  });

  it("binds zapped leaves again at a fault, and not before", () => {
    const f = fixture("bmg", {}, FAULT_MODE | xe.VM_CREATE_FLAG_SCRATCH_PAGE);
    const bo = vramBo(f, 4 * MIB);
    mustBind(f.file, { ...map(GIB + 8 * PAGE, 3 * MIB, bo), flags: xe.VM_BIND_FLAG_IMMEDIATE });
    const before = f.vm.addressSpace.walk(GIB + MIB).lo;
    mustAdvise(f.file, { start: GIB + 8 * PAGE, type: PAT, val: 3 });
    check(f);
    // Zero, although the VM has a scratch page: an access that read zeroes would be wrong.
    expect(() => f.vm.addressSpace.load32(GIB + MIB)).toThrow(/not-present/);
    f.vm.fault(GIB + MIB);
    check(f);
    const after = f.vm.addressSpace.walk(GIB + MIB).lo;
    expect([before & 0x98, after & 0x98]).toEqual([0, 0x18]);
    f.vm.fault(GIB + MIB);
    mustBind(f.file, unmap(0, 2 ** 47));
    check(f);
  });

  it("leaves the leaves of null mappings as they are", () => {
    const f = fixture("bmg");
    mustBind(f.file, nul(0, 4 * MIB));
    const { counters } = f.device;
    const { tlbInvalidations, pteWrites } = counters;
    mustAdvise(f.file, { start: 0, range: 4 * MIB, type: PAT, val: 3 });
    expect([counters.tlbInvalidations, counters.pteWrites]).toEqual([tlbInvalidations, pteWrites]);
    check(f);
    // A cut between leaves touches nothing; one through a leaf binds the pieces anew, with what they have by then.
    mustAdvise(f.file, { start: 2 * MIB, range: 2 * MIB, type: PAT, val: 1 });
    expect(counters.pteWrites).toBe(pteWrites);
    mustAdvise(f.file, { start: 3 * MIB, range: MIB, type: ATOMIC, val: xe.ATOMIC_CPU });
    expect(counters.pteWrites).toBeGreaterThan(pteWrites);
    check(f);
    expect(attributes(f.file).map(({ end, patIndex, atomic }) => [end / MIB, patIndex, atomic])).toEqual([
      [2, 3, 0],
      [3, 1, 0],
      [4, 1, xe.ATOMIC_CPU],
    ]);
    expect(f.vm.addressSpace.load32(3 * MIB - 4)).toBe(0);
    mustBind(f.file, unmap(0, 2 * MIB), unmap(2 * MIB + PAGE, PAGE));
    check(f);
  });

  it("cuts user pointers, which keep showing the same pages", () => {
    const f = fixture("bmg");
    const objOffset = 0x10_0000;
    mustBind(f.file, { op: xe.VM_BIND_OP_MAP_USERPTR, addr: GIB, range: 32 * PAGE, objOffset, patIndex: 1 });
    const pages = [0, 5, 6, 31].map((page) => GIB + page * PAGE);
    const seen = (): unknown[] =>
      pages.map((va) => f.file.userPages.ownerOf(f.vm.addressSpace.walk(va).pa)?.addr);
    const before = seen();
    mustAdvise(f.file, { start: GIB + 5 * PAGE, range: PAGE, type: ATOMIC, val: xe.ATOMIC_CPU });
    check(f);
    expect(seen()).toEqual(before);
    // The CPU's atomics say nothing new of memory that is the CPU's.
    expect(attributes(f.file).map(({ start, atomic }) => [(start - GIB) / PAGE, atomic])).toEqual([
      [0, 0],
      [5, 0],
      [6, 0],
    ]);
    mustAdvise(f.file, { start: GIB + 5 * PAGE, range: PAGE, type: ATOMIC, val: xe.ATOMIC_DEVICE });
    expect(attributes(f.file, GIB + 5 * PAGE, PAGE)).toMatchObject([{ atomic: xe.ATOMIC_DEVICE }]);
    expect([...f.vm.mappings()].map(({ zapped }) => zapped)).toEqual([false, true, false]);
    check(f);
  });

  it("refuses atomics where the object cannot be", () => {
    const placements = { system: 1, vram: 2, both: 3 };
    const answers = (platform: string): Record<string, string> => {
      const f = fixture(platform);
      const result: Record<string, string> = {};
      for (const [name, placement] of Object.entries(placements)) {
        const obj = f.file.createBo(MIB, { placement, cpuCaching: placement === 1 ? 1 : 2 });
        mustBind(f.file, map(GIB, MIB, obj, 0, f.device.platform.patWb));
        const ret = [0, 1, 2, 3].map(
          (val) => advise(f.file, { start: GIB, range: MIB, type: ATOMIC, val })[0],
        );
        result[name] = ret.map((r) => (r === 0 ? "+" : "-")).join("");
        check(f);
      }
      return result;
    };
    expect(answers("bmg")).toEqual({ system: "++-+", vram: "++--", both: "++++" });
    // Without device atomics on system memory.
    expect(answers("pvc")).toEqual({ system: "+--+", vram: "++--", both: "++++" });
  });

  it("refuses PAT indices that the CPU's caches make wrong", () => {
    const answer = (platform: string, op: Op, val: number, flags = 0): number => {
      const f = fixture(platform, {}, flags);
      systemBo(f, MIB);
      f.file.createBo(MIB, { placement: xe.PLACEMENT_SYSTEM, cpuCaching: xe.GEM_CPU_CACHING_WC });
      mustBind(f.file, { ...op, addr: GIB, range: MIB, patIndex: op.patIndex ?? 2 });
      const [ret] = advise(f.file, { start: GIB, range: MIB, type: PAT, val });
      check(f);
      return ret;
    };
    const user: Op = { op: xe.VM_BIND_OP_MAP_USERPTR, objOffset: 0x1000 };
    expect([answer("lnl", { obj: 1 }, 3), answer("lnl", { obj: 2 }, 3)]).toEqual([-EINVAL, 0]);
    expect([answer("lnl", user, 3), answer("lnl", user, 1)]).toEqual([-EINVAL, 0]);
    expect(answer("lnl", mirror(0, 0), 3, FAULT_MODE)).toBe(-EINVAL);
    expect(answer("lnl", nul(0, 0), 3)).toBe(0);
    expect([answer("bmg", { obj: 1 }, 3), answer("bmg", user, 3)]).toEqual([0, 0]);
    // 35.10: one certain index, or two-way coherency, for memory of processes.
    expect([answer("nvlp", user, 1), answer("nvlp", user, 19), answer("nvlp", user, 2)]).toEqual([
      -EINVAL,
      0,
      0,
    ]);
    expect(answer("nvlp", { obj: 1 }, 1)).toBe(0);
  });

  it("keeps the cuts of a call that it then refuses", () => {
    const f = fixture("lnl", {}, FAULT_MODE);
    mustBind(f.file, mirror(0, 4 * PAGE));
    expect(advise(f.file, { start: PAGE, type: PAT, val: 3 })[0]).toBe(-EINVAL);
    expect(attributes(f.file).map(({ start, patIndex }) => [start / PAGE, patIndex])).toEqual([
      [0, 1],
      [1, 1],
      [2, 1],
    ]);
    check(f);
  });

  it("is undone as a whole when memory runs out", () => {
    for (let allowed = 0; allowed < 8; allowed++) {
      let left = Number.POSITIVE_INFINITY;
      const f = fixture("bmg", { allocFault: () => --left < 0 });
      mustBind(f.file, nul(0, 4 * MIB), nul(8 * MIB, 4 * MIB));
      const before = JSON.stringify([...f.vm.mappings()]);
      left = allowed;
      const [ret] = advise(f.file, { start: PAGE, range: 9 * MIB, type: ATOMIC, val: xe.ATOMIC_CPU });
      expect([0, -ENOMEM]).toContain(ret);
      if (ret !== 0) expect(JSON.stringify([...f.vm.mappings()])).toBe(before);
      else expect([...f.vm.mappings()].length).toBe(4);
      left = Number.POSITIVE_INFINITY;
      check(f);
    }
  });
});

describe("VM_QUERY_MEM_RANGE_ATTRS", () => {
  const ask = (
    file: xe.XeFile,
    fields: Partial<xe.VmQueryMemRangeAttr>,
  ): [number, xe.VmQueryMemRangeAttr] => {
    const user = new UserMemory();
    user.place(OUT, new Uint8Array(256));
    const arg = xe.VM_QUERY_MEM_RANGE_ATTR.encode({ vmId: 1, range: 2 ** 48, ...fields });
    const ret = file.ioctl(xe.IOCTL_VM_QUERY_MEM_RANGE_ATTRS, arg, user);
    return [ret, xe.VM_QUERY_MEM_RANGE_ATTR.read(new DataView(arg.buffer))];
  };

  it("takes all or nothing of count, size and array", () => {
    const { file } = fixture("bmg");
    mustBind(file, nul(0, PAGE), nul(2 * PAGE, PAGE));
    const given = { numMemRanges: 2, sizeofMemRangeAttr: 64, vectorOfMemAttr: OUT };
    const ret = (fields: Partial<xe.VmQueryMemRangeAttr>): number => ask(file, fields)[0];
    expect([ret({}), ret(given), ret({ ...given, numMemRanges: 4 })]).toEqual([0, 0, 0]);
    expect(ask(file, { ...given, numMemRanges: 4 })[1].numMemRanges).toBe(2);
    expect(ret({ ...given, numMemRanges: 0 })).toBe(-EINVAL);
    expect(ret({ sizeofMemRangeAttr: 64 })).toBe(-EINVAL);
    expect(ret({ vectorOfMemAttr: OUT })).toBe(-EINVAL);
    expect(ret({ ...given, sizeofMemRangeAttr: 56 })).toBe(-EINVAL);
    expect(ret({ ...given, vectorOfMemAttr: 0 })).toBe(-EINVAL);
    expect(ret({ vmId: 2 })).toBe(-EINVAL);
    expect(ret({ ...given, numMemRanges: 1 })).toBe(-ENOSPC);
    expect(ret({ ...given, vectorOfMemAttr: 0x9000 })).toBe(-EFAULT);
    expect(ret({ ...given, numMemRanges: 0xffff_ffff })).toBe(-ENOBUFS);
  });

  it("takes any start and range, and wraps their sum", () => {
    const { file } = fixture("bmg");
    mustBind(file, nul(PAGE, PAGE), nul(2 * PAGE, 2 * PAGE));
    const count = (start: bigint, range: bigint): number => {
      const arg = xe.VM_QUERY_MEM_RANGE_ATTR.encode({ vmId: 1 });
      const view = new DataView(arg.buffer);
      view.setBigUint64(16, start, true);
      view.setBigUint64(24, range, true);
      expect(file.ioctl(xe.IOCTL_VM_QUERY_MEM_RANGE_ATTRS, arg)).toBe(0);
      return view.getUint32(12, true);
    };
    const all = 2n ** 64n - 1n;
    expect([count(0n, all), count(1n, all), count(0x1fffn, 1n), count(0x1fffn, 2n)]).toEqual([2, 0, 1, 2]);
    expect([count(0x3000n, 0n), count(0x2000n, 0n), count(0xfffn, 1n)]).toEqual([1, 0, 0]);
  });
});

describe("attributes, against a model that keeps them for each page", () => {
  const PAGES = 24;
  const BASE = GIB - 8 * PAGE;
  const page = fc.integer({ min: 0, max: PAGES - 1 });
  const step = fc.record({
    kind: fc.constantFrom("null", "user", "mirror", "bo", "unmap", "atomic", "pat", "location", "fault"),
    from: page,
    to: page,
    value: fc.integer({ min: 0, max: 3 }),
  });

  interface Page {
    kind: string;
    /** Which MAP made it: an object's mapping has one set of attributes. */
    id: number;
    atomic: number;
    pat: number;
    location: number;
  }

  it.each(["lnl", "bmg"])("on a %s", (platform) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 24 }), fc.boolean(), (steps, scratch) => {
        const f = fixture(platform, {}, FAULT_MODE | (scratch ? xe.VM_CREATE_FLAG_SCRATCH_PAGE : 0));
        const obj = systemBo(f, PAGES * PAGE);
        const { patWb } = f.device.platform;
        const model: (Page | null)[] = new Array<Page | null>(PAGES).fill(null);
        steps.forEach(({ kind, from, to, value }, id) => {
          const first = Math.min(from, to);
          const last = Math.max(from, to);
          const addr = BASE + first * PAGE;
          const range = (last - first + 1) * PAGE;
          const inside = (i: number): boolean => i >= first && i <= last;
          const common = { addr, range, patIndex: patWb, flags: value === 0 ? xe.VM_BIND_FLAG_IMMEDIATE : 0 };
          const ops: Record<string, Op> = {
            null: { ...common, flags: common.flags | xe.VM_BIND_FLAG_NULL },
            user: { ...common, op: xe.VM_BIND_OP_MAP_USERPTR, objOffset: 0x10_0000 + first * PAGE },
            mirror: { ...common, flags: xe.VM_BIND_FLAG_CPU_ADDR_MIRROR },
            bo: { ...common, obj, objOffset: first * PAGE },
            unmap: { op: xe.VM_BIND_OP_UNMAP, addr, range },
          };
          const op = ops[kind];
          if (op) {
            expect(bind(f.file, [op])).toBe(0);
            for (let i = first; i <= last; i++) {
              model[i] = kind === "unmap" ? null : { kind, id, atomic: 0, pat: patWb, location: 0 };
            }
          } else if (kind === "fault") {
            if (model[first] && model[first]?.kind !== "mirror") f.vm.fault(addr);
          } else {
            advisePages(f, model, kind, { addr, range, inside, value });
          }
          // What a cut separates in an object's mapping is two mappings from then on.
          separate(model, op ? first : -1, op ? last : -1, id);
          check(f);
        });
        const told = new Map<number, number[]>();
        for (const { start, end, atomic, patIndex, devmemFd } of attributes(f.file)) {
          for (let va = start; va < end; va += PAGE)
            told.set((va - BASE) / PAGE, [atomic, patIndex, devmemFd | 0]);
        }
        model.forEach((entry, i) => {
          expect(told.get(i), `page ${i}`).toEqual(
            entry ? [entry.atomic, entry.pat, entry.location] : undefined,
          );
        });
        f.file.close();
        xe.checkDeviceInvariants(f.device, []);
      }),
      { numRuns: 150, seed: 12 },
    );
  });

  function advisePages(
    f: Fixture,
    model: (Page | null)[],
    kind: string,
    {
      addr,
      range,
      inside,
      value,
    }: { addr: number; range: number; inside: (i: number) => boolean; value: number },
  ): void {
    const { platform } = f.device;
    const boIds = new Set(model.filter((p, i) => p?.kind === "bo" && inside(i)).map((p) => p?.id));
    const pages = model.filter(
      (p, i): p is Page => p !== null && (p.kind === "bo" ? boIds.has(p.id) : inside(i)),
    );
    let wanted: number;
    if (kind === "atomic") {
      // The object is placed in system memory alone.
      const bad = boIds.size > 0 && value === xe.ATOMIC_GLOBAL;
      wanted = bad ? -EINVAL : 0;
      for (const p of pages) if (!bad && (p.kind !== "user" || value === xe.ATOMIC_DEVICE)) p.atomic = value;
    } else if (kind === "pat") {
      const incoherent = platform.pat[value]?.coherency === "none";
      const bad = platform.vramBytes === 0 && incoherent && pages.some((p) => p.kind !== "null");
      wanted = bad ? -EINVAL : 0;
      for (const p of pages) if (!bad) p.pat = value;
    } else {
      wanted = 0;
      for (const p of pages) if (p.kind === "mirror") p.location = value === 0 ? 0 : -1;
    }
    const type = { atomic: ATOMIC, pat: PAT, location: LOCATION }[kind] ?? -1;
    const advice: Advice = { start: addr, range, type };
    if (kind === "location") advice.location = { devmemFd: value === 0 ? 0 : 0xffff_ffff };
    else advice.val = value;
    expect(advise(f.file, advice)[0]).toBe(wanted);
  }

  /** Give the part of an object's mapping that lies behind what was mapped or unmapped a name of its own. */
  function separate(model: (Page | null)[], first: number, last: number, id: number): void {
    if (first < 0) return;
    const front = model[first - 1];
    const behind = model[last + 1];
    if (front?.kind !== "bo" || behind?.kind !== "bo" || front.id !== behind.id) return;
    const old = behind.id;
    for (let i = last + 1; model[i]?.id === old; i++) (model[i] as Page).id = id + 1000;
  }
});
