/** What the DRM core answers for every driver, and what descriptors that are no files of a node answer. */
import { EINVAL, ENOENT, ENOTTY, EOPNOTSUPP, ETIME, Fence, signaledFence } from "@vmbind/drm";
import { GEM_NEW, IOCTL_GEM_NEW, IOCTL_SUBMITQUEUE_NEW, IOCTL_VM_BIND, VM_BIND } from "@vmbind/msm";
import { afterEach, describe, expect, test, vi } from "vitest";
import { CoreClient, viewOf } from "./core-client.ts";

const HANDLES = 0x1000;
const POINTS = 0x2000;

const clients: CoreClient[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

function client(other?: CoreClient): CoreClient {
  const made = new CoreClient(other);
  clients.push(made);
  return made;
}

/** A struct of 32-bit words. */
function words(...values: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

describe("syncobjs", () => {
  /** The last point of a timeline up to which everything has happened. */
  function query(one: CoreClient, handle: number): bigint {
    one.place(HANDLES, [handle]);
    const out = one.place(POINTS, [77n]);
    expect(one.ask("SYNCOBJ_QUERY", words(HANDLES, 0, POINTS, 0, 1, 0))).toBe(0);
    return viewOf(out).getBigUint64(0, true);
  }

  function signal(one: CoreClient, handle: number, point: bigint | null): void {
    one.place(HANDLES, [handle]);
    if (point !== null) one.place(POINTS, [point]);
    const points = point === null ? 0 : POINTS;
    expect(one.ask("SYNCOBJ_TIMELINE_SIGNAL", words(HANDLES, 0, points, 0, 1, 0))).toBe(0);
  }

  test("a timeline that is signalled at 0, or at no points, goes on as it was", () => {
    const one = client();
    const handle = one.file.model.syncobjs.create();
    signal(one, handle, 5n);
    expect(query(one, handle)).toBe(5n);
    signal(one, handle, 0n);
    expect(query(one, handle)).toBe(5n);
    signal(one, handle, null);
    expect(query(one, handle)).toBe(5n);
    signal(one, handle, 9n);
    expect(query(one, handle)).toBe(9n);
  });

  test("a point behind all that a double holds is told as the last of all", () => {
    const one = client();
    const handle = one.file.model.syncobjs.create();
    signal(one, handle, 2n ** 63n + 1n);
    expect(query(one, handle)).toBe(2n ** 64n - 1n);
  });

  test("a sync file goes to a point with TIMELINE only, and a syncobj comes without a point", () => {
    const one = client();
    const handle = one.file.model.syncobjs.create();
    one.fds.set(7, { what: "sync-file", fence: signaledFence() });
    const take = (flags: number, point: number) =>
      one.ask("SYNCOBJ_FD_TO_HANDLE", words(handle, flags, 7, 0, point, 0));
    expect(take(3, 6)).toBe(0);
    expect(query(one, handle)).toBe(6n);
    // Without TIMELINE it replaces the payload, whatever stands in the point.
    expect(take(1, 9)).toBe(0);
    expect(query(one, handle)).toBe(0n);
    expect(take(2, 9)).toBe(-EINVAL);
  });

  test("a transfer looks at where it goes before it looks at its flags, and then at where it comes from", () => {
    const one = client();
    const handle = one.file.model.syncobjs.create(true);
    const transfer = (src: number, dst: number, flags: number) =>
      one.ask("SYNCOBJ_TRANSFER", words(src, dst, 0, 0, 0, 0, flags, 0));
    expect(transfer(handle, 99, 0x80)).toBe(-ENOENT);
    expect(transfer(99, handle, 0x80)).toBe(-EINVAL);
    expect(transfer(99, handle, 0)).toBe(-ENOENT);
    expect(transfer(handle, handle, 0)).toBe(0);
  });

  test("a transfer that waits for a submission goes on with it, and gives up after 5 seconds", async () => {
    const one = client();
    const [from, to] = [one.file.model.syncobjs.create(), one.file.model.syncobjs.create()];
    const transfer = () => one.ask("SYNCOBJ_TRANSFER", words(from, to, 0, 0, 0, 0, 2, 0));
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "hrtime"] });
    try {
      const late = transfer();
      const given = expect(late).rejects.toMatchObject({ errno: ETIME });
      await vi.advanceTimersByTimeAsync(4_990);
      const soon = transfer();
      await vi.advanceTimersByTimeAsync(100);
      await given;
      one.file.model.syncobjs.get(from)?.attach(0, signaledFence());
      expect(await soon).toBe(0);
      expect(one.file.model.syncobjs.get(to)?.fence?.signaled).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });
});

