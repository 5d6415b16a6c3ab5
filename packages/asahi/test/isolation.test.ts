/**
 * Two processes on one device, each hostile: neither ever sees a byte that the other stored, neither can name what the
 * other has, and memory that changes hands has been zeroed.
 */
import { EINVAL, ENOENT, issue } from "@vmbind/drm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  AsahiDevice,
  type AsahiDeviceOptions,
  type AsahiFile,
  BIND_OBJECT_OP_UNBIND,
  BIND_READ,
  BIND_UNBIND,
  BIND_WRITE,
  checkDeviceInvariants,
  DUMMY_PAGE_VA,
  GEM_VM_PRIVATE,
  type GemBindOp,
  PAGE_BYTES,
  vmBindCall,
} from "../src/index.ts";
import { KERNEL, Process, Random } from "./process.ts";

const ADDR = 0x20_0000_0000;
const bindOp = (handle: number, pages: number): GemBindOp => ({
  flags: BIND_READ | BIND_WRITE,
  handle,
  offset: 0,
  range: pages * PAGE_BYTES,
  addr: ADDR,
});
const unbindOp = (pages: number): GemBindOp => ({ ...bindOp(0, pages), flags: BIND_UNBIND });

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
function run(options: Partial<AsahiDeviceOptions>, seed: number, steps: number): Seen {
  // Little memory, so that what one gives back the other gets soon.
  const device = new AsahiDevice({ memory: { frames: { limit: 0x100000000 + 0x2000000 } }, ...options });
  const random = new Random(seed);
  // Together more VMs than context slots.
  const [a, b] = [0xa1, 0xb2].map((tag) => new Process(device, random, tag, 40)) as [Process, Process];
  const storedBy = new Map<number, number>();
  const seen: Seen = { changedHands: 0, own: 0, foreign: 0 };
  for (let i = 0; i < steps; i++) {
    const [p, other] = random.below(2) === 0 ? [a, b] : [b, a];
    p.step();
    if (i % 8 === 0) look(p, storedBy, seen);
    if (i % 16 === 0) other.flood();
  }
  checkDeviceInvariants(device, [a.file, b.file]);
  a.close();
  b.close();
  expect([device.gems.size, device.counters.backingBytes]).toEqual([0, 0]);
  return seen;
}

