import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  array,
  bytes,
  DRM_IOCTL_GEM_CLOSE,
  DrmError,
  decodeIoctl,
  drmIow,
  drmIowr,
  EFAULT,
  EncodeError,
  errnoName,
  HandleTable,
  nested,
  readU64,
  type StructLayout,
  struct,
  UserMemory,
  u8,
  u16,
  u32,
  u64,
  writeU64,
} from "../src/index.ts";

describe("ioctl request numbers", () => {
  it("are those of the uAPI headers", () => {
    expect(drmIowr(0x43, 24)).toBe(0xc0186443); // panthor VM_BIND
    expect(drmIow(0x44, 24)).toBe(0x40186444); // asahi VM_BIND
    expect(drmIow(0x45, 136)).toBe(0x40886445); // xe VM_BIND
    expect(drmIow(0x09, 8)).toBe(DRM_IOCTL_GEM_CLOSE);
  });

  it("come apart again", () => {
    expect(decodeIoctl(0xc0186443)).toEqual({ dir: 3, type: 0x64, nr: 0x43, size: 24 });
  });
});

describe("struct layouts", () => {
  interface Inner {
    a: number;
    b: number;
  }
  interface Outer {
    flags: number;
    tag: number;
    small: number;
    pad: number;
    inner: Inner;
    list: number[];
    raw: Uint8Array;
  }
  const INNER: StructLayout<Inner> = struct("inner", 16, { a: u64(0), b: u64(8) });
  const OUTER: StructLayout<Outer> = struct("outer", 40, {
    flags: u32(0),
    tag: u16(4),
    small: u8(6),
    pad: u8(7),
    inner: nested(8, INNER),
    list: array(24, 2, u32),
    raw: bytes(32, 8),
  });

  it("read back what they wrote", () => {
    const value: Outer = {
      flags: 0xfedcba98,
      tag: 0x1234,
      small: 0x56,
      pad: 0,
      inner: { a: 2 ** 63, b: 2 ** 53 - 1 },
      list: [1, 0xffffffff],
      raw: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    };
    const encoded = OUTER.encode(value);
    expect(OUTER.read(new DataView(encoded.buffer))).toEqual(value);
    expect([...encoded.subarray(0, 8)]).toEqual([0x98, 0xba, 0xdc, 0xfe, 0x34, 0x12, 0x56, 0]);
  });

  it("write zero for members that are not given", () => {
    expect(OUTER.encode({}).every((b) => b === 0)).toBe(true);
  });

  it("refuse gaps, overlaps, misalignment and a wrong size when they are declared", () => {
    expect(() => struct("s", 8, { a: u32(0) })).toThrow("members end at 4");
    expect(() => struct("s", 12, { a: u32(0), b: u32(8) })).toThrow("s.b: expected offset 4, got 8");
    expect(() => struct("s", 8, { a: u32(0), b: u32(2) })).toThrow("s.b: expected offset 4, got 2");
    expect(() => struct("s", 12, { a: u32(0), b: u64(4) })).toThrow("s.b: not aligned to 8");
  });

  it("refuse what does not fit, and name struct, member and rule", () => {
    const refused = (value: object) => {
      try {
        OUTER.encode(value);
      } catch (error) {
        expect(error).toBeInstanceOf(EncodeError);
        return String(error);
      }
      return "taken";
    };
    const is = (name: string, rule: string) => `EncodeError: ${OUTER.name}.${name}: ${rule}`;
    expect(refused({ tag: 0x10000 })).toBe(is("tag", "65536 is not an integer from 0 to 2^16 - 1"));
    expect(refused({ flags: 1.5 })).toBe(is("flags", "1.5 is not an integer from 0 to 2^32 - 1"));
    expect(refused({ inner: { a: -1, b: 0 } })).toBe(
      is("inner.a", "-1 is not an integer from 0 to 2^64 - 1"),
    );
    expect(refused({ inner: { a: 0x4000n } })).toBe(
      is("inner.a", "0x4000n is a bigint; a u64 is a plain number"),
    );
    expect(refused({ flags: -16n })).toBe(is("flags", "-0x10n is a bigint; a u32 is a plain number"));
    expect(refused({ inner: { b: "5" } })).toContain("inner.b: a value of type string is not an integer");
    expect(refused({ inner: { b: null } })).toContain("inner.b: null is not an integer");
    expect(refused({ list: [1] })).toBe(is("list", "expected 2 elements, got 1"));
    expect(refused({ list: [1, -1] })).toBe(is("list[1]", "-1 is not an integer from 0 to 2^32 - 1"));
    expect(refused({ raw: new Uint8Array(3) })).toBe(is("raw", "expected 8 bytes, got 3"));
    expect(() => OUTER.encode({ tag: 0x10000 })).toThrow(RangeError);
  });

  it("take every number that a member has the bits for, and no other", () => {
    for (const [size, member] of [
      [1, u8],
      [2, u16],
      [4, u32],
    ] as const) {
      const layout = struct("s", size, { a: member(0) }) as StructLayout<{ a: unknown }>;
      const edge = fc.constantFrom(
        0,
        -0,
        2 ** (8 * size) - 1,
        2 ** (8 * size),
        2 ** 32,
        Number.NaN,
        Infinity,
      );
      const other = fc.constantFrom("1", null, true, 1n, [1], { valueOf: () => 1 });
      fc.assert(
        fc.property(fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.double(), edge, other), (a) => {
          const fits = typeof a === "number" && Number.isInteger(a) && a >= 0 && a < 2 ** (8 * size);
          if (fits) expect(layout.read(new DataView(layout.encode({ a }).buffer)).a).toBe(Math.abs(a));
          else expect(() => layout.encode({ a })).toThrow(EncodeError);
        }),
      );
    }
  });

  it("hold every multiple of 4096 below 2^64 exactly, and read NaN for what a double cannot hold", () => {
    const view = new DataView(new ArrayBuffer(8));
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
        view.setBigUint64(0, value, true);
        const exact = BigInt(Number(value)) === value;
        expect(readU64(view, 0)).toBe(exact ? Number(value) : Number.NaN);
        const page = value - (value % 4096n);
        writeU64(view, 0, Number(page));
        expect(view.getBigUint64(0, true)).toBe(page);
        expect(readU64(view, 0)).toBe(Number(page));
      }),
    );
  });
});