test("a capability that no driver without a display has is not supported, and its value is 0", () => {
  const one = client();
  const arg = words(5, 0, 77, 0);
  expect(one.ask("GET_CAP", arg)).toBe(0);
  expect(viewOf(arg).getUint32(8, true)).toBe(3);
  for (const cap of [0, 1, 0x15, 0x16, 0xffffffff]) {
    const asked = words(cap, 0, 77, 0);
    expect(one.ask("GET_CAP", asked)).toBe(-EOPNOTSUPP);
    expect(viewOf(asked).getUint32(8, true)).toBe(0);
  }
});

test("the name of the bus comes whole or not at all", () => {
  const one = client();
  const ask = words(0, 0, POINTS, 0);
  expect(one.ask("GET_UNIQUE", ask)).toBe(0);
  const length = viewOf(ask).getUint32(0, true);
  expect(length).toBeGreaterThan(4);
  const out = new Uint8Array(length).fill(0xee);
  one.memory.places.place(POINTS, out);
  const short = words(length - 1, 0, POINTS, 0);
  expect(one.ask("GET_UNIQUE", short)).toBe(0);
  expect([viewOf(short).getUint32(0, true), out.every((byte) => byte === 0xee)]).toEqual([length, true]);
  expect(one.ask("GET_UNIQUE", words(length, 0, POINTS, 0))).toBe(0);
  expect(out.includes(0xee)).toBe(false);
});

describe("global names", () => {
  function make(one: CoreClient): number {
    const arg = GEM_NEW.encode({ size: 4096, flags: 0x20000 });
    expect(one.file.model.ioctl(IOCTL_GEM_NEW, arg)).toBe(0);
    return GEM_NEW.read(viewOf(arg)).handle;
  }

  function nameOf(one: CoreClient, handle: number): number {
    const arg = words(handle, 0);
    expect(one.ask("GEM_FLINK", arg)).toBe(0);
    return viewOf(arg).getUint32(4, true);
  }

  function close(one: CoreClient, handle: number): void {
    expect(one.file.model.ioctl(0x40086409, words(handle, 0))).toBe(0);
  }

  test("an object keeps its name while any file has a handle of it, and no longer, whatever else holds it", () => {
    const one = client();
    const other = client(one);
    const handle = make(one);
    const name = nameOf(one, handle);
    expect(nameOf(one, handle)).toBe(name);
    const gem = one.file.model.bo(handle);
    gem?.get();
    const opened = words(name, 0, 0, 0);
    expect(other.ask("GEM_OPEN", opened)).toBe(0);
    expect(viewOf(opened).getUint32(8, true)).toBe(4096);
    close(one, handle);
    expect(one.ask("GEM_OPEN", words(name, 0, 0, 0))).toBe(0);
    close(one, 1);
    close(other, viewOf(opened).getUint32(4, true));
    expect(other.ask("GEM_OPEN", words(name, 0, 0, 0))).toBe(-ENOENT);
    gem?.put();
  });

  test("the lowest free name comes first", () => {
    const one = client();
    const handles = [make(one), make(one), make(one)];
    expect(handles.map((handle) => nameOf(one, handle))).toEqual([1, 2, 3]);
    close(one, handles[1] as number);
    expect(nameOf(one, make(one))).toBe(2);
    expect(one.ask("GEM_OPEN", words(0, 0, 0, 0))).toBe(-ENOENT);
  });
});

