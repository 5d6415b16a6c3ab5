/**
 * Every driver's `vmBind`: what it makes of objects is what one writes by hand from the header, and what goes wrong is said with
 * the index of the operation.
 */
import * as asahi from "@vmbind/asahi";
import { EINVAL, EncodeError, watchCalls } from "@vmbind/drm";
import * as msm from "@vmbind/msm";
import * as nouveau from "@vmbind/nouveau";
import * as panthor from "@vmbind/panthor";
import * as xe from "@vmbind/xe";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesOf, DRIVERS, type Numbers, OPS, type Part } from "./bind-by-hand.ts";

/** What was issued meanwhile: argument and arrays of each call. */
function issued(run: () => void): Uint8Array[][] {
  const seen: Uint8Array[][] = [];
  const stop = watchCalls(
    (_file, { buffers }, sent) => void seen.push([sent, ...buffers.map((b) => b.bytes)]),
  );
  try {
    run();
  } finally {
    stop();
  }
  // What is empty points nowhere.
  return seen.map((parts) => parts.filter((part) => part.length > 0));
}

const PAGES = fc.integer({ min: 1, max: 2 ** 30 }).map((pages) => pages * 4096);
const NUMBERS: fc.Arbitrary<Numbers> = fc.record({
  va: PAGES,
  // What is valid is carried out: small ranges, so that page tables stay small.
  size: fc.integer({ min: 1, max: 64 }).map((pages) => pages * 4096),
  handle: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  offset: PAGES,
});

describe.each(Object.entries(DRIVERS))("%s", (_name, driver) => {
  test("sends the bytes that one writes by hand, of each operation alone and of all together", () => {
    fc.assert(
      fc.property(NUMBERS, (numbers) => {
        const ops = driver.ops(numbers);
        for (const { op, bytes } of ops) {
          const bind = driver.open();
          const sent = issued(() => bind([op]));
          expect(sent).toEqual(driver.calls([bytes]));
        }
        const bind = driver.open();
        const together = issued(() => bind(ops.map(({ op }) => op)));
        const byHand = driver.calls(ops.map(({ bytes }) => bytes));
        // Where an operation is an ioctl, those behind the first that fails are not sent.
        expect(together.length).toBeGreaterThan(0);
        expect(together).toEqual(byHand.slice(0, together.length));
      }),
      { numRuns: 5 },
    );
  });

  test("says nothing when all goes well", () => {
    const result = driver.open()([driver.good(0), driver.good(1)]);
    expect(result).toMatchObject({ errno: 0, errnoName: null, reason: null, failed: null });
    expect(result.calls.length).toBeGreaterThan(0);
  });

  test("says errno, reason and which operation failed", () => {
    const odd = { ...driver.good(1), [driver.member]: 0x4000_0010 };
    for (const [ops, failed] of [
      [[odd], 0],
      [[driver.good(0), odd, driver.good(2)], 1],
      [[driver.good(0), driver.good(2), odd], 2],
    ] as const) {
      const result = driver.open()(ops);
      expect(result).toMatchObject({ errno: EINVAL, errnoName: "EINVAL", failed });
      expect(result.reason).not.toBe("");
    }
  });

  test("refuses objects that cannot be written before anything is issued, and names the member", () => {
    const bind = driver.open();
    const { member } = driver;
    const refused = (op: unknown) => {
      let text = "";
      const sent = issued(() => {
        try {
          bind([driver.good(0), op as object]);
        } catch (error) {
          expect(error).toBeInstanceOf(EncodeError);
          text = (error as EncodeError).message;
        }
      });
      expect(sent).toEqual([]);
      return text;
    };
    const good = driver.good(1);
    expect(refused({ ...good, [member]: 0x4000n })).toBe(
      `ops[1].${member}: 0x4000n is a bigint; a u64 is a plain number`,
    );
    expect(refused({ ...good, [member]: -1 })).toBe(
      `ops[1].${member}: -1 is not an integer from 0 to 2^64 - 1`,
    );
    expect(refused({ ...good, [member]: undefined })).toMatch(`ops[1].${member}: missing`);
    expect(refused({ ...good, flags: 2 ** 32 })).toMatch("ops[1].flags: ");
    expect(refused({ ...good, flags: 4n })).toMatch("ops[1].flags: ");
    expect(refused({ ...good, sise: 1 })).toMatch(/^ops\[1\]\.sise: .* has no such member, only /);
    expect(refused({ ...good, op: "mapp" })).toMatch(/^ops\[1\]\.op: "mapp" is none of .*(map|bind)/);
    for (const other of [null, 5, "map"]) expect(refused(other)).toBe("ops[1]: is not an object");
    for (const other of [null, undefined, "map", { op: "map" }]) {
      expect(() => bind(other as never)).toThrow(new EncodeError("ops", "", "is not a list"));
    }
  });
});

