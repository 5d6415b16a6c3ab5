/**
 * Allocations that fail, one after the other and at random. The driver keeps what it did before the failing operation
 * and says nothing of how far it came: a twin on which nothing fails is given just the operations before it, and must
 * look the same. Tables that were made on the way stay, empty.
 */
import { DrmError, ENOMEM, issue } from "@vmbind/drm";
import { leaves } from "@vmbind/mmu";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  AsahiDevice,
  type AsahiFile,
  BIND_OBJECT_OP_BIND,
  BIND_READ,
  BIND_SINGLE_PAGE,
  BIND_UNBIND,
  BIND_WRITE,
  checkDeviceInvariants,
  GEM_VM_PRIVATE,
  type GemBindOp,
  PAGE_BYTES,
  vmBindCall,
} from "../src/index.ts";
import { KERNEL } from "./process.ts";

/** A 64 GiB boundary, which is also one of 32 MiB: tables of both levels on either side. */
const ADDR = 0x30_0000_0000;
const RW = BIND_READ | BIND_WRITE;

const bind = (handle: number, page: number, pages: number, offset = 0): GemBindOp => ({
  flags: RW,
  handle,
  offset: offset * PAGE_BYTES,
  range: pages * PAGE_BYTES,
  addr: ADDR + page * PAGE_BYTES,
});
const single = (handle: number, page: number, pages: number): GemBindOp => ({
  ...bind(handle, page, pages),
  flags: RW | BIND_SINGLE_PAGE,
});
const unbind = (page: number, pages: number): GemBindOp => ({ ...bind(0, page, pages), flags: BIND_UNBIND });

/** What user space and the GPU can tell of a file. Addresses of memory and of tables are left out. */
function digest(file: AsahiFile): string {
  const vms = [...file.vms()].map(([id, vm]) => ({
    id,
    mappings: [...vm.mappings()].map(({ gem, ...mapping }) => ({ ...mapping, refs: gem?.refs })),
    leaves: [...leaves(vm.device.memory, vm.device.format, vm.pageTable.root)].map(({ va }) => va),
  }));
  return JSON.stringify([vms, [...file.bos()].map(([handle, bo]) => [handle, bo.size, bo.refs])], null, 1);
}

type Step =
  | { kind: "vm" }
  | { kind: "bo"; pages: number; private: boolean }
  | { kind: "bind"; ops: GemBindOp[] }
  | { kind: "firmware"; bo: number }
  | { kind: "close-bo"; bo: number }
  | { kind: "destroy-vm" };

/** 0 or a negative errno. */
function perform(file: AsahiFile, step: Step): number {
  if (step.kind === "bind") return issue(file, vmBindCall(1, step.ops));
  try {
    if (step.kind === "vm") file.vmCreate(KERNEL);
    else if (step.kind === "bo") {
      const owner = step.private ? { flags: GEM_VM_PRIVATE, vmId: 1 } : { flags: 0, vmId: 0 };
      file.gemCreate({ size: step.pages * PAGE_BYTES, ...owner });
    } else if (step.kind === "close-bo") file.gemClose(step.bo);
    else if (step.kind === "destroy-vm") file.vmDestroy({ vmId: 1 });
    else {
      const range = PAGE_BYTES;
      const args = {
        op: BIND_OBJECT_OP_BIND,
        flags: 1,
        handle: step.bo,
        vmId: 0,
        offset: 0,
        objectHandle: 0,
      };
      file.gemBindObject({ ...args, range, pad: 0 });
    }
    return 0;
  } catch (error) {
    if (!(error instanceof DrmError)) throw error;
    return -error.errno;
  }
}

/** Everything that allocates: VM with its dummy page, objects, binds and cuts of all kinds, firmware mappings. */
const SCRIPT: readonly Step[] = [
  { kind: "vm" },
  { kind: "bo", pages: 16, private: true },
  { kind: "bo", pages: 1, private: false },
  {
    kind: "bind",
    ops: [
      bind(1, -4, 12),
      single(2, 100, 3000),
      bind(1, 500, 4, 12),
      unbind(-2, 3),
      single(2, 0, 2),
      unbind(600, 1),
    ],
  },
  { kind: "bo", pages: 4, private: false },
  { kind: "firmware", bo: 3 },
  { kind: "bind", ops: [bind(3, 0, 4), unbind(-4, 5000), single(3, -3000, 6000)] },
  { kind: "close-bo", bo: 3 },
  { kind: "bind", ops: [bind(1, 5, 3)] },
  { kind: "destroy-vm" },
];

interface FaultRun {
  /** Allocations that were asked for. */
  asked: number;
  /** Steps that failed, with the operations that they had done. */
  failed: [step: number, done: number][];
}

