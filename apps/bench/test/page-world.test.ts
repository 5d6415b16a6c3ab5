/** What the naive model of a device allows after calls that move objects without saying so, and while jobs wait. */

import {
  GEM_DOMAIN_VRAM,
  IOCTL_VM_BIND,
  SYNC,
  VM_BIND,
  VM_BIND_OP,
  VM_BIND_OP_MAP,
  VM_BIND_OP_UNMAP,
  VM_BIND_RUN_ASYNC,
  VM_BIND_SPARSE,
  type VmBindOp,
} from "@vmbind/nouveau";
import type { Call } from "@vmbind/trace";
import { describe, expect, it } from "vitest";
import * as nouveau from "../src/drivers/nouveau/probe.ts";
import type { Step } from "../src/fuzz/call.ts";
import { SIMULATION } from "../src/fuzz/examiner.ts";
import { OPS_ADDR, SYNCS_ADDR } from "../src/fuzz/fuzz-driver.ts";
import type { Meaning } from "../src/fuzz/meaning.ts";
import { PageWorld } from "../src/fuzz/page-world.ts";
import { headerFor, rerun } from "../src/fuzz/session.ts";
import { targetFor } from "../src/fuzz/targets.ts";

const PAGE = 4096;
const OBJECT = 2;

const NULL_PAGE = {
  kind: "range",
  va: 32 * PAGE,
  bytes: PAGE,
  shows: { kind: "null" },
  access: "rw",
  promised: false,
} as const;

function bind(va: number): Meaning {
  const shows = { kind: "object", handle: OBJECT, offset: 0, window: 0 } as const;
  const op = { kind: "range", va, bytes: PAGE, shows, access: "rw", promised: false } as const;
  return { kind: "queue", vm: 1, jobs: [{ ops: [op], waits: [], signals: [] }], queue: 0 };
}

/** A VM with one page bound to an object. */
function boundWorld(wanders: boolean): PageWorld {
  const world = new PageWorld({
    pageBytes: PAGE,
    closeUnbinds: false,
    spaceFirst: true,
    idleJobsPass: true,
    remapsInPlace: false,
  });
  world.called(0, { kind: "vm", vm: 1, unbound: "fault", keepsPromises: true });
  world.called(0, { kind: "object", handle: OBJECT, wanders });
  world.called(0, bind(16 * PAGE));
  return world;
}

function mayBeMissing(world: PageWorld, va: number): boolean | undefined {
  const [[, , vm] = []] = [...world.vms()];
  return [...(vm?.log.places() ?? [])].find((place) => place.va === va)?.advised;
}

describe("a bind in which something was given up", () => {
  it.each([
    ["may leave the pages of an object missing that it moved", true],
    ["leaves the pages of an object that stays where they are", false],
  ])("%s", (_, wanders) => {
    const world = boundWorld(wanders);
    expect(mayBeMissing(world, 16 * PAGE)).toBe(false);
    world.called(0, bind(64 * PAGE));
    world.starved(0, bind(64 * PAGE));
    expect(mayBeMissing(world, 16 * PAGE)).toBe(wanders);
    world.called(0, bind(16 * PAGE));
    expect(mayBeMissing(world, 16 * PAGE)).toBe(false);
  });
});

describe("a bind that was refused while jobs wait", () => {
  it.each([
    ["may have moved an object that wanders", true],
    ["has moved nothing else", false],
  ])("%s", (_, wanders) => {
    const world = boundWorld(wanders);
    world.happened({ kind: "fence", file: 0, syncobj: 1, fence: 1 }, 0);
    const waits = [{ syncobj: 1, point: 0 }];
    world.called(0, { kind: "queue", vm: 1, jobs: [{ ops: [NULL_PAGE], waits, signals: [] }], queue: 0 });
    world.refused(0, bind(64 * PAGE));
    expect(world.moving).toBe(wanders);
    world.happened({ kind: "signal", fence: 1 }, 0);
    expect(world.moving).toBe(false);
  });
});

/** VM_BIND of nouveau with one operation; asynchronous behind a syncobj unless that is 0. */
function vmBind(op: Partial<VmBindOp>, syncobj = 0): Call {
  const waits = { flags: VM_BIND_RUN_ASYNC, waitCount: 1, waitPtr: SYNCS_ADDR };
  const arg = { opCount: 1, opPtr: OPS_ADDR, ...(syncobj > 0 && waits) };
  const buffers = [{ field: "op_ptr", addr: OPS_ADDR, bytes: VM_BIND_OP.encode(op) }];
  if (syncobj > 0) {
    buffers.push({ field: "wait_ptr", addr: SYNCS_ADDR, bytes: SYNC.encode({ handle: syncobj }) });
  }
  return nouveau.call(IOCTL_VM_BIND, VM_BIND.encode(arg), buffers);
}

describe("an object that comes back while the UNMAP of its mapping waits", () => {
  const at = { addr: 16 * PAGE, range: 2 * PAGE };
  const bound: Step[] = [
    nouveau.gemNew(2 * PAGE, GEM_DOMAIN_VRAM),
    vmBind({ op: VM_BIND_OP_MAP, handle: 1, ...at }),
  ];
  const gone: Step[] = [
    { kind: "evict", file: 0, handle: 1 },
    { kind: "fence", file: 0, syncobj: 1, fence: 1 },
    vmBind({ op: VM_BIND_OP_UNMAP, ...at }, 1),
    { kind: "restore", file: 0 },
  ];

  it.each([
    ["in a region, which shows there", [vmBind({ op: VM_BIND_OP_MAP, flags: VM_BIND_SPARSE, ...at })]],
    ["outside of regions, where nothing is", []],
  ])("is not mapped again %s", async (_, region) => {
    const target = await targetFor("nouveau");
    const header = headerFor(target, 0, 1, { workload: SIMULATION, alloc_faults: true });
    const steps = [nouveau.vmInit(), ...region, ...bound, ...gone];
    expect(rerun(target, header, steps)).toBeNull();
    expect(rerun(target, header, [...steps, { kind: "signal", fence: 1 }])).toBeNull();
  });
});
