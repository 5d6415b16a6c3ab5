/**
 * VM_BIND of nouveau against the kernel's C: whole ioctls, whose jobs run and are freed inside them.
 *
 * What takes one ioctl is measured as a pair of bind and unbind, as the C was driven; against the floor of a call without
 * operations. A tile is a block of 64 KiB of one sparse region, bound in random order; one array is one ioctl.
 *
 * @module
 */

import { UserMemory } from "@vmbind/drm";
import { permutation } from "@vmbind/lab";
import { ScatterList } from "@vmbind/mmu";
import {
  GEM_DOMAIN_GART,
  GEM_DOMAIN_VRAM,
  IOCTL_VM_BIND,
  NouveauBo,
  NouveauDevice,
  type NouveauFile,
  type NouveauVm,
  openNvk,
  VM_BIND,
  VM_BIND_OP,
  VM_BIND_OP_MAP,
  VM_BIND_OP_UNMAP,
  VM_BIND_SPARSE,
  type VmBindOp,
} from "@vmbind/nouveau";
import { compare, type Scenario, type Step } from "../../micro/harness.ts";
import { NOUVEAU_PEERS } from "./peers.ts";

const VA = 0x20_0000_0000;
const GIB = 2 ** 30;
const PAGE = 0x1000;
const BUFFER = 100_003_840;
const BUFFER_64K = 100_007_936;
const TILE = 0x10000;
const TILES = 1526;
const PA = 0x4000_0000;
const DMA = 0x10_0000_0000;
const OPS_ADDR = 0x7000_0000_0000;
const IMAGE_KIND = 6;
const SPARSE = VM_BIND_SPARSE;
const BOTH: number = GEM_DOMAIN_VRAM | GEM_DOMAIN_GART;
const PAIRS = 500;

/** A file with a VM and one object, of which a page is always mapped at 0x1000. */
interface State {
  file: NouveauFile;
  vm: NouveauVm;
  handle: number;
  /** Sum of what the calls returned. */
  ret: number;
}

interface Call {
  arg: Uint8Array;
  user: UserMemory;
}

type Op = Partial<VmBindOp>;

/** The scenarios of the area. */
export function nouveauScenarios(): Scenario<State>[] {
  return [...ioctlScenarios(), ...rangeScenarios(), ...sparseScenarios(), ...tileScenarios()];
}

// -- one ioctl ----------------------------------------------------------------------------------------------------------

function ioctlScenarios(): Scenario<State>[] {
  const page = (addr: number): readonly Op[][] => [[map(addr, PAGE)], [unmap(addr, PAGE)]];
  return [
    {
      repeat: 5,
      prepare: () => open(GIB, BOTH, 12),
      steps: [
        step(
          "empty-ioctl",
          "a call without operations: the floor of an ioctl",
          "ioctl",
          PAIRS,
          times(PAIRS, [[]]),
          1,
        ),
        step(
          "page-new-tables",
          "map and unmap a page, two tables made and freed",
          "pair",
          PAIRS,
          times(PAIRS, page(VA)),
          1,
        ),
        step(
          "page-beside",
          "map and unmap a page beside another",
          "pair",
          PAIRS,
          times(PAIRS, page(2 * PAGE)),
          1,
        ),
      ],
    },
  ];
}

// -- a gibibyte ---------------------------------------------------------------------------------------------------------

function rangeScenarios(): Scenario<State>[] {
  const pair = (id: string, what: string, entries: number, addr: number): Step<State>[] => [
    step(`map-${id}`, `map 1 GiB ${what}`, "entry", entries, [[map(addr, GIB)]], 2),
    step(`unmap-${id}`, "unmap it", "entry", entries, [[unmap(addr, GIB)]], 1),
  ];
  return [
    {
      repeat: 3,
      prepare: () => open(GIB, GEM_DOMAIN_GART, 12, dmaPages()),
      steps: pair("1gib-dma-pages", "of single pages of system memory", GIB / PAGE, VA),
    },
    {
      repeat: 3,
      prepare: () => open(GIB, BOTH, 12),
      steps: pair("1gib-4k", "in pages of 4 KiB", GIB / PAGE, VA),
    },
    {
      repeat: 5,
      prepare: () => open(GIB, GEM_DOMAIN_VRAM, 21),
      steps: pair("1gib-64k", "in pages of 64 KiB", GIB / TILE, VA + TILE),
    },
    {
      repeat: 21,
      prepare: () => open(GIB, GEM_DOMAIN_VRAM, 21),
      steps: pair("1gib-2m", "in pages of 2 MiB", GIB / 2 ** 21, VA),
    },
  ];
}

function dmaPages(): ScatterList {
  // Without an object for each page: who collects those, collects them while the clock runs.
  const pages = new Float64Array(GIB / PAGE);
  return new ScatterList(
    pages.map((_, i) => DMA + i * 2 * PAGE),
    pages.fill(PAGE).slice(),
  );
}

// -- sparse regions -----------------------------------------------------------------------------------------------------

