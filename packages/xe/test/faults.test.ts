/**
 * Allocations that fail, one after the other and at random. An ioctl of this driver does all or nothing: after an error
 * mappings, page tables and references are what they were, and the same call succeeds when it is made again.
 */
import { type AllocFault, DRM_IOCTL_GEM_CLOSE, DrmError, ENOBUFS, ENOMEM, UserMemory } from "@vmbind/drm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dumpTables } from "../src/conformance/table-dump.ts";
import * as xe from "../src/index.ts";
import {
  bind,
  fixture,
  GIB,
  MIB,
  map,
  mustBind,
  nul,
  type Op,
  prefetch,
  unmap,
  unmapAll,
} from "./support.ts";

const KIB64 = 0x1_0000;
const ADDR = 8 * GIB;

/** What user space and the GPU can tell of a file. */
function digest(file: xe.XeFile): string {
  const vms = [...file.vms()].map(([id, vm]) => ({
    id,
    refs: vm.gpuvm.refs,
    mappings: [...vm.mappings()].map(({ gem, ...mapping }) => ({ ...mapping, refs: gem?.refs })),
    tables: dumpTables(vm),
  }));
  const bos = [...file.bos()].map(([handle, bo]) => [handle, bo.refs]);
  const plain = (_: string, value: unknown) => (typeof value === "bigint" ? value.toString(16) : value);
  return JSON.stringify([vms, bos, file.queues.size], plain, 1);
}

type Step =
  | { kind: "vm"; flags: number }
  | { kind: "bo"; size: number; vram: boolean; vmId: number; deferred: boolean }
  | { kind: "bind"; vmId: number; ops: Op[] }
  | { kind: "fault"; vmId: number; addr: number }
  | { kind: "close-bo"; handle: number }
  | { kind: "destroy-vm"; vmId: number };

/** 0 or a negative errno. */
function perform(file: xe.XeFile, step: Step): number {
  if (step.kind === "bind") return bind(file, step.ops, { vmId: step.vmId }, new UserMemory());
  if (step.kind === "vm") return file.ioctl(xe.IOCTL_VM_CREATE, xe.VM_CREATE.encode({ flags: step.flags }));
  if (step.kind === "close-bo") {
    return file.ioctl(DRM_IOCTL_GEM_CLOSE, xe.GEM_CLOSE.encode({ handle: step.handle }));
  }
  if (step.kind === "destroy-vm") {
    return file.ioctl(xe.IOCTL_VM_DESTROY, xe.VM_DESTROY.encode({ vmId: step.vmId }));
  }
  if (step.kind === "fault") {
    try {
      file.vm(step.vmId)?.fault(step.addr);
      return 0;
    } catch (error) {
      if (!(error instanceof DrmError)) throw error;
      return -error.errno;
    }
  }
  const create = xe.GEM_CREATE.encode({
    size: step.size,
    vmId: step.vmId,
    placement: step.vram ? xe.PLACEMENT_VRAM : xe.PLACEMENT_SYSTEM,
    cpuCaching: step.vram ? xe.GEM_CPU_CACHING_WC : xe.GEM_CPU_CACHING_WB,
    flags: step.deferred ? xe.GEM_CREATE_FLAG_DEFER_BACKING : 0,
  });
  return file.ioctl(xe.IOCTL_GEM_CREATE, create);
}

/** PAT index of write-back memory on Battlemage. */
const WB = new xe.XeDevice("bmg").platform.patWb;
const userptr: Op = {
  op: xe.VM_BIND_OP_MAP_USERPTR,
  addr: ADDR + 64 * MIB,
  range: KIB64,
  objOffset: 0x5000_0000,
  patIndex: WB,
};

/** Everything that allocates: VMs of each kind, objects here and there, single binds, arrays, cuts, faults. */
const SCRIPT: readonly Step[] = [
  { kind: "vm", flags: 0 },
  { kind: "vm", flags: xe.VM_CREATE_FLAG_SCRATCH_PAGE },
  { kind: "vm", flags: xe.VM_CREATE_FLAG_LR_MODE | xe.VM_CREATE_FLAG_FAULT_MODE },
  { kind: "bo", size: 4 * MIB, vram: false, vmId: 0, deferred: true },
  { kind: "bo", size: 2 * MIB, vram: true, vmId: 1, deferred: false },
  { kind: "bind", vmId: 1, ops: [map(ADDR, 4 * MIB, 1, 0, WB)] },
  {
    kind: "bind",
    vmId: 1,
    ops: [
      nul(ADDR + GIB, 2 * GIB),
      map(ADDR + MIB, 2 * MIB, 2, 0, WB),
      unmap(ADDR + GIB + 4096, KIB64),
      userptr,
      prefetch(ADDR, 2 * MIB),
    ],
  },
  { kind: "bind", vmId: 2, ops: [map(ADDR, KIB64, 1, 0, WB), nul(ADDR + 4 * GIB, GIB), unmap(ADDR, 4096)] },
  { kind: "bind", vmId: 3, ops: [map(ADDR, MIB, 1, MIB, WB), nul(ADDR + GIB, GIB)] },
  { kind: "fault", vmId: 3, addr: ADDR + 0x1234 },
  { kind: "bind", vmId: 3, ops: [unmap(ADDR + KIB64, KIB64)] },
  { kind: "bind", vmId: 1, ops: [{ ...unmapAll(1), patIndex: WB }] },
  { kind: "close-bo", handle: 1 },
  { kind: "destroy-vm", vmId: 2 },
];

