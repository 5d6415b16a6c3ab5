import { describe, expect, it } from "vitest";
import {
  checkGemRefs,
  type DmaBuf,
  ENOENT,
  EPERM,
  fail,
  GemHandles,
  GemObject,
  GemObjects,
  type GemPages,
  type GemSegment,
} from "../src/index.ts";

/** An object of 4 pages in two pieces. */
class Bo extends GemObject {
  resident = 0;
  held = 0;
  readonly dmaBuf: DmaBuf | null;

  constructor(gems: GemObjects, dmaBuf: DmaBuf | null = null) {
    super(gems, 0x4000);
    this.dmaBuf = dmaBuf;
  }

  override get residentBytes(): number {
    return this.resident;
  }

  protected override takePages(): GemPages {
    this.resident = 0x4000;
    return {
      pa: [0x90000, 0x10000],
      bytes: [0x1000, 0x3000],
      offset: [0, 0x1000],
      segmentAt: (at) => (at < 0x1000 ? 0 : 1),
    };
  }

  override holdForImport(): void {
    this.held++;
  }

  override releaseFromImport(): void {
    this.held--;
  }

  protected override release(): void {
    this.dmaBuf?.detach();
  }
}

class Device {
  readonly gems = new GemObjects();
  readonly files: GemHandles<Bo>[] = [];
  readonly memory: object;
  private: Bo | null = null;

  constructor(memory: object) {
    this.memory = memory;
  }

  open(): GemHandles<Bo> {
    const { gems, memory } = this;
    const file = new GemHandles<Bo>({
      gems,
      memory,
      isBo: (gem) => gem instanceof Bo,
      checkExport: (bo) => bo !== this.private || fail(EPERM, "private"),
      importForeign(dmaBuf) {
        dmaBuf.attach();
        return new Bo(gems, dmaBuf);
      },
    });
    this.files.push(file);
    return file;
  }

  check(): void {
    checkGemRefs(this.gems, (gem) => this.files.filter((file) => file.handleOf(gem) !== 0).length);
  }
}

function close(file: GemHandles<Bo>): void {
  for (const [handle] of [...file.entries()]) file.remove(handle)?.put();
}

describe("an object in two files of a device", () => {
  it("is the same object with a handle in each", () => {
    const device = new Device({});
    const [a, b] = [device.open(), device.open()];
    const bo = new Bo(device.gems);
    a.add(new Bo(device.gems));
    expect(a.add(bo)).toBe(2);
    const dmaBuf = a.export(2);
    expect(a.export(2)).toBe(dmaBuf);
    dmaBuf.put();
    expect([a.import(dmaBuf), b.import(dmaBuf), b.import(dmaBuf)]).toEqual([2, 1, 1]);
    expect([b.get(1), a.handleOf(bo), b.handleOf(bo), bo.refs]).toEqual([bo, 2, 1, 3]);
    device.check();
    dmaBuf.put();
    expect(() => dmaBuf.put()).toThrow("put without a reference");
    const offset = bo.createMmapOffset();
    expect(b.objectAt(offset + 5)).toEqual({ object: bo, offset: 5 });
    expect(b.objectAt(offset + 0x4000)).toBeUndefined();
    close(b);
    expect([b.objectAt(offset), a.objectAt(offset)?.object]).toEqual([undefined, bo]);
    device.check();
    close(a);
    expect([device.gems.size, device.gems.offsets.lookup(offset)]).toEqual([0, undefined]);
  });

  it("lives on in its dma-buf when its file is closed", () => {
    const device = new Device({});
    const [a, b] = [device.open(), device.open()];
    const dmaBuf = a.export(a.add(new Bo(device.gems)));
    close(a);
    device.check();
    expect(device.gems.size).toBe(1);
    expect(b.import(dmaBuf)).toBe(1);
    dmaBuf.put();
    close(b);
    expect(device.gems.size).toBe(0);
  });

  it("is exported by handles of the file only, and not where the driver refuses", () => {
    const device = new Device({});
    const file = device.open();
    expect(() => file.export(1)).toThrow(expect.objectContaining({ errno: ENOENT }));
    device.private = new Bo(device.gems);
    expect(() => file.export(file.add(device.private as Bo))).toThrow("EPERM: private");
    device.check();
  });
});

describe("an object of another device", () => {
  it("is an object of its own over the same memory, which stays in place", () => {
    const memory = {};
    const [one, two] = [new Device(memory), new Device(memory)];
    const [a, b, c] = [one.open(), two.open(), two.open()];
    const bo = new Bo(one.gems);
    const dmaBuf = a.export(a.add(bo));
    expect([b.import(dmaBuf), b.import(dmaBuf), c.import(dmaBuf)]).toEqual([1, 1, 1]);
    dmaBuf.put();
    expect([bo.held, bo.residentBytes, dmaBuf.attachments, two.gems.size]).toEqual([2, 0x4000, 2, 2]);
    // What is exported again is the first export.
    const again = b.export(1);
    expect([again === dmaBuf, a.import(again)]).toEqual([true, 1]);
    again.put();
    one.check();
    two.check();
    close(a);
    expect([one.gems.size, bo.refs]).toEqual([1, 1]);
    close(b);
    close(c);
    expect([one.gems.size, two.gems.size, bo.held]).toEqual([0, 0, 0]);
  });

  it("is out of reach where the addresses mean something else", () => {
    const [one, two] = [new Device({}), new Device({})];
    const a = one.open();
    const dmaBuf = a.export(a.add(new Bo(one.gems)));
    expect(() => two.open().import(dmaBuf)).toThrow(
      "EINVAL: import: the object is in memory that this device does not reach",
    );
    expect(dmaBuf.attachments).toBe(0);
  });
});

describe("segments of an object", () => {
  const all = (bo: GemObject, offset: number, bytes: number): GemSegment[] => [...bo.segments(offset, bytes)];

  it("are the pieces that hold a range, and memory appears for it", () => {
    const bo = new Bo(new GemObjects());
    expect(all(bo, 0x4000, 0)).toEqual([]);
    expect(bo.residentBytes).toBe(0);
    expect(all(bo, 0xff0, 0x20)).toEqual([
      { pa: 0x90ff0, bytes: 0x10 },
      { pa: 0x10000, bytes: 0x10 },
    ]);
    expect(bo.residentBytes).toBe(0x4000);
    expect(all(bo, 0x3fff, 1)).toEqual([{ pa: 0x12fff, bytes: 1 }]);
    for (const [offset, bytes] of [
      [0x3fff, 2],
      [-1, 1],
      [0, -1],
      [Number.NaN, 1],
    ] as const) {
      expect(() => bo.segments(offset, bytes)).toThrow(RangeError);
    }
    expect(() => new GemObject(new GemObjects(), 1).segments(0, 1)).toThrow("ENOMEM");
  });
});