function sparseScenarios(): Scenario<State>[] {
  const pair = (id: string, what: string, addr: number, range: number): Step<State> =>
    step(
      id,
      `make and remove a sparse region of ${what}`,
      "pair",
      PAIRS,
      times(PAIRS, [[sparse(addr, range)], [{ op: VM_BIND_OP_UNMAP, flags: SPARSE, addr, range }]]),
      1,
    );
  return [
    {
      repeat: 5,
      prepare: () => open(GIB, BOTH, 12),
      steps: [
        pair("sparse-1gib-misaligned", "1 GiB, 4 KiB off", VA + PAGE, GIB),
        pair("sparse-1tib", "1 TiB", 2 ** 41, 2 ** 40),
        pair("sparse-100e6", "100e6 bytes", VA, BUFFER),
        pair("sparse-100e6-misaligned", "100e6 bytes, 4 KiB off", VA + PAGE, BUFFER),
        pair("sparse-100e6-64k", "100e6 bytes, 64 KiB off", VA + TILE, BUFFER_64K),
      ],
    },
  ];
}

// -- tiles --------------------------------------------------------------------------------------------------------------

/** How often tiles are bound and unbound in one state: in a single pass the engine is still compiling. */
const TILE_TIMES = 5;

function tileScenarios(): Scenario<State>[] {
  const order = [...permutation(TILES, drawBelow())];
  const bind = order.map((tile): Op => ({ ...map(VA + tile * TILE, TILE, tile * TILE), flags: IMAGE_KIND }));
  const unbind = order.map((tile): Op => unmap(VA + tile * TILE, TILE));
  const each = (ops: readonly Op[]): Op[][] => ops.map((op) => [op]);
  const tiles = (id: string, what: string, calls: readonly (readonly Op[])[], left: number): Step<State> =>
    step(id, what, "tile", TILES, calls, left);
  return ["4k", "64k"].flatMap((size): Scenario<State>[] => {
    const prepare = (): State => region(size === "4k" ? BOTH : GEM_DOMAIN_VRAM, size === "4k" ? 12 : 21);
    const pages = size === "4k" ? "16 pages of 4 KiB" : "one page of 64 KiB";
    return [
      {
        prepare,
        repeat: TILE_TIMES,
        steps: [
          tiles(
            `tiles-${size}-ioctls`,
            `bind 1526 tiles of ${pages}, each its own ioctl`,
            each(bind),
            TILES + 1,
          ),
          tiles(`tiles-${size}-unbind-ioctls`, "unbind them, each its own ioctl", each(unbind), 1),
        ],
      },
      {
        prepare,
        repeat: TILE_TIMES,
        steps: [
          tiles(`tiles-${size}-array`, `bind 1526 tiles of ${pages}, one array`, [bind], TILES + 1),
          tiles(`tiles-${size}-unbind-array`, "unbind them, one array", [unbind], 1),
        ],
      },
    ];
  });
}

// -- states and calls ---------------------------------------------------------------------------------------------------

function open(size: number, domain: number, pageShift: number, pages?: ScatterList): State {
  const device = new NouveauDevice();
  const file = device.open();
  openNvk(file);
  const one = ScatterList.of([{ pa: PA, bytes: size }]);
  const handle = file.addBo(new NouveauBo(device, { size, domain, pageShift, pages: pages ?? one }));
  const state = { file, vm: file.ownVm as NouveauVm, handle, ret: 0 };
  issue(state, encode([map(PAGE, PAGE)]));
  return state;
}

/** One sparse region over all tiles. */
function region(domain: number, pageShift: number): State {
  const state = open(2 ** 27, domain, pageShift);
  issue(state, encode([sparse(VA, TILES * TILE)]));
  return state;
}

function issue(state: State, { arg, user }: Call): void {
  state.ret += state.file.ioctl(IOCTL_VM_BIND, arg, user);
}

/** The object of a state has handle 1. */
function map(addr: number, range: number, boOffset = 0): Op {
  return { op: VM_BIND_OP_MAP, handle: 1, addr, range, boOffset };
}

function unmap(addr: number, range: number): Op {
  return { op: VM_BIND_OP_UNMAP, addr, range };
}

function sparse(addr: number, range: number): Op {
  return { op: VM_BIND_OP_MAP, flags: SPARSE, addr, range };
}

function times(count: number, calls: readonly (readonly Op[])[]): readonly (readonly Op[])[] {
  return Array.from({ length: count }, () => calls).flat();
}

function encode(ops: readonly Op[]): Call {
  const user = new UserMemory();
  const data = new Uint8Array(ops.length * VM_BIND_OP.size);
  const view = new DataView(data.buffer);
  for (const [i, op] of ops.entries()) VM_BIND_OP.write(view, i * VM_BIND_OP.size, op);
  if (ops.length > 0) user.place(OPS_ADDR, data);
  return { arg: VM_BIND.encode({ opCount: ops.length, opPtr: OPS_ADDR }), user };
}

function step(
  id: string,
  what: string,
  unit: string,
  units: number,
  ops: readonly (readonly Op[])[],
  mappings: number,
): Step<State> {
  // What is asked for many times is one struct in one place, as in the C.
  const made = new Map([...new Set(ops)].map((call) => [call, encode(call)]));
  const calls = ops.map((call) => made.get(call) as Call);
  return {
    id,
    what,
    unit,
    units,
    before(state) {
      state.ret = 0;
    },
    run(state) {
      for (const call of calls) issue(state, call);
    },
    check: ({ ret, vm }) => compare("ret", ret, 0) ?? compare("mappings", vm.gpuvm.count, mappings),
    peer: NOUVEAU_PEERS[id] ?? null,
  };
}

/** The order's generator: a linear congruence, its low byte dropped. */
function drawBelow(): (n: number) => number {
  let s = 12345;
  return (n) => {
    s = (Math.imul(s, 1103515245) + 12345) >>> 0;
    return (s >>> 8) % n;
  };
}