function runScript(script: readonly Step[], failsAt: (asked: number) => boolean): FaultRun {
  let asked = 0;
  let faults = 0;
  const device = new AsahiDevice({
    allocFault: () => {
      const fails = failsAt(asked++);
      if (fails) faults++;
      return fails;
    },
  });
  const file = device.open();
  const twin = new AsahiDevice().open();
  const failed: [number, number][] = [];
  const check = (): void => {
    checkDeviceInvariants(device, [file]);
    expect(digest(file)).toBe(digest(twin));
  };
  for (const [i, whole] of script.entries()) {
    let step = whole;
    for (;;) {
      const { bindOps } = device.counters;
      const faultsBefore = faults;
      const ret = perform(file, step);
      expect(ret).toBe(faults > faultsBefore ? -ENOMEM : 0);
      if (ret === 0) break;
      // The sheet knows what the caller is not told: the operation that was begun last is the one that failed.
      const done = Math.max(0, device.counters.bindOps - bindOps - 1);
      failed.push([i, done]);
      if (step.kind === "bind" && done > 0) {
        expect(done).toBeLessThan(step.ops.length);
        perform(twin, { ...step, ops: step.ops.slice(0, done) });
        step = { ...step, ops: step.ops.slice(done) };
      }
      check();
    }
    expect(perform(twin, step)).toBe(0);
    if (failed.at(-1)?.[0] === i || i === script.length - 1) check();
  }
  file.close();
  const { tablesLive, gpuvasLive, vmBosLive, backingBytes } = device.counters;
  const { l1, l2, l3 } = device.firmware.pageTable?.count ?? { l1: 0, l2: 0, l3: 0 };
  expect([tablesLive - l1 - l2 - l3, gpuvasLive, vmBosLive, backingBytes, device.gems.size]).toEqual([
    0, 0, 0, 0, 0,
  ]);
  return { asked, failed };
}

describe("an allocation that fails", () => {
  const clean = runScript(SCRIPT, () => false);

  it("is survived, whichever it is: what came before it stays, and the rest can be done again", () => {
    expect(clean.failed).toEqual([]);
    const stopped = new Set<string>();
    for (let k = 0; k < clean.asked; k++) {
      const { failed } = runScript(SCRIPT, (asked) => asked === k);
      expect(failed).toHaveLength(1);
      stopped.add(String(failed[0]));
    }
    // Each operation of the arrays failed once, and each call that allocates.
    const wanted = [
      "0,0",
      "1,0",
      "2,0",
      "3,0",
      "3,1",
      "3,2",
      "3,3",
      "3,4",
      "3,5",
      "4,0",
      "5,0",
      "6,0",
      "6,1",
      "6,2",
    ];
    expect([...stopped].sort()).toEqual([...wanted, "8,0"].sort());
  }, 60_000);

  const op = fc
    .record({
      kind: fc.constantFrom("bind", "bind", "single", "unbind"),
      page: fc.integer({ min: -40, max: 40 }),
      pages: fc.oneof(fc.integer({ min: 1, max: 16 }), fc.constant(2048)),
      bo: fc.integer({ min: 1, max: 2 }),
    })
    .map(({ kind, page, pages, bo }): GemBindOp => {
      if (kind === "unbind") return unbind(page, pages);
      if (kind === "single") return single(bo, page, pages);
      return bind(bo, page, bo === 1 ? Math.min(pages, 16) : 1);
    });
  const steps: fc.Arbitrary<Step[]> = fc.array(
    fc.array(op, { minLength: 1, maxLength: 5 }).map((ops): Step => ({ kind: "bind", ops })),
    { minLength: 1, maxLength: 8 },
  );

  it("is survived among many, in random calls", () => {
    let failures = 0;
    fc.assert(
      fc.property(steps, fc.infiniteStream(fc.integer({ min: 0, max: 11 })), (random, stream) => {
        const next = stream[Symbol.iterator]();
        failures += runScript([...SCRIPT.slice(0, 3), ...random], () => next.next().value === 0).failed
          .length;
      }),
      { numRuns: 60, seed: 20260322 },
    );
    expect(failures).toBeGreaterThan(300);
  }, 60_000);
});

it("memory that runs out for real: what does not fit is refused, the rest stays, and all is there again afterwards", () => {
  const device = new AsahiDevice({ memory: { frames: { limit: 0x100000000 + 0x200000 } } });
  const file = device.open();
  file.vmCreate(KERNEL);
  for (let round = 0; round < 3; round++) {
    const [small, large] = [64, 80].map((pages) =>
      file.gemCreate({ size: pages * PAGE_BYTES, flags: 0, vmId: 0 }),
    ) as [number, number];
    const ops = [bind(small, 0, 64), bind(large, 8, 80), unbind(0, 64)];
    expect(issue(file, vmBindCall(1, ops))).toBe(-ENOMEM);
    expect([...(file.vm(1)?.mappings() ?? [])].map(({ bo, range }) => [bo, range])).toEqual([
      [small, 64 * PAGE_BYTES],
    ]);
    checkDeviceInvariants(device, [file]);
    file.gemClose(small);
    expect(issue(file, vmBindCall(1, [bind(large, 8, 80)]))).toBe(0);
    file.gemClose(large);
  }
  file.close();
  expect([device.gems.size, device.counters.backingBytes, device.counters.tablesLive]).toEqual([0, 0, 0]);
});