describe("user memory", () => {
  it("faults where nothing is placed, and across the end of a placement", () => {
    const user = new UserMemory();
    user.place(0x1000, new Uint8Array(16));
    expect(() => user.view(0x2000, 1)).toThrow(DrmError);
    expect(() => user.view(0x1008, 16)).toThrow("EFAULT: user memory: 16 bytes at 0x1008 are not mapped");
    expect(() => user.view(Number.NaN, 4)).toThrow(expect.objectContaining({ errno: EFAULT }));
  });

  it("is written in place", () => {
    const user = new UserMemory();
    const memory = new Uint8Array(4);
    user.place(0x1000, memory);
    user.write(0x1001, Uint8Array.of(7, 8));
    expect([...memory]).toEqual([0, 7, 8, 0]);
    expect(user.view(0x1001, 2).getUint16(0, true)).toBe(0x807);
  });
});

describe("handles", () => {
  it("are the lowest free number", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -5, max: 12 }), { maxLength: 100 }), (steps) => {
        const table = new HandleTable<number>(1, 10);
        const used = new Set<number>();
        for (const step of steps) {
          if (step <= 0) {
            let lowest = 1;
            while (used.has(lowest)) lowest++;
            const id = table.alloc(lowest * 100);
            expect(id).toBe(lowest > 10 ? -1 : lowest);
            if (id > 0) used.add(id);
          } else {
            expect(table.remove(step)).toBe(used.has(step) ? step * 100 : undefined);
            used.delete(step);
          }
          expect(table.size).toBe(used.size);
        }
        expect([...table.entries()].map(([id]) => id)).toEqual([...used].sort((a, b) => a - b));
      }),
    );
  });

  it("do not exist for numbers that were never given out", () => {
    const table = new HandleTable<string>();
    expect([table.get(0), table.get(1), table.get(-1), table.get(Number.NaN)]).toEqual(
      Array(4).fill(undefined),
    );
  });
});

describe("errno", () => {
  it("has a name, negated or not", () => {
    expect([errnoName(22), errnoName(-12), errnoName(4095)]).toEqual(["EINVAL", "ENOMEM", "errno 4095"]);
  });
});
