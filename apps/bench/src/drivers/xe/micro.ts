/**
 * VM_BIND of xe against the kernel's C: rows W1 to W6, whole ioctls on a DG2 without scratch page.
 *
 * @module
 */

import { UserMemory } from "@vmbind/drm";
import { permutation } from "@vmbind/lab";
import { ScatterList, type Segment } from "@vmbind/mmu";
import {
  GEM_CPU_CACHING_WB,
  GEM_CPU_CACHING_WC,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  PLACEMENT_SYSTEM,
  PLACEMENT_VRAM,
  VM_BIND,
  VM_BIND_FLAG_NULL,
  VM_BIND_OP,
  VM_BIND_OP_MAP,
  VM_BIND_OP_UNMAP,
  VM_BIND_VECTOR,
  VM_CREATE,
  type VmBindOp,
  XeDevice,
  type XeFile,
} from "@vmbind/xe";
import { compare, type Scenario, type Step } from "../../micro/harness.ts";
import { XE_PEERS } from "./peers.ts";

const VA = 0x4000000000;
const GIB = 2 ** 30;
const OPS_ADDR = 0x700000000000;
const SYSTEM_PA = 0x1000000000;
const TILE = 0x10000;
const TILES = 1526;

/** A file with a VM. */
interface State {
  file: XeFile;
  vm: number;
  calls: Call[];
  /** Sum of what the calls returned. */
  ret: number;
}

interface Call {
  arg: Uint8Array;
  user: UserMemory;
}

interface Range {
  id: string;
  what: string;
  addr: number;
  range: number;
  repeat: number;
  /** DMA segments of a system object, or null for a NULL bind. */
  segments: (() => Segment[]) | null;
  /** Leaves that the bind writes. */
  leaves: number;
}

const RANGES: readonly Range[] = [
  {
    id: "W1",
    what: "1 GiB of 4 KiB segments",
    addr: VA,
    range: GIB,
    repeat: 5,
    segments: () => segments(262144, 0x1000, 0x2000),
    leaves: 262144,
  },
  {
    id: "W1b",
    what: "1 GiB in one segment",
    addr: VA,
    range: GIB,
    repeat: 500,
    segments: () => segments(1, GIB, 0),
    leaves: 1,
  },
  {
    id: "W1c",
    what: "1 GiB of 64 KiB segments",
    addr: VA,
    range: GIB,
    repeat: 21,
    segments: () => segments(16384, 0x10000, 0x20000),
    leaves: 16384,
  },
  {
    id: "W2",
    what: "NULL 1 GiB, misaligned by 4 KiB",
    addr: VA + 0x1000,
    range: GIB,
    repeat: 200,
    segments: null,
    leaves: 1023,
  },
  {
    id: "W3",
    what: "NULL 1 TiB",
    addr: 0x10000000000,
    range: 2 ** 40,
    repeat: 200,
    segments: null,
    leaves: 1024,
  },
  {
    id: "W4",
    what: "NULL 100e6 bytes, to 4 KiB",
    addr: VA,
    range: 100003840,
    repeat: 200,
    segments: null,
    leaves: 398,
  },
  {
    id: "W5",
    what: "NULL 100e6 bytes, to 64 KiB, misaligned by 64 KiB",
    addr: VA + 0x10000,
    range: 100007936,
    repeat: 200,
    segments: null,
    leaves: 910,
  },
];

/** The scenarios of the area. */
export function xeScenarios(): Scenario<State>[] {
  return [...RANGES.map(rangeScenario), tileScenario("W6a", TILES), tileScenario("W6b", 1)];
}

function segments(count: number, bytes: number, stride: number): Segment[] {
  return Array.from({ length: count }, (_, i) => ({ pa: SYSTEM_PA + i * stride, bytes }));
}

function rangeScenario({ id, what, addr, range, repeat, segments: list, leaves }: Range): Scenario<State> {
  return {
    repeat,
    prepare() {
      const state = open();
      // Keeps the root from being emptied.
      run(state, call(state.vm, [nullOp(0x1000, 0x1000)]));
      const op = list ? objectOp(state.file, list(), addr, range) : nullOp(addr, range);
      state.calls = [call(state.vm, [op]), call(state.vm, [{ op: VM_BIND_OP_UNMAP, addr, range }])];
      return state;
    },
    steps: [
      ioctlStep(`${id}-bind`, `bind ${what}`, 0, (state) => compare("leaves", writes(state), leaves)),
      ioctlStep(`${id}-unbind`, "unbind it", 1, (state) => compare("mappings", mappings(state), 1)),
    ],
  };
}