interface FaultRun {
  /** Allocations that were asked for. */
  asked: number;
  /** Steps that failed, and how. */
  failed: [step: number, ret: number][];
}

function runScript(platform: string, script: readonly Step[], failsAt: (asked: number) => boolean): FaultRun {
  let asked = 0;
  let failing: string | null = null;
  const device = new xe.XeDevice(platform, {
    quirks: xe.NO_QUIRKS,
    allocFault: (point) => {
      if (!failsAt(asked++)) return false;
      failing = point;
      return true;
    },
  });
  const file = device.open();
  const failed: [number, number][] = [];
  for (const [i, step] of script.entries()) {
    for (;;) {
      const before = digest(file);
      failing = null;
      const ret = perform(file, step);
      // An array that does not fit is told apart from the rest: ENOBUFS asks for smaller arrays.
      const array = failing === "op-array" && step.kind === "bind" && step.ops.length > 1;
      expect([i, ret]).toEqual([i, failing === null ? 0 : array ? -ENOBUFS : -ENOMEM]);
      if (ret === 0) break;
      failed.push([i, ret]);
      expect(digest(file)).toBe(before);
      xe.checkDeviceInvariants(device, [file]);
    }
  }
  xe.checkDeviceInvariants(device, [file]);
  file.close();
  const { tablesLive, gpuvasLive, vmBosLive, backingBytes } = device.counters;
  expect([tablesLive, gpuvasLive, vmBosLive, backingBytes, device.gems.size]).toEqual([0, 0, 0, 0, 0]);
  return { asked, failed };
}

describe("an allocation that fails", () => {
  it("is survived, whichever it is: nothing has changed, and the call can be made again", () => {
    const clean = runScript("bmg", SCRIPT, () => false);
    expect(clean.failed).toEqual([]);
    const seen = new Set<string>();
    for (let k = 0; k < clean.asked; k++) {
      const { failed } = runScript("bmg", SCRIPT, (asked) => asked === k);
      expect(failed).toHaveLength(1);
      seen.add(String(failed[0]));
    }
    const wanted = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((step) => `${step},${-ENOMEM}`);
    for (const step of [6, 7]) wanted.push(`${step},${-ENOBUFS}`);
    for (const at of wanted) expect(seen).toContain(at);
  }, 60_000);

  const op = fc
    .record({
      kind: fc.constantFrom("map", "map", "null", "unmap", "all", "user"),
      at: fc.integer({ min: -40, max: 40 }),
      blocks: fc.oneof(fc.integer({ min: 1, max: 16 }), fc.constant(32), fc.constant(16384)),
      bo: fc.integer({ min: 1, max: 2 }),
    })
    .map(({ kind, at, blocks, bo }): Op => {
      const addr = ADDR + at * KIB64;
      if (kind === "unmap") return unmap(addr, blocks * KIB64);
      if (kind === "null") return nul(addr, blocks * KIB64);
      if (kind === "all") return { ...unmapAll(bo), patIndex: WB };
      if (kind === "user") return { ...userptr, addr };
      return map(addr, Math.min(blocks, 32) * KIB64, bo, 0, WB);
    });
  const steps: fc.Arbitrary<Step[]> = fc.array(
    fc
      .record({ vmId: fc.constantFrom(1, 1, 2), ops: fc.array(op, { minLength: 1, maxLength: 4 }) })
      .map(({ vmId, ops }): Step => {
        // Object 2 belongs to VM 1.
        const own = ops.map((o) => (vmId === 2 && o.obj === 2 ? { ...o, obj: 1 } : o));
        return { kind: "bind", vmId, ops: own };
      }),
    { minLength: 1, maxLength: 8 },
  );

  it("is survived among many, in random calls", () => {
    let failures = 0;
    fc.assert(
      fc.property(steps, fc.infiniteStream(fc.integer({ min: 0, max: 11 })), (random, stream) => {
        const next = stream[Symbol.iterator]();
        const script = [...SCRIPT.slice(0, 5), ...random];
        failures += runScript("bmg", script, () => next.next().value === 0).failed.length;
      }),
      { numRuns: 50, seed: 20260322 },
    );
    expect(failures).toBeGreaterThan(200);
  }, 60_000);
});

