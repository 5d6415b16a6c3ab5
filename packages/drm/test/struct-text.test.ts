import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  array,
  bytes,
  flagNames,
  fromRecorded,
  ioctlText,
  nameValue,
  nested,
  type StructLayout,
  struct,
  structText,
  u8,
  u16,
  u32,
  u64,
  userArray,
  valueNames,
} from "../src/index.ts";

const OP_MAP = 0;
const OP_UNMAP = 0x10000000;
const MAP_READONLY = 1;
const MAP_NOEXEC = 2;
const SIGNAL = 0x80000000;
const FLAGS = flagNames({ MAP_READONLY, MAP_NOEXEC }, { mask: 0xf0000000, values: { OP_MAP, OP_UNMAP } });
const KINDS = valueNames({ KIND_A: 1, KIND_B: 2 });

describe("a value in the names of its header", () => {
  it.each<[number, string]>([
    [0, "OP_MAP"],
    [3, "OP_MAP|MAP_READONLY|MAP_NOEXEC"],
    [0x10000002, "OP_UNMAP|MAP_NOEXEC"],
    [0x30000104, "0x30000000 (OP_???)|0x104"],
    [-1, "0xf0000000 (OP_???)|MAP_READONLY|MAP_NOEXEC|0xffffffc"],
  ])("flags with a type: %i", (value, text) => {
    expect(nameValue(FLAGS, value)).toBe(text);
  });

  it("values and plain flags", () => {
    expect([1, 7, 0x70].map((value) => nameValue(KINDS, value))).toEqual([
      "KIND_A",
      "7 (KIND_???)",
      "0x70 (KIND_???)",
    ]);
    const signal = flagNames({ SIGNAL });
    expect([0, SIGNAL, 1].map((value) => nameValue(signal, value))).toEqual(["0", "SIGNAL", "0x1"]);
  });
});

interface Sync {
  kind: number;
  timelineValue: number;
}

interface Op {
  opFlags: number;
  small: number;
  tiny: number[];
  addr: number;
  syncCount: number;
  raw: Uint8Array;
  syncs: number;
}

const SYNC: StructLayout<Sync> = struct("sync", 16, { kind: u64(0), timelineValue: u64(8) });
const OP: StructLayout<Op> = struct("op", 32, {
  opFlags: u32(0, FLAGS),
  small: u16(4),
  tiny: array(6, 2, u8),
  addr: u64(8),
  syncCount: u32(16),
  raw: bytes(20, 4),
  syncs: u64(24),
});
const BIND: StructLayout<{ one: Op; pad2: number }> = struct("bind", 40, {
  one: nested(0, OP),
  pad2: u64(32),
});
const SYNCS = userArray(BIND, "one.syncs", { field: "syncs", count: "one.syncCount", element: SYNC });

describe("a struct as text", () => {
  const op = OP.encode({
    opFlags: 0x10000101,
    small: 300,
    tiny: [1, 0],
    addr: 2 ** 40,
    raw: Uint8Array.of(0, 1, 0, 255),
  });

  it("shows members in order: names, 64 bits in hex, the rest in decimal, bytes in the order of memory", () => {
    expect(structText(OP, op)).toBe(
      "{op_flags=OP_UNMAP|MAP_READONLY|0x100, small=300, tiny=[1, 0], addr=0x10000000000, sync_count=0, raw=00 01 00 ff, syncs=0}",
    );
    expect(structText(OP, op, { zeros: false })).toBe(
      "{op_flags=OP_UNMAP|MAP_READONLY|0x100, small=300, tiny=[1, 0], addr=0x10000000000, raw=00 01 00 ff}",
    );
  });

  it("goes as far as the bytes go, and says what is behind", () => {
    expect(structText(OP, op.subarray(0, 11))).toBe(
      "{op_flags=OP_UNMAP|MAP_READONLY|0x100, small=300, tiny=[1, 0], addr=0}",
    );
    const more = new Uint8Array(18).fill(255);
    expect(structText(SYNC, more)).toBe(
      "{kind=0xffffffffffffffff, timeline_value=0xffffffffffffffff, 2 more bytes=ff ff}",
    );
  });

  it("shows what its pointers point to", () => {
    const arg = BIND.encode({
      one: { ...OP.read(new DataView(op.buffer)), syncCount: 3, syncs: 0x7000 },
      pad2: 0,
    });
    const data = new Uint8Array(48);
    data[0] = 1;
    data[16] = 2;
    const row = { layout: BIND, arrays: [SYNCS] };
    const fetch = fromRecorded([{ field: "syncs", data }]);
    const head =
      "{one={op_flags=OP_UNMAP|MAP_READONLY|0x100, small=300, tiny=[1, 0], addr=0x10000000000, sync_count=3, raw=00 01 00 ff";
    expect(ioctlText(row, arg, fetch)).toBe(
      `${head}, syncs=0x7000 [{kind=0x1, timeline_value=0}, {kind=0x2, timeline_value=0}, {kind=0, timeline_value=0}]}, pad2=0}`,
    );
    expect(ioctlText(row, arg, fetch, { zeros: false, elements: 1 })).toBe(
      `${head}, syncs=0x7000 [{kind=0x1}, 2 more]}}`,
    );
    expect(ioctlText(row, arg, () => null)).toBe(`${head}, syncs=0x7000}, pad2=0}`);
    expect(ioctlText({ layout: null, arrays: [] }, Uint8Array.of(1, 2), fetch)).toBe("01 02");
  });

  it("hides no bit of the struct, and nothing behind it", () => {
    const size = BIND.size + 3;
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: size, maxLength: size }),
        fc.nat({ max: 8 * size - 1 }),
        fc.nat({ max: size }),
        (whole, bit, length) => {
          const other = whole.slice();
          other[bit >> 3] = (other[bit >> 3] as number) ^ (1 << (bit & 7));
          const texts = [whole, other].map((b) => structText(BIND, b.subarray(0, length)));
          expect(texts[0] === texts[1]).toBe(bit >> 3 >= length);
        },
      ),
    );
  });
});