function ioctlStep(id: string, what: string, index: number, check: Step<State>["check"]): Step<State> {
  return {
    id,
    what,
    unit: "ioctl",
    units: 1,
    before(state) {
      state.ret = 0;
      state.file.device.counters.pteWrites = 0;
    },
    run: (state) => run(state, state.calls[index] as Call),
    check: (state) => compare("ret", state.ret, 0) ?? check(state),
    peer: XE_PEERS[id] ?? null,
  };
}

/** All tiles bound in a random order, then all to NULL again; in so many ioctls. */
function tileScenario(id: string, ioctls: number): Scenario<State> {
  const order = permutation(TILES, drawBelow());
  const tiles = (state: State, handle: number): Call[] => {
    const ops = [...order].map((tile): Partial<VmBindOp> => {
      const addr = VA + tile * TILE;
      if (handle === 0) return nullOp(addr, TILE);
      return { op: VM_BIND_OP_MAP, obj: handle, objOffset: tile * TILE, addr, range: TILE };
    });
    return ioctls === 1 ? [call(state.vm, ops)] : ops.map((op) => call(state.vm, [op]));
  };
  const step = (name: string, what: string, half: 0 | 1): Step<State> => ({
    id: `${id}-${name}`,
    what,
    unit: "tile",
    units: TILES,
    before: (state) => {
      state.ret = 0;
    },
    run(state) {
      for (let i = half * ioctls; i < (half + 1) * ioctls; i++) run(state, state.calls[i] as Call);
    },
    check: (state) => compare("ret", state.ret, 0) ?? compare("mappings", mappings(state), TILES),
    peer: XE_PEERS[`${id}-${name}`] ?? null,
  });
  const how = ioctls === 1 ? "one ioctl with 1526 ops" : "1526 ioctls";
  return {
    prepare() {
      const state = open();
      const bytes = 128 * 2 ** 20;
      const handle = state.file.createBo(bytes, {
        placement: PLACEMENT_VRAM,
        cpuCaching: GEM_CPU_CACHING_WC,
        pages: ScatterList.of([{ pa: 0x40000000, bytes }]),
      });
      run(state, call(state.vm, [nullOp(VA, TILES * TILE)]));
      state.calls = [...tiles(state, handle), ...tiles(state, 0)];
      return state;
    },
    steps: [step("bind", `bind 1526 tiles of 64 KiB, ${how}`, 0), step("null", "back to NULL", 1)],
  };
}

function open(): State {
  const file = new XeDevice("dg2", { forcedScratch: false }).open();
  const arg = VM_CREATE.encode({});
  const ret = file.ioctl(IOCTL_VM_CREATE, arg);
  return { file, vm: VM_CREATE.read(new DataView(arg.buffer)).vmId, calls: [], ret };
}

function run(state: State, { arg, user }: Call): void {
  state.ret += state.file.ioctl(IOCTL_VM_BIND, arg, user);
}

function call(vmId: number, ops: Partial<VmBindOp>[]): Call {
  const user = new UserMemory();
  const arg = VM_BIND.encode({ vmId, numBinds: ops.length });
  const view = new DataView(arg.buffer);
  const at = VM_BIND.fields.bind.offset;
  if (ops.length === 1) {
    VM_BIND_OP.write(view, at, ops[0] as Partial<VmBindOp>);
  } else {
    const data = new Uint8Array(ops.length * VM_BIND_OP.size);
    const array = new DataView(data.buffer);
    for (const [i, op] of ops.entries()) VM_BIND_OP.write(array, i * VM_BIND_OP.size, op);
    user.place(OPS_ADDR, data);
    VM_BIND_VECTOR.write(view, at, { vectorOfBinds: OPS_ADDR });
  }
  return { arg, user };
}

function nullOp(addr: number, range: number): Partial<VmBindOp> {
  return { op: VM_BIND_OP_MAP, flags: VM_BIND_FLAG_NULL, addr, range };
}

function objectOp(file: XeFile, list: Segment[], addr: number, range: number): Partial<VmBindOp> {
  const pages = ScatterList.of(list);
  const options = { placement: PLACEMENT_SYSTEM, cpuCaching: GEM_CPU_CACHING_WB, pages };
  return { op: VM_BIND_OP_MAP, obj: file.createBo(pages.totalBytes, options), addr, range };
}

function mappings({ file, vm }: State): number {
  return file.vm(vm)?.gpuvm.count ?? -1;
}

function writes({ file }: State): number {
  return file.device.counters.pteWrites;
}

/** The order's generator: a linear congruence, its low byte dropped. */
function drawBelow(): (n: number) => number {
  let s = 12345;
  return (n) => {
    s = (Math.imul(s, 1103515245) + 12345) >>> 0;
    return (s >>> 8) % n;
  };
}
