/**
 * VM_BIND of 100e6 bytes under each Panthor strategy, as bytes through the ioctl, all operations in one call.
 *
 * The peer's figures have no ioctl entry and no copy-in; these have both.
 *
 * @module
 */

import { UserMemory } from "@vmbind/drm";
import {
  BLOCK_2M,
  IOCTL_VM_BIND,
  MAP_NOEXEC,
  MAP_REPEAT,
  MAP_SPARSE,
  OP_MAP,
  OP_UNMAP,
  PAGE_BYTES,
  PanthorDevice,
  type PanthorDeviceOptions,
  type PanthorFile,
  type PanthorVm,
  VM_BIND,
  VM_BIND_OP,
  VM_BIND_OP_REPEAT,
  type VmBindOpRepeat,
} from "@vmbind/panthor";
import { compare, type Scenario, type Step } from "../../micro/harness.ts";
import { PANTHOR_PEERS } from "./peers.ts";

const VA = 0x40000000;
const PAGES = 24415;
const SIZE = PAGES * PAGE_BYTES;
const USER_RANGE = 2 ** 47;
const OPS_ADDR = 0x700000000000;

/** A call, its bytes ready. */
interface Call {
  arg: Uint8Array;
  user: UserMemory;
}

interface State {
  file: PanthorFile;
  vm: PanthorVm;
  map: Call;
  unmap: Call;
  ret: number;
}

interface Strategy {
  id: string;
  what: string;
  options: Partial<PanthorDeviceOptions>;
  /** Bytes of the dummy object, 0 for none. */
  dummyBytes: number;
  /** Bytes of VA. */
  bytes: number;
  /** Mappings that it leaves. */
  mappings: number;
  repeat: number;
  ops(handle: number): Partial<VmBindOpRepeat>[];
}

const REPEAT = { options: { repeat: "v5" }, dummyBytes: BLOCK_2M, mappings: 1 } as const;
const SPARSE = { dummyBytes: 0, bytes: SIZE, mappings: 1 } as const;

const STRATEGIES: readonly Strategy[] = [
  {
    id: "per-page",
    what: "24415 MAPs of one page",
    options: {},
    dummyBytes: PAGE_BYTES,
    bytes: SIZE,
    mappings: PAGES,
    repeat: 3,
    ops: (boHandle) =>
      Array.from({ length: PAGES }, (_, i) => map({ boHandle, va: VA + i * PAGE_BYTES, size: PAGE_BYTES })),
  },
  {
    id: "blackhole",
    what: "48 MAPs of a 2 MiB object",
    options: {},
    dummyBytes: BLOCK_2M,
    bytes: SIZE,
    mappings: 48,
    repeat: 200,
    ops: (boHandle) =>
      Array.from({ length: 48 }, (_, i) =>
        map({ boHandle, va: VA + i * BLOCK_2M, size: Math.min(BLOCK_2M, SIZE - i * BLOCK_2M) }),
      ),
  },
  {
    ...REPEAT,
    id: "repeat-4k",
    what: "1 MAP_REPEAT, window 4 KiB",
    bytes: SIZE,
    repeat: 50,
    ops: (boHandle) => [map({ flags: MAP_REPEAT, boHandle, boRepeatRange: PAGE_BYTES })],
  },
  {
    ...REPEAT,
    id: "repeat-2m",
    what: "1 MAP_REPEAT, window 2 MiB, 48 x 2 MiB",
    bytes: 48 * BLOCK_2M,
    repeat: 500,
    ops: (boHandle) => [map({ flags: MAP_REPEAT, boHandle, boRepeatRange: BLOCK_2M, size: 48 * BLOCK_2M })],
  },
  {
    ...SPARSE,
    id: "sparse",
    what: "1 MAP_SPARSE, the dummy one huge page",
    options: {},
    repeat: 500,
    ops: () => [map({ flags: MAP_SPARSE })],
  },
  {
    ...SPARSE,
    id: "sparse-scattered",
    what: "1 MAP_SPARSE, the dummy 512 scattered pages",
    options: { dummyFragmentation: "scattered" },
    repeat: 50,
    ops: () => [map({ flags: MAP_SPARSE })],
  },
];

/** The scenarios of the area. */
export function panthorScenarios(): Scenario<State>[] {
  return STRATEGIES.map((strategy) => ({
    repeat: strategy.repeat,
    prepare: () => prepare(strategy),
    steps: [
      step(strategy.id, strategy.what, "map", strategy.mappings),
      step(`${strategy.id}-unmap`, "1 UNMAP of that", "unmap", 0),
    ],
  }));
}

function map(op: Partial<VmBindOpRepeat>): Partial<VmBindOpRepeat> {
  return { va: VA, size: SIZE, ...op, flags: (OP_MAP | MAP_NOEXEC | (op.flags ?? 0)) >>> 0 };
}

function prepare(strategy: Strategy): State {
  const device = new PanthorDevice({ paBits: 48, ...strategy.options });
  const file = device.open();
  const id = file.createVm(USER_RANGE);
  const vm = file.vm(id);
  if (vm === undefined) throw new Error(`no VM ${id}`);
  const handle = strategy.dummyBytes > 0 ? file.createBo(strategy.dummyBytes, { exclusiveVm: vm }) : 0;
  const layout = device.repeats ? VM_BIND_OP_REPEAT : VM_BIND_OP;
  const call = (ops: Partial<VmBindOpRepeat>[]): Call => {
    const data = new Uint8Array(ops.length * layout.size);
    const view = new DataView(data.buffer);
    for (const [i, op] of ops.entries()) layout.write(view, i * layout.size, op);
    const user = new UserMemory();
    user.place(OPS_ADDR, data);
    const array = { stride: layout.size, count: ops.length, array: OPS_ADDR };
    return { arg: VM_BIND.encode({ vmId: id, flags: 0, ops: array }), user };
  };
  const unmap = [{ flags: OP_UNMAP, va: VA, size: strategy.bytes }];
  return { file, vm, map: call(strategy.ops(handle)), unmap: call(unmap), ret: 0 };
}

function step(id: string, what: string, which: "map" | "unmap", mappings: number): Step<State> {
  return {
    id,
    what,
    unit: "page",
    units: PAGES,
    run(state) {
      const { arg, user } = state[which];
      state.ret = state.file.ioctl(IOCTL_VM_BIND, arg, user);
    },
    check: ({ ret, vm }) =>
      compare("ret", ret, 0) ??
      compare("mappings", vm.gpuvm.count, mappings) ??
      compare(
        "last page",
        vm.addressSpace.walk(VA + SIZE - PAGE_BYTES).kind,
        which === "map" ? "page" : "fault",
      ),
    peer: PANTHOR_PEERS[id] ?? null,
  };
}
