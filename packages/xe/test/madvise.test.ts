/** MADVISE's memory attributes (`xe_vm_madvise.c`, Linux 7.3-rc7). */
import { EFAULT, EINVAL, ENOENT, ENOMEM } from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import * as xe from "../src/index.ts";
import {
  type Advice,
  ATOMIC,
  advise,
  attributes,
  check,
  FAULT_MODE,
  mirror,
  mustAdvise,
  PAGE,
  PAT,
} from "./advice.ts";
import { fixture, GIB, MIB, map, mustBind, nul, type Op, systemBo, unmap, vramBo } from "./support.ts";

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