it("leaf sizes stay noted although the PREFETCH that staged them was refused, and a later cut goes by them", () => {
  const state = (refuse: boolean): [flags: number, present: boolean][] => {
    let left = Number.POSITIVE_INFINITY;
    const allocFault: AllocFault = (point) => point === "page-table" && left-- <= 0;
    const flags = xe.VM_CREATE_FLAG_LR_MODE | xe.VM_CREATE_FLAG_FAULT_MODE;
    const { device, file, vm } = fixture("bmg", { allocFault }, flags);
    mustBind(file, nul(ADDR, MIB));
    if (refuse) {
      // The tables of the first operation can be had, those of the second cannot.
      left = vm.pageTable.rootLevel;
      const far = nul(2 ** 40, KIB64, xe.VM_BIND_FLAG_IMMEDIATE);
      expect(bind(file, [prefetch(ADDR, MIB), far])).toBe(-ENOMEM);
      left = Number.POSITIVE_INFINITY;
    }
    mustBind(file, unmap(ADDR + KIB64, KIB64));
    xe.checkDeviceInvariants(device, [file]);
    return [...vm.mappings()].map((m) => [m.flags & xe.VMA_PTE_FLAGS, m.present]);
  };
  // Never bound, so its leaves may become anything up to 1 GiB: no cut here spares a piece, and both are bound.
  const bound = [xe.VMA_PTE_4K | xe.VMA_PTE_64K, true];
  expect(state(false)).toEqual([bound, bound]);
  // Noted: 64 KiB at most. Both pieces are skipped and stay what the whole was, not bound.
  const skipped = [xe.VMA_PTE_64K, false];
  expect(state(true)).toEqual([skipped, skipped]);
});

it("a refused ioctl does not make the driver forget zero leaves that it had forgotten only half", () => {
  let left = Number.POSITIVE_INFINITY;
  const allocFault: AllocFault = (point) => point === "page-table" && left-- <= 0;
  const flags = xe.VM_CREATE_FLAG_SCRATCH_PAGE | xe.VM_CREATE_FLAG_LR_MODE | xe.VM_CREATE_FLAG_FAULT_MODE;
  const { file, vm } = fixture("bmg", { allocFault, quirks: xe.LINUX_QUIRKS }, flags);
  mustBind(file, nul(ADDR, MIB));
  expect(() => vm.addressSpace.load32(ADDR)).toThrow();
  left = 0;
  expect(bind(file, [prefetch(ADDR, MIB), nul(2 ** 40, KIB64, xe.VM_BIND_FLAG_IMMEDIATE)])).toBe(-ENOMEM);
  left = Number.POSITIVE_INFINITY;
  mustBind(file, unmap(ADDR, MIB));
  expect(vm.addressSpace.load32(ADDR)).toBe(0);
});

it("memory that runs out for real: the ioctl is undone, and all is there again afterwards", () => {
  const device = new xe.XeDevice("lnl", { memory: { frames: { limit: 0x100000000 + 4 * MIB } } });
  const file = device.open();
  perform(file, { kind: "vm", flags: 0 });
  const wb = device.platform.patWb;
  for (let round = 0; round < 3; round++) {
    for (const size of [3 * MIB, 2 * MIB]) {
      expect(perform(file, { kind: "bo", size, vram: false, vmId: 0, deferred: true })).toBe(0);
    }
    const both = [map(ADDR, 3 * MIB, 1, 0, wb), map(ADDR + 4 * MIB, 2 * MIB, 2, 0, wb)];
    expect(bind(file, both)).toBe(-ENOMEM);
    expect([...(file.vm(1)?.mappings() ?? [])]).toEqual([]);
    xe.checkDeviceInvariants(device, [file]);
    // The first object keeps the memory that the failed ioctl got for it, so that only it fits.
    expect([bind(file, both.slice(0, 1)), bind(file, both.slice(1))]).toEqual([0, -ENOMEM]);
    expect(bind(file, [{ ...unmapAll(1), patIndex: wb }])).toBe(0);
    for (const handle of [1, 2]) perform(file, { kind: "close-bo", handle });
    expect(device.counters.backingBytes).toBe(0);
  }
  file.close();
  expect([device.gems.size, device.counters.tablesLive]).toEqual([0, 0]);
});
