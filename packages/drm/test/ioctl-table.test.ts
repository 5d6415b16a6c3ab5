import { describe, expect, it } from "vitest";
import {
  DRM_COMMAND_BASE,
  type DrmError,
  drmIow,
  drmIowr,
  EBADF,
  EBUSY,
  EFAULT,
  EINVAL,
  ENOTTY,
  EOPNOTSUPP,
  fail,
  IoctlTable,
  type IoctlTableOptions,
  ioctl,
  notModelled,
  type StructLayout,
  struct,
  type UapiCounters,
  u32,
  uapiCounters,
} from "../src/index.ts";

interface Pair {
  first: number;
  second: number;
  third: number;
}

const PAIR: StructLayout<Pair> = struct("pair", 12, { first: u32(0), second: u32(4), third: u32(8) });
const SWAP = drmIowr(DRM_COMMAND_BASE + 1, 12);
const COUNT = drmIowr(DRM_COMMAND_BASE + 2, 12);
const LOOK = drmIow(DRM_COMMAND_BASE + 4, 12);
const SUBMIT = drmIow(DRM_COMMAND_BASE + 9, 16);

class File {
  lastError: DrmError | null = null;
  closed = false;
  readonly device: { readonly counters: UapiCounters } = { counters: uapiCounters() };
  seen: Pair[] = [];
}

const known = { layout: PAIR, errnos: [], since: "1.0", support: "full" } as const;

function table(options?: IoctlTableOptions): IoctlTable<File> {
  return new IoctlTable<File>(
    [
      ioctl({
        ...known,
        name: "SWAP",
        request: SWAP,
        run: (_, { first, second }) => ({ first: second, second: first }),
      }),
      ioctl({
        ...known,
        name: "COUNT",
        request: COUNT,
        runBytes: (_, arg) => {
          arg.setUint32(4, arg.getUint32(4, true) + 1, true);
          if (arg.getUint32(0, true) === 0) fail(EBUSY, "pair.first: 0");
        },
      }),
      ioctl({ ...known, name: "LOOK", request: LOOK, run: (file, pair) => void file.seen.push(pair) }),
      notModelled({ name: "SUBMIT", request: SUBMIT, since: "1.0", note: "jobs" }),
    ],
    options,
  );
}

/** A request for the same number with another size. */
const sized = (request: number, size: number): number => ((request & ~0x3fff0000) | (size << 16)) >>> 0;

const bytes = (...words: number[]): Uint8Array => new Uint8Array(new Uint32Array(words).buffer);

