/**
 * Apple UAT against the asahi driver's Rust: rows A (tables only), B, C and D (bind operations).
 *
 * VA base 128 GiB, 1 GiB = 65536 pages. B to D are bytes through the ioctl, all operations in one call; the peer's
 * figures leave handle look-ups, the copy of the operations and TLB instructions out. A VM without a context slot
 * invalidates nothing, so these rows run in one; those that end in -tlbi run in a VM with a slot.
 *
 * @module
 */

import {
  AsahiBo,
  AsahiDevice,
  type AsahiFile,
  type AsahiVm,
  BIND_READ,
  BIND_SINGLE_PAGE,
  BIND_UNBIND,
  BIND_WRITE,
  GEM_BIND_OP,
  type GemBindOp,
  IOCTL_VM_BIND,
  PAGE_BYTES,
  UatPageTable,
  VM_BIND,
} from "@vmbind/asahi";
import { UserMemory } from "@vmbind/drm";
import { PhysicalMemory, ScatterList, UAT_PROT, uatLeafHi, uatLeafLo } from "@vmbind/mmu";
import { compare, type Scenario, type Step } from "../../micro/harness.ts";
import { ASAHI_PEERS } from "./peers.ts";

const VA = 0x2000000000;
const GIB = 2 ** 30;
const PAGES = GIB / PAGE_BYTES;
const PAGES_100E6 = 6104;
const OPS_ADDR = 0x700000000000;
const PA = 0x800000000;

/** The scenarios of the area. */
export function asahiScenarios(): (Scenario<Tables> | Scenario<Binds>)[] {
  return [...tableScenarios(), ...bindScenarios()];
}

// -- A: tables only ---------------------------------------------------------------------------------------------------

/** Page tables without a VM. */
export interface Tables {
  memory: PhysicalMemory;
  table: UatPageTable;
}

const LO = uatLeafLo(UAT_PROT.gpuReadWrite, true);
const HI = uatLeafHi(UAT_PROT.gpuReadWrite);

function tableScenarios(): Scenario<Tables>[] {
  const fresh = (): Tables => {
    const memory = new PhysicalMemory({ tableBytes: PAGE_BYTES });
    return { memory, table: new UatPageTable(memory) };
  };
  const renew = (state: Tables): void => {
    state.table.destroy();
    state.table = new UatPageTable(state.memory);
  };
  const map =
    (onePage: boolean) =>
    ({ table }: Tables): void =>
      table.map(VA, GIB, PA, LO, HI, onePage);
  const unmap = ({ table }: Tables): void => table.unmap(VA, GIB);
  const written =
    (writes: number, clears: number) =>
    ({ memory: { counters } }: Tables): string | null => {
      const wrong =
        compare("leaves written", counters.pteWrites, writes) ??
        compare("leaves cleared", counters.pteClears, clears);
      counters.pteWrites = 0;
      counters.pteClears = 0;
      return wrong;
    };
  const step = (
    id: string,
    what: string,
    run: Step<Tables>["run"],
    check: Step<Tables>["check"],
    before?: Step<Tables>["before"],
  ): Step<Tables> => ({
    id,
    what,
    unit: "PTE",
    units: PAGES,
    run,
    check,
    peer: ASAHI_PEERS[id] ?? null,
    ...(before && { before }),
  });
  const warm = (): Tables => {
    const state = fresh();
    state.table.allocate(VA, GIB);
    return state;
  };
  return [
    {
      repeat: 41,
      prepare: warm,
      steps: [
        step("A1", "tables: map 1 GiB of contiguous memory", map(false), written(PAGES, 0)),
        step("A2", "tables: unmap it", unmap, written(0, PAGES)),
        step("A3", "tables: map 1 GiB with one repeated page", map(true), written(PAGES, 0)),
        step("A4", "tables: unmap it", unmap, written(0, PAGES)),
      ],
    },
    {
      repeat: 41,
      prepare: fresh,
      steps: [
        step("A5", "as A1, 33 tables made and zeroed", map(false), written(PAGES, 0), renew),
        step("A6", "as A3, 33 tables made and zeroed", map(true), written(PAGES, 0), renew),
      ],
    },
  ];
}

// -- B to D: bind operations ------------------------------------------------------------------------------------------

/** A VM, and objects to bind. */
export interface Binds {
  file: AsahiFile;
  vm: AsahiVm;
  user: UserMemory;
  /** Handles by kind of memory. */
  handles: { contiguous: number; scattered: number };
  ret: number;
}

interface Ops {
  arg: Uint8Array;
  data: Uint8Array;
}

const RW = BIND_READ | BIND_WRITE;
const ONE_PAGE = RW | BIND_SINGLE_PAGE;
const CONTIGUOUS = 1;
const SCATTERED = 2;