describe("descriptors", () => {
  const SYNC_IOC_MERGE = 0xc0303e03;
  const SYNC_IOC_SET_DEADLINE = 0x40103e05;
  const DMA_BUF_IOCTL_SYNC = 0x40086200;
  const DMA_BUF_IOCTL_IMPORT_SYNC_FILE = 0x40086203;

  test("a sync file is merged with nothing but another", () => {
    const one = client();
    const file = { what: "sync-file", fence: new Fence() } as const;
    one.fds.set(7, { what: "sync-file", fence: signaledFence() });
    one.fds.set(8, {
      what: "syncobj",
      syncobj: one.file.model.syncobjs.export(one.file.model.syncobjs.create()),
    });
    const merge = (fd: number) => {
      const arg = new Uint8Array(48);
      viewOf(arg).setInt32(32, fd, true);
      return one.askDescriptor(file, SYNC_IOC_MERGE, arg);
    };
    expect([merge(7), merge(8), merge(9)]).toEqual([0, -ENOENT, -ENOENT]);
  });

  test("a request is known by all of its bits, the size among them", () => {
    const one = client();
    const file = { what: "sync-file", fence: new Fence() } as const;
    expect(one.askDescriptor(file, SYNC_IOC_SET_DEADLINE, words(1, 0, 0, 0))).toBe(0);
    expect(one.askDescriptor(file, 0x40083e05, words(1, 0))).toBe(-ENOTTY);
    expect(one.askDescriptor(file, 0xc0103e05, words(1, 0, 0, 0))).toBe(-ENOTTY);
    expect(one.askDescriptor(file, SYNC_IOC_SET_DEADLINE, words(1, 0))).toBe(-ENOTTY);
    expect(one.askDescriptor(file, DMA_BUF_IOCTL_SYNC, words(1, 0))).toBe(-ENOTTY);
    expect(one.askDescriptor(file, 0xc0106450, words(1, 0, 0, 0))).toBe(-ENOTTY);
  });

  test("a deadline has no pad", () => {
    const one = client();
    const file = { what: "sync-file", fence: new Fence() } as const;
    expect(one.askDescriptor(file, SYNC_IOC_SET_DEADLINE, words(1, 0, 0, 0))).toBe(0);
    expect(one.askDescriptor(file, SYNC_IOC_SET_DEADLINE, words(1, 0, 0, 1))).toBe(-EINVAL);
  });

  test("a dma-buf wants to know which accesses a sync is about", () => {
    const one = client();
    const arg = GEM_NEW.encode({ size: 4096, flags: 0x20000 });
    one.file.model.ioctl(IOCTL_GEM_NEW, arg);
    const dmaBuf = one.file.model.exportBo(GEM_NEW.read(viewOf(arg)).handle);
    const from = { what: "dma-buf", dmaBuf } as const;
    const sync = (flags: number, high = 0) => one.askDescriptor(from, DMA_BUF_IOCTL_SYNC, words(flags, high));
    expect([1, 2, 3, 5, 7].map((flags) => sync(flags))).toEqual([0, 0, 0, 0, 0]);
    expect([sync(0), sync(4), sync(9), sync(1, 1)]).toEqual([-EINVAL, -EINVAL, -EINVAL, -EINVAL]);
    one.fds.set(7, { what: "sync-file", fence: signaledFence() });
    const take = (flags: number, fd: number) =>
      one.askDescriptor(from, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, words(flags, fd));
    expect([take(3, 7), take(0, 7), take(4, 7), take(1, 6)]).toEqual([0, -EINVAL, -EINVAL, -EINVAL]);
    dmaBuf.put();
  });

  test("what is no sync file is refused when its turn comes, after what the driver looks at before", () => {
    const one = client();
    const { model } = one.file;
    const bind = (queueId: number, fenceFd: number) =>
      one.file.ioctl(one.call(), IOCTL_VM_BIND, VM_BIND.encode({ flags: 1, queueId, fenceFd }));
    const enable = words(0x10, 0x16, 1, 0, 0, 0);
    expect(model.ioctl(0x40186441, enable)).toBe(0);
    expect(model.ioctl(IOCTL_SUBMITQUEUE_NEW, words(2, 0, 0))).toBe(0);
    expect([bind(9, 6), bind(1, 6)]).toEqual([-ENOENT, -EINVAL]);
    expect(model.lastError?.message).toContain("fence_fd: 6 is not a sync file");
    one.fds.set(6, { what: "sync-file", fence: signaledFence() });
    expect(bind(1, 6)).toBe(0);
    // 1 is a number of the model's now, and no descriptor of the client's.
    expect(bind(1, 1)).toBe(-EINVAL);
  });
});
