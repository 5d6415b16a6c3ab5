import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  arraysOf,
  bytes,
  type FetchArray,
  fromRecorded,
  nested,
  type StructLayout,
  struct,
  type UserArray,
  u16,
  u32,
  u64,
  unionArray,
  userArray,
} from "../src/index.ts";

interface Sync {
  handle: number;
  flags: number;
  fence: number;
}

interface Op {
  what: number;
  syncCount: number;
  syncs: number;
}

interface Bind {
  count: number;
  stride: number;
  op: Op;
  bytes: number;
  rows: number;
  columns: number;
  table: number;
  answer: number;
  pad: number;
}

const SYNC: StructLayout<Sync> = struct("sync", 16, { handle: u32(0), flags: u32(4), fence: u64(8) });
const OP: StructLayout<Op> = struct("op", 16, { what: u32(0), syncCount: u32(4), syncs: u64(8) });
const OPS_POINTER: StructLayout<{ ops: number; unused: Uint8Array }> = struct("op.ops", 16, {
  ops: u64(0),
  unused: bytes(8, 8),
});
const BIND: StructLayout<Bind> = struct("bind", 56, {
  count: u32(0),
  stride: u32(4),
  op: nested(8, OP),
  bytes: u64(24),
  rows: u16(32),
  columns: u16(34),
  answer: u32(36),
  table: u64(40),
  pad: u64(48),
});

const SYNCS = userArray(OP, "syncs", {
  field: "syncs",
  count: "syncCount",
  element: SYNC,
  arrays: [
    userArray(SYNC, "fence", {
      field: "fence",
      when: { member: "flags", is: 2 },
      access: "out",
      optional: true,
    }),
  ],
});

const ARRAYS: readonly UserArray<Bind>[] = [
  unionArray(BIND, "op", OPS_POINTER, "ops", {
    field: "ops",
    count: "count",
    stride: "stride",
    when: { member: "count", above: 1 },
    element: OP,
    arrays: [SYNCS],
  }),
  userArray(BIND, "table", { field: "table", count: ["rows", "columns"], element: SYNC }),
  userArray(BIND, "op.syncs", { field: "answer", count: "bytes", access: "out", most: 100 }),
];

const NOTHING: FetchArray = () => null;

describe("the arrays of a call", () => {
  it("are found by the members that describe them, nested ones with their place", () => {
    const ops = new Uint8Array(48);
    ops.set(OP.encode({ syncCount: 1, syncs: 0x9000 }));
    ops.set(OP.encode({ syncCount: 2, syncs: 0xa000 }), 24);
    const two = new Uint8Array(32);
    two.set(SYNC.encode({ flags: 2, fence: 0x77 }));
    two.set(SYNC.encode({ flags: 2 }), 16);
    const arg = BIND.encode({ count: 2, stride: 24, op: { what: 0x8000, syncCount: 0, syncs: 0 } });
    const found = arraysOf(
      ARRAYS,
      arg,
      fromRecorded([
        { field: "ops", data: ops },
        { field: "ops[0].syncs", data: SYNC.encode({ flags: 1, fence: 0x66 }) },
        { field: "ops[1].syncs", data: two },
      ]),
    );
    expect(
      found.map(({ field, addr, count, stride, data }) => [field, addr, count, stride, data?.length]),
    ).toEqual([
      ["ops", 0x8000, 2, 24, 48],
      ["ops[0].syncs", 0x9000, 1, 16, 16],
      ["ops[1].syncs", 0xa000, 2, 16, 32],
      // Only a sync with flag 2 has a fence, and the second one's pointer is 0.
      ["ops[1].syncs[0].fence", 0x77, 1, 1, undefined],
    ]);
    expect(found[1]?.array.element).toBe(SYNC);
    expect(found.map(({ within }) => within)).toEqual([[], [0], [1], [1, 0]]);
  });

  it("are none where a count is 0 or a union holds something else", () => {
    expect(arraysOf(ARRAYS, BIND.encode({ count: 1, stride: 16 }), NOTHING)).toEqual([]);
  });

  it("multiply their counts, stop at what the driver looks at, and are not fetched where it writes", () => {
    const asked: string[] = [];
    const arg = BIND.encode({
      rows: 2,
      columns: 3,
      table: 0x1000,
      bytes: 1000,
      op: { what: 0, syncCount: 0, syncs: 64 },
    });
    const found = arraysOf(ARRAYS, arg, (addr, length, field) => {
      asked.push(`${field} ${addr} ${length}`);
      return null;
    });
    expect(found.map(({ field, count, data }) => [field, count, data])).toEqual([
      ["table", 6, null],
      ["answer", 100, null],
    ]);
    expect(asked).toEqual(["table 4096 96"]);
  });

  it("are those of the members that an older header's argument has", () => {
    const arg = BIND.encode({ count: 2, stride: 16, rows: 1, columns: 1, table: 0x1000 });
    expect(arraysOf(ARRAYS, arg.subarray(0, 24), NOTHING).map(({ field }) => field)).toEqual(["ops"]);
  });

  it("throw for nothing, whatever the bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ maxLength: 200 }), (arg, memory) => {
        const cut: FetchArray = (addr, length) =>
          length > memory.length || Number.isNaN(addr) ? null : memory;
        for (const { count, stride } of arraysOf(ARRAYS, arg, cut)) {
          expect(count).toBeGreaterThan(0);
          expect(stride).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });

  it("must be described by numbers of the struct", () => {
    const holder: StructLayout<object> = OP;
    const at = (pointer: string) => () => userArray(holder, pointer as never, { field: "x" });
    expect(at("nowhere")).toThrow("op: no number nowhere");
  });
});
