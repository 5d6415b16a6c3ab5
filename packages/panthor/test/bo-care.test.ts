import { E2BIG, EFAULT, EINVAL, ENOENT, UserMemory } from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import {
  BO_IS_IMPORTED,
  BO_NO_MMAP,
  BO_QUERY_INFO,
  BO_SET_LABEL,
  BO_SYNC,
  BO_SYNC_OP,
  BO_WB_MMAP,
  type BoSyncOp,
  IOCTL_BO_QUERY_INFO,
  IOCTL_BO_SET_LABEL,
  IOCTL_BO_SYNC,
  MAP_NOEXEC,
  PanthorDevice,
  type PanthorFile,
} from "../src/index.ts";
import { createBo, fixture, mustBind } from "./support.ts";

const LABEL_AT = 0x5000;

function setLabel(file: PanthorFile, handle: number, text: string | null, pad = 0): number {
  const user = new UserMemory();
  if (text !== null)
    user.place(
      LABEL_AT,
      Uint8Array.from(text, (c) => c.charCodeAt(0)),
    );
  const arg = BO_SET_LABEL.encode({ handle, pad, label: text === null ? 0 : LABEL_AT });
  return file.ioctl(IOCTL_BO_SET_LABEL, arg, user);
}

describe("BO_SET_LABEL", () => {
  it("has the request number of the header", () => expect(IOCTL_BO_SET_LABEL).toBe(0xc010644d));

  it("gives a name, the empty one too, and takes it away", () => {
    const { file } = fixture();
    const handle = createBo(file, 0x1000);
    const names: [string | null, string | null][] = [
      ["a name\0", "a name"],
      ["\0", ""],
      [null, null],
      [`${"x".repeat(4095)}\0`, "x".repeat(4095)],
      ["cut\0off", "cut"],
    ];
    for (const [text, label] of names) {
      expect(setLabel(file, handle, text)).toBe(0);
      expect(file.bo(handle)?.label).toBe(label);
    }
  });

  it("refuses: pad before the handle, the handle before the string", () => {
    const { file } = fixture();
    const handle = createBo(file, 0x1000);
    expect(setLabel(file, 99, "x\0", 1)).toBe(-EINVAL);
    expect(setLabel(file, 99, "no end")).toBe(-ENOENT);
    expect(setLabel(file, handle, "no end")).toBe(-EFAULT);
    expect(setLabel(file, handle, `${"x".repeat(4096)}\0`)).toBe(-E2BIG);
    expect(file.bo(handle)?.label).toBeNull();
    expect(setLabel(fixture({ driverVersion: "1.3" }).file, 1, "x\0")).toBe(-EINVAL);
  });
});

function sync(
  file: PanthorFile,
  ops: Partial<BoSyncOp>[],
  { stride = BO_SYNC_OP.size, tail = 0 } = {},
): number {
  const user = new UserMemory();
  const bytes = new Uint8Array(ops.length * Math.max(stride, BO_SYNC_OP.size));
  ops.forEach((op, i) => {
    BO_SYNC_OP.write(new DataView(bytes.buffer), i * stride, op);
    if (tail) bytes[(i + 1) * stride - 1] = tail;
  });
  user.place(0x1000, bytes);
  const arg = BO_SYNC.encode({ ops: { stride, count: ops.length, array: 0x1000 } });
  return file.ioctl(IOCTL_BO_SYNC, arg, user);
}