describe("what a call says beside its operations", () => {
  const misspelled = [
    ["panthor", () => panthor.encodeVmBind([], { asnyc: true } as object), "options.asnyc: "],
    ["asahi", () => asahi.encodeVmBind([], { vmid: 2 } as object), "options.vmid: "],
    ["xe", () => xe.encodeVmBind([], { vmid: 2 } as object), "options.vmid: "],
    ["xe", () => xe.encodeVmBind([], { syncs: [{ handle: 5 }] as object[] }), "syncs[0].handle: "],
    ["nouveau", () => nouveau.encodeVmBind([], { wait: [] } as object), "options.wait: "],
    [
      "nouveau",
      () => nouveau.encodeVmBind([], { signals: [{}, { point: 5 }] as object[] }),
      "signals[1].point: ",
    ],
    ["msm", () => msm.encodeVmBind([], { queue: 2 } as object), "options.queue: "],
    ["msm", () => msm.encodeVmBind([], { inSyncobjs: [{ fd: 5 }] as object[] }), "inSyncobjs[0].fd: "],
    [
      "panthor",
      () => panthor.encodeVmBind([{ op: "sync-only", syncs: [{ point: 5 }] } as never]),
      "ops[0].syncs[0].point: ",
    ],
  ] as const;

  test.each(misspelled)(
    "%s names the member that there is not, and those that there are",
    (_, run, where) => {
      expect(run).toThrow(EncodeError);
      expect(run).toThrow(`${where}no such member, only `);
    },
  );

  test("lists of syncs are lists of objects", () => {
    for (const syncs of [3, {}, null, "syncs"]) {
      expect(() => xe.encodeVmBind([], { syncs } as object)).toThrow(
        new EncodeError("syncs", "", "is not a list"),
      );
    }
    expect(() => xe.encodeVmBind([], { syncs: [null as never] })).toThrow("syncs[0]: is not an object");
  });
});

test("a user fence of xe has memory of its own, which is written once everything is bound", () => {
  const file = new xe.XeDevice().open();
  file.ioctl(xe.IOCTL_VM_CREATE, xe.VM_CREATE.encode({}));
  const handle = file.syncobjs.create();
  const gate = file.syncobjs.attachFence(handle);
  const syncs = [
    { type: xe.SYNC_TYPE_SYNCOBJ, addr: handle },
    { type: xe.SYNC_TYPE_USER_FENCE, flags: xe.SYNC_FLAG_SIGNAL, addr: 0x2000, timelineValue: 7 },
  ];
  const op = { op: "map-null", addr: 0x4000_0000, range: 0x20_0000 } as const;
  const { reason, calls } = xe.vmBind(file, [op], { syncs });
  expect(reason).toBeNull();
  const fence = calls[0]?.buffers.find(({ addr }) => addr === 0x2000)?.bytes as Uint8Array;
  expect([...fence]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  gate.signal();
  expect([...fence]).toEqual([7, 0, 0, 0, 0, 0, 0, 0]);
  // Nobody's memory is at 0, and the fence has to lie at a multiple of 8, as for a program.
  const bad = (addr: number) =>
    xe.vmBind(file, [op], { syncs: [{ type: xe.SYNC_TYPE_USER_FENCE, flags: xe.SYNC_FLAG_SIGNAL, addr }] });
  expect(bad(0).errnoName).toBe("EFAULT");
  expect(bad(0x2004).errnoName).toBe("EINVAL");
});

test("panthor's repeated mappings have 56 bytes, and say so in the stride", () => {
  const file = new panthor.PanthorDevice({ repeat: "v5" }).open();
  file.ioctl(panthor.IOCTL_VM_CREATE, panthor.VM_CREATE.encode({}));
  const [call] = issued(() => {
    panthor.vmBind(file, [
      { op: "map-repeat", boHandle: 7, va: 0x4000_0000, size: 0x40_0000, boRepeatRange: 0x20_0000 },
      { op: "unmap", va: 0x4000_0000, size: 0x1000 },
    ]);
  });
  const [arg, ops] = call as [Uint8Array, Uint8Array];
  expect(arg).toEqual(
    bytesOf(24, [
      [0, 4, 1],
      [8, 4, 56],
      [12, 4, 2],
      [16, 8, OPS],
    ]),
  );
  const parts: Part[] = [
    [0, 4, 8],
    [4, 4, 7],
    [16, 8, 0x4000_0000],
    [24, 8, 0x40_0000],
    [48, 4, 0x20_0000],
  ];
  expect(ops.subarray(0, 56)).toEqual(bytesOf(56, parts));
  expect(ops.subarray(56)).toEqual(
    bytesOf(56, [
      [0, 4, 0x1000_0000],
      [16, 8, 0x4000_0000],
      [24, 8, 0x1000],
    ]),
  );
});

test("a queued call of panthor waits and signals, and its syncs name their members, too", () => {
  const file = new panthor.PanthorDevice().open();
  file.ioctl(panthor.IOCTL_VM_CREATE, panthor.VM_CREATE.encode({}));
  const handle = file.syncobjs.create();
  const syncs = [{ flags: panthor.SYNC_OP_SIGNAL, handle }];
  const range = { va: 0x4000_0000, size: 0x20_0000 };
  expect(panthor.vmBind(file, [{ op: "map-sparse", ...range, syncs }], { async: true }).errno).toBe(0);
  expect(file.syncobjs.get(handle)?.find(0)?.signaled).toBe(true);
  expect(() => panthor.vmBind(file, [{ op: "unmap", ...range, syncs: [{ handle: -2 }] }])).toThrow(
    "ops[0].syncs[0].handle: -2 is not",
  );
});
