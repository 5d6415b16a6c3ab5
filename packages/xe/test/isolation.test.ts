/**
 * Two processes on one device, each hostile: neither ever sees a byte that the other stored, neither can name what the
 * other has, and memory that changes hands has been zeroed.
 */
import { DRM_IOCTL_GEM_CLOSE, EINVAL, ENOENT } from "@vmbind/drm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as xe from "../src/index.ts";
import { Process, Random } from "./process.ts";
import { bind, map, mustBind, nul, unmap } from "./support.ts";

const ADDR = 0x1_0000_0000;
const PAGE = 4096;
interface Seen {
  /** Pages that one process stored to and the other had mapped later. */
  changedHands: number;
  /** Bytes looked at that bore the own tag. */
  own: number;
  /** Bytes of the other. */
  foreign: number;
}

/** What a process can see: every byte must be 0 or its own. */
function look(p: Process, storedBy: Map<number, number>, seen: Seen): void {
  for (const { pa, bytes } of p.seen()) {
    if (pa < 0) {
      // A null page swallows what is stored.
      if (bytes.some((byte) => byte !== 0)) seen.foreign++;
      continue;
    }
    const before = storedBy.get(pa);
    if (before !== undefined && before !== p.tag) seen.changedHands++;
    storedBy.delete(pa);
    for (const byte of bytes) {
      if (byte === 0) continue;
      if (byte === p.tag) seen.own++;
      else seen.foreign++;
      storedBy.set(pa, byte);
    }
  }
}

/** Two processes take turns; after every few steps all that one can see is looked at. */
function run(platform: string, options: Partial<xe.XeDeviceOptions>, seed: number, steps: number): Seen {
  // Little memory, so that what one gives back the other gets soon.
  const device = new xe.XeDevice(platform, {
    memory: { frames: { limit: 0x100000000 + 0x2000000 } },
    ...options,
  });
  const random = new Random(seed);
  const [a, b] = [0xa1, 0xb2].map((tag) => new Process(device, random, tag)) as [Process, Process];
  const storedBy = new Map<number, number>();
  const seen: Seen = { changedHands: 0, own: 0, foreign: 0 };
  for (let i = 0; i < steps; i++) {
    const [p, other] = random.below(2) === 0 ? [a, b] : [b, a];
    p.step();
    if (i % 8 === 0) look(p, storedBy, seen);
    if (i % 16 === 0) other.flood();
  }
  xe.checkDeviceInvariants(device, [a.file, b.file]);
  a.close();
  b.close();
  expect([device.gems.size, device.counters.backingBytes]).toEqual([0, 0]);
  return seen;
}

describe("two hostile processes", () => {
  const devices: [string, string, Partial<xe.XeDeviceOptions>][] = [
    ["Battlemage", "bmg", {}],
    ["DG2, scattered pages", "dg2", { boFragmentation: "scattered" }],
    ["Lunar Lake, a TLB that forgets nothing by itself", "lnl", { tlb: { entries: 16384 } }],
  ];
  it.each(devices)(
    "see nothing of each other: %s",
    (_name, platform, options) => {
      let changedHands = 0;
      let own = 0;
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 2 ** 30 }), (seed) => {
          const seen = run(platform, options, seed, 200);
          expect(seen.foreign).toBe(0);
          changedHands += seen.changedHands;
          own += seen.own;
        }),
        { numRuns: 8, seed: 4 },
      );
      // The test could have failed: stores were seen by their owner, and pages did change hands.
      expect([changedHands > 0, own > 0]).toEqual([true, true]);
    },
    60_000,
  );
});

function open(device: xe.XeDevice, flags = 0): { file: xe.XeFile; vm: xe.XeVm } {
  const file = device.open();
  if (file.ioctl(xe.IOCTL_VM_CREATE, xe.VM_CREATE.encode({ flags })) !== 0) throw file.lastError;
  return { file, vm: file.vm(1) as xe.XeVm };
}

function createBo(file: xe.XeFile, vram: boolean): number {
  const create = xe.GEM_CREATE.encode({
    size: 0x1_0000,
    placement: vram ? xe.PLACEMENT_VRAM : xe.PLACEMENT_SYSTEM,
    cpuCaching: vram ? xe.GEM_CPU_CACHING_WC : xe.GEM_CPU_CACHING_WB,
  });
  if (file.ioctl(xe.IOCTL_GEM_CREATE, create) !== 0) throw file.lastError;
  return xe.GEM_CREATE.read(new DataView(create.buffer)).handle;
}

const closeBo = (file: xe.XeFile, handle: number): number =>
  file.ioctl(DRM_IOCTL_GEM_CLOSE, xe.GEM_CLOSE.encode({ handle }));
const destroyVm = (file: xe.XeFile, vmId: number): number =>
  file.ioctl(xe.IOCTL_VM_DESTROY, xe.VM_DESTROY.encode({ vmId }));