describe("a table of ioctls", () => {
  it("runs rows by number, and writes back the members that a handler returns", () => {
    const file = new File();
    const arg = bytes(1, 2, 3);
    expect(table().ioctl(file, SWAP, arg)).toBe(0);
    expect(arg).toEqual(bytes(2, 1, 3));
    expect(table().ioctl(file, SWAP | 0, arg)).toBe(0);
    expect(table().ioctl(file, LOOK, arg)).toBe(0);
    expect(file.seen).toEqual([{ first: 1, second: 2, third: 3 }]);
    expect(file.device.counters).toMatchObject({ ioctls: 3, ioctlErrors: 0, payloadBytes: 36 });
  });

  it("refuses with an errno and a reason, which the next success forgets", () => {
    const file = new File();
    const all = table();
    const refusals: [number, number, string][] = [
      [sized(SWAP, 12) ^ 0x100, ENOTTY, "ioctl: 0xc00c6541 is not a DRM request"],
      [drmIow(DRM_COMMAND_BASE, 12), EINVAL, "ioctl: 0x400c6440 is not a request of this driver"],
      [drmIow(DRM_COMMAND_BASE + 9, 12), EOPNOTSUPP, "ioctl: SUBMIT is not modelled"],
      [sized(SWAP, 13), EFAULT, "ioctl: the argument has 12 bytes, the request says 13"],
      [COUNT, EBUSY, "pair.first: 0"],
    ];
    for (const [request, errno, reason] of refusals) {
      expect(all.ioctl(file, request, bytes(0, 0, 0))).toBe(-errno);
      expect(file.lastError?.reason).toBe(reason);
    }
    // Only what was copied in counts as payload.
    expect(file.device.counters).toMatchObject({ ioctls: 5, ioctlErrors: 5, payloadBytes: 12 });
    expect(all.ioctl(file, SWAP, bytes(0, 0, 0))).toBe(0);
    expect(file.lastError).toBeNull();
  });

  it("lets a driver say what a foreign request gets", () => {
    expect(table({ foreign: EINVAL }).ioctl(new File(), SWAP ^ 0x100, bytes(0, 0, 0))).toBe(-EINVAL);
  });

  it("extends a shorter struct with zeroes, and copies as much of it back, also when the call fails", () => {
    const file = new File();
    const arg = bytes(0, 0x01020304, 0xffffffff);
    expect(table().ioctl(file, sized(LOOK, 6), arg)).toBe(0);
    expect(file.seen).toEqual([{ first: 0, second: 0x0304, third: 0 }]);
    expect(table().ioctl(file, sized(COUNT, 8), arg)).toBe(-EBUSY);
    expect(arg).toEqual(bytes(0, 0x01020305, 0xffffffff));
    expect(file.device.counters.payloadBytes).toBe(14);
  });

  it("leaves the tail of a longer struct alone", () => {
    const arg = bytes(1, 2, 3, 4);
    expect(table().ioctl(new File(), sized(SWAP, 16), arg)).toBe(0);
    expect(arg).toEqual(bytes(2, 1, 3, 4));
  });

  it("zeroes the tail of a longer struct that is copied out and not in, as the core copies out all that it has", () => {
    const readOnly = ((sized(SWAP, 16) & 0x3fffffff) | (2 << 30)) >>> 0;
    const arg = bytes(1, 2, 3, 4);
    expect(table().ioctl(new File(), readOnly, arg)).toBe(0);
    expect(arg).toEqual(bytes(0, 0, 0, 0));
  });

  it("copies in and out only where the request and the driver both say so", () => {
    const file = new File();
    const arg = bytes(1, 2, 3);
    const writeOnly = (SWAP & 0x3fffffff) | (1 << 30);
    expect(table().ioctl(file, writeOnly, arg)).toBe(0);
    expect(arg).toEqual(bytes(1, 2, 3));
    const readOnly = ((SWAP & 0x3fffffff) | (2 << 30)) >>> 0;
    expect(table().ioctl(file, readOnly, arg)).toBe(0);
    expect(arg).toEqual(bytes(0, 0, 0));
    expect(table().ioctl(file, LOOK & 0x3fffffff, bytes(1, 2, 3))).toBe(0);
    expect(file.seen).toEqual([{ first: 0, second: 0, third: 0 }]);
    expect(file.device.counters.payloadBytes).toBe(12);
  });

  it("lets a bug through", () => {
    const broken = new IoctlTable<File>([
      ioctl({
        ...known,
        name: "SWAP",
        request: SWAP,
        run: () => {
          throw new Error("a broken invariant");
        },
      }),
    ]);
    expect(() => broken.ioctl(new File(), SWAP, bytes(0, 0, 0))).toThrow("a broken invariant");
  });

  it("takes no layout of another size than the request, and no number twice", () => {
    const twice = { ...known, name: "SWAP", act: () => {} };
    expect(() => ioctl({ ...twice, request: sized(SWAP, 16) })).toThrow(
      "pair: 12 bytes, the request says 16",
    );
    const row = ioctl({ ...twice, request: SWAP });
    expect(() => new IoctlTable([row, row])).toThrow("SWAP has the number of another row");
  });

  it("finds a row by its number, whatever direction and size a request says", () => {
    const all = table();
    expect(all.row(sized(SWAP, 3) | 0)?.name).toBe("SWAP");
    expect(all.row(SUBMIT)?.support).toEqual({ errno: EOPNOTSUPP, note: "jobs" });
    expect(all.row(SWAP ^ 0x100)).toBeUndefined();
    expect(all.row(drmIow(DRM_COMMAND_BASE, 12))).toBeUndefined();
  });

  it("answers nothing once the file is closed", () => {
    const file = new File();
    file.closed = true;
    const arg = bytes(1, 2, 3);
    expect(table().ioctl(file, SWAP, arg)).toBe(-EBADF);
    expect(file.lastError?.message).toBe("EBADF: ioctl: the file is closed");
    expect(arg).toEqual(bytes(1, 2, 3));
  });
});