describe("BO_SYNC", () => {
  const populated = (options = {}, flags = 0) => {
    const fx = fixture(options);
    const handle = createBo(fx.file, 0x4000, 0, flags);
    mustBind(fx, [{ flags: MAP_NOEXEC, boHandle: handle, va: 0x40000000, size: 0x1000 }]);
    return { ...fx, handle };
  };

  it("has the request number of the header", () => expect(IOCTL_BO_SYNC).toBe(0xc010644f));

  it("stops at the first operation that is refused, and names it", () => {
    const { file, handle, device } = populated();
    const good = { handle, type: 1, offset: 0x1000, size: 0x1000 };
    const refused: [Partial<BoSyncOp>, number, RegExp][] = [
      [{ ...good, handle: 77, type: 9, size: 2 ** 40 }, ENOENT, /^ops\[1\]\.handle: 77/],
      [{ ...good, offset: 0x3001, type: 9 }, EINVAL, /^ops\[1\]\.size: .* exceeds the object's 0x4000/],
      [{ ...good, offset: 2 ** 63, size: 2 ** 63 }, EINVAL, /^ops\[1\]\.size/],
      [{ ...good, type: 2 }, EINVAL, /^ops\[1\]\.type: 2/],
    ];
    for (const [op, errno, reason] of refused) {
      const before = device.counters.boSyncs;
      expect(sync(file, [good, op, good])).toBe(-errno);
      expect(file.lastError?.reason).toMatch(reason);
      expect(device.counters.boSyncs - before).toBe(1);
    }
    expect(sync(file, [{ handle, offset: 0x4000 }])).toBe(0);
  });

  it("looks at the range before it looks whether the object is imported, and at the type last", () => {
    const { file, device } = fixture();
    const other = new PanthorDevice({ memory: { backing: device.memory.backing } }).open();
    const handle = file.importBo(other.exportBo(createBo(other, 0x1000)));
    expect(sync(file, [{ handle, size: 0x1001 }])).toBe(-EINVAL);
    expect(file.lastError?.reason).toMatch(/exceeds/);
    expect(sync(file, [{ handle, type: 7 }])).toBe(-EINVAL);
    expect(file.lastError?.reason).toMatch(/imported/);
  });

  it("follows the rules of arrays, and looks at nothing when empty", () => {
    const { file, handle } = populated();
    expect(sync(file, [{ handle }], { stride: 16 })).toBe(-EINVAL);
    expect(sync(file, [{ handle }], { stride: 32 })).toBe(0);
    expect(sync(file, [{ handle }], { stride: 32, tail: 1 })).toBe(-E2BIG);
    const ops = { stride: 24, count: 1, array: 0xdead000 };
    expect(file.ioctl(IOCTL_BO_SYNC, BO_SYNC.encode({ ops }))).toBe(-EFAULT);
    expect(file.ioctl(IOCTL_BO_SYNC, BO_SYNC.encode({ ops: { ...ops, stride: 0, count: 0 } }))).toBe(0);
    expect(sync(fixture({ driverVersion: "1.6" }).file, [{ handle: 1 }])).toBe(-EINVAL);
  });

  it("has something to do where there are pages that the CPU maps cached", () => {
    const cases = [
      [{ coherent: true }, 0, 1],
      [{ coherent: false }, 0, 0],
      [{ coherent: false }, BO_WB_MMAP, 1],
    ] as const;
    for (const [options, flags, syncs] of cases) {
      const { file, handle, device } = populated(options, flags);
      expect(
        sync(file, [
          { handle, size: 0x3000 },
          { handle: createBo(file, 0x1000, 0, flags), size: 0x1000 },
        ]),
      ).toBe(0);
      expect([device.counters.boSyncs, device.counters.boSyncBytes]).toEqual([syncs, 0x3000 * syncs]);
    }
  });
});

describe("BO_QUERY_INFO", () => {
  const ask = (file: PanthorFile, handle: number) => {
    const arg = BO_QUERY_INFO.encode({ handle, extraFlags: 7, createFlags: 7, pad: 7 });
    const ret = file.ioctl(IOCTL_BO_QUERY_INFO, arg);
    return ret || BO_QUERY_INFO.read(new DataView(arg.buffer));
  };

  it("has the request number of the header", () => expect(IOCTL_BO_QUERY_INFO).toBe(0xc0106450));

  it("tells what an object was made with, and whether it is imported", () => {
    const { file, device } = fixture();
    const own = createBo(file, 0x1000, 0, BO_NO_MMAP);
    expect(ask(file, own)).toEqual({ handle: own, extraFlags: 0, createFlags: BO_NO_MMAP, pad: 0 });
    const other = new PanthorDevice({ memory: { backing: device.memory.backing } }).open();
    const foreign = file.importBo(other.exportBo(createBo(other, 0x1000, 0, BO_WB_MMAP)));
    expect(ask(file, foreign)).toEqual({
      handle: foreign,
      extraFlags: BO_IS_IMPORTED,
      createFlags: 0,
      pad: 0,
    });
    // One's own device's object is no import.
    const second = device.open();
    const shared = second.importBo(file.exportBo(own));
    expect(ask(second, shared)).toMatchObject({ extraFlags: 0, createFlags: BO_NO_MMAP });
  });

  it("refuses an unknown handle, and older drivers all of it", () => {
    expect(ask(fixture().file, 9)).toBe(-ENOENT);
    const old = fixture({ driverVersion: "1.6" });
    expect(ask(old.file, createBo(old.file, 0x1000))).toBe(-EINVAL);
  });
});