describe("two hostile processes", () => {
  const devices: [string, Partial<AsahiDeviceOptions>][] = [
    ["one contiguous run", { boFragmentation: "contiguous" }],
    ["scattered pages", { boFragmentation: "scattered" }],
    ["a TLB that forgets nothing by itself", { tlb: { entries: 16384 } }],
  ];
  it.each(devices)(
    "see nothing of each other: %s",
    (_name, options) => {
      let changedHands = 0;
      let own = 0;
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 2 ** 30 }), (seed) => {
          const seen = run(options, seed, 240);
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

function open(device: AsahiDevice): { file: AsahiFile; vmId: number } {
  const file = device.open();
  return { file, vmId: file.vmCreate(KERNEL) };
}

it("the driver's dummy page is each VM's own, and new in each", () => {
  const device = new AsahiDevice();
  const { file, vmId } = open(device);
  const second = file.vmCreate(KERNEL);
  file.vm(vmId)?.addressSpace.store8(DUMMY_PAGE_VA, 0xee);
  expect(file.vm(vmId)?.addressSpace.load8(DUMMY_PAGE_VA)).toBe(0xee);
  expect(file.vm(second)?.addressSpace.load8(DUMMY_PAGE_VA)).toBe(0);
  const pa = file.vm(vmId)?.dummyPage?.pages().pa[0];
  file.close();
  const next = open(device);
  const vm = next.file.vm(next.vmId);
  // The very same memory.
  expect([vm?.dummyPage?.pages().pa[0], vm?.addressSpace.load8(DUMMY_PAGE_VA)]).toEqual([pa, 0]);
});

describe("memory that changes hands", () => {
  const full = new Uint8Array(PAGE_BYTES).fill(0xee);
  const ways: [string, (file: AsahiFile, vmId: number, handle: number) => void][] = [
    ["the file is closed", (file) => file.close()],
    ["the object is closed", (file, _vmId, handle) => file.gemClose(handle)],
    [
      "the object is unbound, then closed",
      (file, vmId, handle) => {
        file.bind(vmId, [unbindOp(4)]);
        file.gemClose(handle);
      },
    ],
    [
      "its VM is destroyed, then the object closed",
      (file, vmId, handle) => {
        file.vmDestroy({ vmId });
        file.gemClose(handle);
      },
    ],
  ];
  it.each(ways)("reads as zero when %s", (way, giveBack) => {
    const device = new AsahiDevice();
    const first = open(device);
    const handle = first.file.gemCreate({ size: 4 * PAGE_BYTES, flags: 0, vmId: 0 });
    first.file.bind(first.vmId, [bindOp(handle, 4)]);
    const vm = first.file.vm(first.vmId);
    const had = first.file.bo(handle)?.pages().pa[0];
    for (let i = 0; i < 4; i++) vm?.addressSpace.store(ADDR + i * PAGE_BYTES, full);
    giveBack(first.file, first.vmId, handle);
    const next = open(device);
    const space = next.file.vm(next.vmId)?.addressSpace;
    let found = false;
    for (let i = 0; i < 8 && !found; i++) {
      const mine = next.file.gemCreate({ size: 4 * PAGE_BYTES, flags: 0, vmId: 0 });
      next.file.bind(next.vmId, [bindOp(mine, 4)]);
      found = next.file.bo(mine)?.pages().pa[0] === had;
      expect(space?.load(ADDR, 4 * PAGE_BYTES).every((byte) => byte === 0)).toBe(true);
    }
    expect(found).toBe(true);
    for (const [, { addressSpace }] of first.file.vms())
      expect(addressSpace.translate(ADDR).kind).toBe("fault");
    next.file.close();
    if (way !== "the file is closed") first.file.close();
    expect([device.memory.residentBytes, device.counters.tablesLive]).toEqual([0, 0]);
  });
});

it("handles and ids of one file mean nothing in another", () => {
  const device = new AsahiDevice();
  const owner = open(device);
  const ids = [owner.file.vmCreate(KERNEL), owner.file.vmCreate(KERNEL)];
  const handles = [1, 2, 3].map(() => owner.file.gemCreate({ size: PAGE_BYTES, flags: 0, vmId: 0 }));
  const object = owner.file.gemBindObject({
    op: 0,
    flags: 1,
    handle: handles[0] as number,
    vmId: 0,
    offset: 0,
    range: PAGE_BYTES,
    objectHandle: 0,
    pad: 0,
  });
  const { file, vmId } = open(device);
  const refused = (errno: number, call: () => unknown) =>
    expect(call).toThrow(expect.objectContaining({ errno }));
  for (const id of ids) {
    expect(issue(file, vmBindCall(id, [unbindOp(1)]))).toBe(-ENOENT);
    refused(ENOENT, () => file.vmDestroy({ vmId: id }));
    refused(ENOENT, () => file.gemCreate({ size: PAGE_BYTES, flags: GEM_VM_PRIVATE, vmId: id }));
  }
  for (const handle of handles) {
    expect(issue(file, vmBindCall(vmId, [bindOp(handle, 1)]))).toBe(-ENOENT);
    refused(ENOENT, () => file.gemMmapOffset({ handle, flags: 0 }));
    refused(EINVAL, () => file.gemClose(handle));
  }
  const unbind = { op: BIND_OBJECT_OP_UNBIND, flags: 0, handle: 0, vmId: 0, offset: 0, range: 0, pad: 0 };
  refused(ENOENT, () => file.gemBindObject({ ...unbind, objectHandle: object }));
  expect([[...owner.file.vms()].length, [...owner.file.bos()].length]).toEqual([3, 3]);
  checkDeviceInvariants(device, [owner.file, file]);
});