function bindScenarios(): Scenario<Binds>[] {
  const gib = (id: string, what: string, ops: Ops, mappings: number): Step<Binds> =>
    step(id, what, "PTE", PAGES, ops, mappings);
  const unbindGib = one({ flags: BIND_UNBIND, range: GIB });
  const contiguous = one({ flags: RW, handle: CONTIGUOUS, range: GIB });
  const repeated = one({ flags: ONE_PAGE, handle: CONTIGUOUS, range: GIB });
  const scattered = one({ flags: RW, handle: SCATTERED, range: GIB });
  const pages = each(PAGES, (i) => ({ flags: RW, handle: CONTIGUOUS, offset: i * PAGE_BYTES }));
  const samePage = each(PAGES, () => ({ flags: RW, handle: CONTIGUOUS }));
  const unbindPages = each(PAGES, () => ({ flags: BIND_UNBIND }));
  const small = PAGES_100E6 * PAGE_BYTES;
  const unbindSmall = one({ flags: BIND_UNBIND, range: small });
  return [
    {
      repeat: 41,
      prepare: binds,
      steps: [
        gib("B1", "1 bind of 1 GiB of a contiguous object", contiguous, 1),
        gib("B2", "1 unbind of it", unbindGib, 0),
        gib("B3", "1 SINGLE_PAGE bind of 1 GiB", repeated, 1),
        { ...gib("B6", "1 SINGLE_PAGE bind of 1 GiB over that", repeated, 1) },
        gib("B4", "1 unbind of it", unbindGib, 0),
        gib("B5", "1 bind of 1 GiB in 65536 scattered pages", scattered, 1),
        { ...gib("B5-unbind", "1 unbind of it", unbindGib, 0), peer: null },
      ],
    },
    {
      repeat: 3,
      prepare: binds,
      steps: [
        step("C1", "65536 binds of one page, contiguous", "op", PAGES, pages, PAGES),
        step("C2", "65536 unbinds of one page", "op", PAGES, unbindPages, 0),
        step("C3", "65536 binds of one page, always the same", "op", PAGES, samePage, PAGES),
        step("C4", "1 unbind over 65536 mappings", "mapping", PAGES, unbindGib, 0),
      ],
    },
    {
      repeat: 3,
      prepare: running,
      steps: [
        step("C1-tlbi", "C1 in a VM that runs: nothing to invalidate", "op", PAGES, pages, PAGES),
        step("C2-tlbi", "C2, each with a TLB instruction", "op", PAGES, unbindPages, 0, PAGES),
        step("C3-tlbi", "C3: nothing to invalidate", "op", PAGES, samePage, PAGES),
        step("C4-tlbi", "C4, each with a TLB instruction", "mapping", PAGES, unbindGib, 0, PAGES),
      ],
    },
    {
      repeat: 100,
      prepare: binds,
      steps: [
        step(
          "D1",
          "100e6 bytes: 1 SINGLE_PAGE bind",
          "job",
          1,
          one({ flags: ONE_PAGE, handle: CONTIGUOUS, range: small }),
          1,
        ),
        step("D2", "100e6 bytes: 1 unbind of it", "job", 1, unbindSmall, 0),
      ],
    },
    {
      repeat: 9,
      prepare: binds,
      steps: [
        step(
          "D3",
          "100e6 bytes: 6104 binds of the same page",
          "job",
          1,
          each(PAGES_100E6, () => ({ flags: RW, handle: CONTIGUOUS })),
          PAGES_100E6,
        ),
        step("D4", "100e6 bytes: 1 unbind over them", "job", 1, unbindSmall, 0),
      ],
    },
  ];
}

function one(op: Partial<GemBindOp>): Ops {
  return encode([{ addr: VA, ...op }]);
}

function each(count: number, op: (i: number) => Partial<GemBindOp>): Ops {
  return encode(
    Array.from({ length: count }, (_, i) => ({ addr: VA + i * PAGE_BYTES, range: PAGE_BYTES, ...op(i) })),
  );
}

function encode(ops: Partial<GemBindOp>[]): Ops {
  const { size } = GEM_BIND_OP;
  const data = new Uint8Array(ops.length * size);
  const view = new DataView(data.buffer);
  for (const [i, op] of ops.entries()) GEM_BIND_OP.write(view, i * size, op);
  return {
    data,
    arg: VM_BIND.encode({ vmId: 1, numBinds: ops.length, stride: size, userptr: OPS_ADDR }),
  };
}

/** A VM whose tables for the GiB exist already, leaves zero. */
function binds(): Binds {
  const device = new AsahiDevice();
  const file = device.open();
  const id = file.vmCreate({ kernelStart: 0x7000000000, kernelEnd: 0x7fffff8000, vmId: 0, pad: 0 });
  const vm = file.vm(id);
  if (vm === undefined) throw new Error(`no VM ${id}`);
  const object = (pages: ScatterList): number =>
    file.addBo(new AsahiBo({ gems: device.gems, memory: device.memory, size: GIB, vm, pages }));
  const handles = {
    contiguous: object(ScatterList.of([{ pa: PA, bytes: GIB }])),
    scattered: object(
      ScatterList.of(
        Array.from({ length: PAGES }, (_, i) => ({
          pa: 2 * PA + ((i * 40503) % PAGES) * PAGE_BYTES,
          bytes: PAGE_BYTES,
        })),
      ),
    ),
  };
  const state: Binds = { file, vm, user: new UserMemory(), handles, ret: 0 };
  vm.pageTable.allocate(VA, GIB);
  return state;
}

/** The same, and the VM has run: it has a context slot. */
function running(): Binds {
  const state = binds();
  state.vm.run();
  return state;
}

/** Binds without a peer of their id have none: the peers leave TLB instructions out. */
function step(
  id: string,
  what: string,
  unit: string,
  units: number,
  ops: Ops,
  mappings: number,
  invalidations = 0,
): Step<Binds> {
  return {
    id,
    what,
    unit,
    units,
    before(state) {
      state.user.clear();
      state.user.place(OPS_ADDR, ops.data);
    },
    run(state) {
      state.ret = state.file.ioctl(IOCTL_VM_BIND, ops.arg, state.user);
    },
    check({ ret, vm, handles }) {
      const { counters } = vm.device;
      const { tlbInvalidations } = counters;
      counters.tlbInvalidations = 0;
      return (
        compare("handle", handles.contiguous, CONTIGUOUS) ??
        compare("ret", ret, 0) ??
        compare("mappings", vm.gpuvm.count, mappings) ??
        compare("TLB instructions", tlbInvalidations, invalidations)
      );
    },
    peer: ASAHI_PEERS[id] ?? null,
  };
}
