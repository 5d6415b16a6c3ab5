/** Memory of the caller that is not there: the refusal names the member that points to it, and the element. */

import { describe, expect, it } from "vitest";
import {
  DRM_COMMAND_BASE,
  type DrmError,
  drmIow,
  IoctlTable,
  ioctl,
  type StructLayout,
  struct,
  type UapiCounters,
  UserMemory,
  type UserSpace,
  u32,
  u64,
  uapiCounters,
  userArray,
} from "../src/index.ts";

interface Op {
  count: number;
  pad: number;
  syncs: number;
}
const OP: StructLayout<Op> = struct("op", 16, { count: u32(0), pad: u32(4), syncs: u64(8) });
interface Sync {
  handle: number;
}
const SYNC: StructLayout<Sync> = struct("sync", 4, { handle: u32(0) });
interface Call {
  opCount: number;
  pad: number;
  opPtr: number;
  commandText: number;
}
const CALL: StructLayout<Call> = struct("call", 24, {
  opCount: u32(0),
  pad: u32(4),
  opPtr: u64(8),
  commandText: u64(16),
});
const REQUEST = drmIow(DRM_COMMAND_BASE, 24);
const OPS = 0x1000;

const OP_ARRAY = userArray(CALL, "opPtr", {
  field: "op_ptr",
  count: "opCount",
  element: OP,
  arrays: [userArray(OP, "syncs", { field: "syncs", count: "count", element: SYNC })],
});

/** What a call is refused for that asks for memory as told. */
function refused(
  ask: (user: UserSpace) => void,
  user: UserMemory,
  call: Partial<Call> = {},
): string | undefined {
  const table = new IoctlTable<Caller>([
    ioctl({
      name: "CALL",
      request: REQUEST,
      layout: CALL,
      arrays: [OP_ARRAY],
      errnos: [],
      since: "1.0",
      support: "full",
      act: (_file, _call, space) => ask(space),
    }),
  ]);
  const file = new Caller();
  table.ioctl(file, REQUEST, CALL.encode({ opCount: 3, opPtr: OPS, ...call }), user);
  return file.lastError?.reason;
}

class Caller {
  lastError: DrmError | null = null;
  closed = false;
  readonly device: { readonly counters: UapiCounters } = { counters: uapiCounters() };
}

describe("memory that is not there", () => {
  it("is an element where one was asked for, else all of the array", () => {
    const user = new UserMemory();
    user.place(OPS, new Uint8Array(32));
    expect(refused((space) => space.view(OPS + 32, 16), user)).toBe(
      "op_ptr[2]: user memory: 16 bytes at 0x1020 are not mapped",
    );
    expect(refused((space) => space.view(OPS, 48), user)).toBe(
      "op_ptr: user memory: 48 bytes at 0x1000 are not mapped",
    );
    expect(refused((space) => space.write(OPS + 32, new Uint8Array(16)), user)).toMatch(/^op_ptr\[2\]: /);
  });

  it("is named through the element that points to it", () => {
    const user = new UserMemory();
    const ops = new Uint8Array(48);
    ops.set(OP.encode({ count: 4, syncs: 0x8000 }), 16);
    user.place(OPS, ops);
    expect(refused((space) => space.view(0x8008, 4), user)).toMatch(
      /^op_ptr\[1\]\.syncs\[2\]: user memory: /,
    );
    expect(refused((space) => space.view(0x8000, 16), user)).toMatch(/^op_ptr\[1\]\.syncs: user memory: /);
  });

  it("is the member that has the address, where no array is known there", () => {
    const user = new UserMemory();
    const call = { opCount: 0, commandText: 0x9000 };
    expect(refused((space) => space.view(0x9000, 1), user, call)).toMatch(/^command_text: user memory: /);
    for (const addr of [0, 0x9001, 0xa000]) {
      expect(refused((space) => space.view(addr, 1), user, call)).toMatch(/^user memory: /);
    }
  });

  it("is named where its address is no number", () => {
    const arg = CALL.encode({ opCount: 1 });
    new DataView(arg.buffer).setBigUint64(8, 2n ** 64n - 1n, true);
    const call = CALL.read(new DataView(arg.buffer));
    expect(call.opPtr).toBeNaN();
    const table = new IoctlTable<Caller>([
      ioctl({
        name: "CALL",
        request: REQUEST,
        layout: CALL,
        arrays: [OP_ARRAY],
        errnos: [],
        since: "1.0",
        support: "full",
        act: (_file, { opPtr }, space) => void space.view(opPtr, 16),
      }),
    ]);
    const file = new Caller();
    table.ioctl(file, REQUEST, arg);
    expect(file.lastError?.reason).toMatch(/^op_ptr: user memory: /);
  });
});

describe("no bytes", () => {
  it("are copied from anywhere, and to anywhere", () => {
    const user = new UserMemory();
    user.place(OPS, new Uint8Array(8));
    for (const addr of [0, OPS, OPS + 4, OPS + 8, 0x7000, 2 ** 63, Number.NaN]) {
      expect(user.view(addr, 0).byteLength).toBe(0);
      expect(() => user.write(addr, new Uint8Array(0))).not.toThrow();
    }
  });
});