it("scratch and null pages swallow what is stored: nobody reads it, not even the writer", () => {
  const device = new xe.XeDevice("bmg");
  const [victim, spy] = [open(device, 1), open(device, 1)];
  for (const { file } of [victim, spy]) mustBind(file, nul(ADDR, 0x20_0000));
  for (const at of [ADDR, ADDR + 0x1f_f000, ADDR + 0x40_0000]) {
    victim.vm.addressSpace.store8(at, 0xee);
    expect([victim, spy].map(({ vm }) => vm.addressSpace.load8(at))).toEqual([0, 0]);
  }
  expect([device.counters.backingBytes, device.memory.residentBytes]).toEqual([0, 0]);
});

describe.each([false, true])("memory that changes hands, VRAM %s,", (vram) => {
  const full = new Uint8Array(PAGE).fill(0xee);
  const ways: [string, (file: xe.XeFile, handle: number) => void][] = [
    ["the file is closed", (file) => file.close()],
    [
      "the object is closed and unmapped",
      (file, handle) => {
        closeBo(file, handle);
        mustBind(file, unmap(ADDR, 0x1_0000));
      },
    ],
    [
      "the object is closed and a null mapping takes its place",
      (file, handle) => {
        closeBo(file, handle);
        mustBind(file, nul(ADDR - 0x1_0000, 0x4_0000));
      },
    ],
    [
      "the object is closed and its VM destroyed",
      (file, handle) => {
        closeBo(file, handle);
        destroyVm(file, 1);
      },
    ],
  ];
  it.each(ways)("reads as zero when %s", (way, giveBack) => {
    const device = new xe.XeDevice("bmg");
    const first = open(device);
    const handle = createBo(first.file, vram);
    mustBind(first.file, map(ADDR, 0x1_0000, handle, 0, device.platform.patWb));
    const had = first.file.bo(handle)?.pages?.pa[0];
    for (let at = 0; at < 0x1_0000; at += PAGE) first.vm.addressSpace.store(ADDR + at, full);
    giveBack(first.file, handle);
    const next = open(device);
    let found = false;
    for (let i = 0; i < 8 && !found; i++) {
      const mine = createBo(next.file, vram);
      mustBind(next.file, map(ADDR, 0x1_0000, mine, 0, device.platform.patWb));
      found = next.file.bo(mine)?.pages?.pa[0] === had;
      expect(next.vm.addressSpace.load(ADDR, 0x1_0000).every((byte) => byte === 0)).toBe(true);
    }
    expect(found).toBe(true);
    for (const [, { addressSpace }] of first.file.vms())
      expect(addressSpace.translate(ADDR).kind).not.toBe("page");
    next.file.close();
    if (way !== "the file is closed") first.file.close();
    expect([device.memory.residentBytes, device.counters.tablesLive, device.gems.size]).toEqual([0, 0, 0]);
  });
});

it("the process's pages that MAP_USERPTR pinned are its own, and zeroed when it is gone", () => {
  const device = new xe.XeDevice("bmg");
  const op = { op: xe.VM_BIND_OP_MAP_USERPTR, addr: ADDR, range: PAGE, objOffset: 0x5000, patIndex: 2 };
  const [victim, spy] = [open(device), open(device)];
  for (const { file } of [victim, spy]) mustBind(file, { ...op, patIndex: device.platform.patWb });
  victim.vm.addressSpace.store8(ADDR, 0xee);
  expect([victim, spy].map(({ vm }) => vm.addressSpace.load8(ADDR))).toEqual([0xee, 0]);
  const pa = victim.vm.addressSpace.walk(ADDR).pa;
  victim.file.close();
  const heir = open(device);
  mustBind(heir.file, { ...op, patIndex: device.platform.patWb });
  // The very same memory.
  expect([heir.vm.addressSpace.walk(ADDR).pa, heir.vm.addressSpace.load8(ADDR)]).toEqual([pa, 0]);
});

it("handles and ids of one file mean nothing in another", () => {
  const device = new xe.XeDevice("bmg");
  const owner = open(device);
  for (let i = 0; i < 2; i++) owner.file.ioctl(xe.IOCTL_VM_CREATE, xe.VM_CREATE.encode({}));
  const handles = [1, 2, 3].map(() => createBo(owner.file, false));
  const { file } = open(device);
  for (const vmId of [2, 3]) {
    expect(bind(file, [unmap(ADDR, PAGE)], { vmId })).toBe(-EINVAL);
    expect(destroyVm(file, vmId)).toBe(-ENOENT);
    const create = { size: PAGE, placement: 1, cpuCaching: xe.GEM_CPU_CACHING_WB, vmId };
    expect(file.ioctl(xe.IOCTL_GEM_CREATE, xe.GEM_CREATE.encode(create))).toBe(-ENOENT);
  }
  for (const handle of handles) {
    expect(bind(file, [map(ADDR, PAGE, handle, 0, device.platform.patWb)])).toBe(-ENOENT);
    expect(file.ioctl(xe.IOCTL_GEM_MMAP_OFFSET, xe.GEM_MMAP_OFFSET.encode({ handle }))).toBe(-ENOENT);
    expect(closeBo(file, handle)).toBe(-EINVAL);
  }
  expect([[...owner.file.vms()].length, [...owner.file.bos()].length]).toEqual([3, 3]);
  xe.checkDeviceInvariants(device, [owner.file, file]);
});
