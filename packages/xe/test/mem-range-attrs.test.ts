/** The attributes that VM_QUERY_MEM_RANGE_ATTRS tells, the structs of both ioctls, and a model that keeps attributes for each page. */
import { EFAULT, EINVAL, ENOBUFS, ENOSPC, UserMemory } from "@vmbind/drm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as xe from "../src/index.ts";
import {
  type Advice,
  ATOMIC,
  advise,
  attributes,
  check,
  FAULT_MODE,
  LOCATION,
  OUT,
  PAGE,
  PAT,
} from "./advice.ts";
import { bind, type Fixture, fixture, GIB, mustBind, nul, type Op, systemBo } from "./support.ts";

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
