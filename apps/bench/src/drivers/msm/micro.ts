/**
 * VM_BIND of msm against the kernel's C: whole ioctls, whose jobs run inside them.
 *
 * VA base 8 GiB, objects that are not shared, a walker that snoops. A tile is a block of 64 KiB of one NULL region of 100e6 bytes;
 * an image tile is 8 pieces of 8 KiB, as turnip sends it.
 *
 * @module
 */

import { UserMemory } from "@vmbind/drm";
import { permutation } from "@vmbind/lab";
import { ScatterList } from "@vmbind/mmu";
import {
  BO_NO_SHARE,
  BO_WC,
  IOCTL_SET_PARAM,
  IOCTL_SUBMITQUEUE_NEW,
  IOCTL_VM_BIND,
  MsmDevice,
  type MsmFile,
  type MsmVm,
  OP_MAP,
  OP_MAP_NULL,
  OP_UNMAP,
  PARAM,
  PARAM_ARG,
  PIPE_3D0,
  SUBMITQUEUE_NEW,
  SUBMITQUEUE_VM_BIND,
  VM_BIND,
  VM_BIND_OP,
  VM_BIND_OPS_UNION,
  type VmBindOp,
} from "@vmbind/msm";
import { compare, type Scenario, type Step } from "../../micro/harness.ts";
import { MSM_PEERS } from "./peers.ts";

const VA = 2 ** 33;
const PAGE = 4096;
const PAGES = 24415;
const BYTES = PAGES * PAGE;
const TILE = 0x10000;
const TILES = 1526;
const TILED_BYTES = TILES * TILE;
const IMAGE_WIDTH = 32;
const IMAGE_TILES = 1504;
const ROW = 0x2000;
const KEPT = 1000;
/** How often one state sees the steps, as the kernel's code ran each line: in its first pass records and tree grow. */
const PASSES = 21;
const PA = 0x40000000;
const OPS_ADDR = 0x700000000000;
/** Behind the pointers of a call that has no array. */
const NOTHING: UserMemory = new UserMemory();

/** Handles of the two objects that every state has. */
const CONTIGUOUS = 1;
const SINGLE_PAGES = 2;

/** A file with a VM and two objects. */
interface State {
  file: MsmFile;
  vm: MsmVm;
  /** Sum of what the calls returned. */
  ret: number;
}

interface Call {
  arg: Uint8Array;
  user: UserMemory;
}

type Op = Partial<VmBindOp>;

/** The scenarios of the area. */
export function msmScenarios(): Scenario<State>[] {
  return [...pageScenarios(), ...regionScenarios(), ...tileScenarios()];
}

// -- single pages ------------------------------------------------------------------------------------------------------

function pageScenarios(): Scenario<State>[] {
  const ops = range(PAGES, (i): Op => map(CONTIGUOUS, i * PAGE, i * PAGE, PAGE));
  const unmap = step(
    "pages-unmap",
    "unmap the 24415 mappings by one op",
    "mapping",
    PAGES,
    [unmapAll(BYTES)],
    0,
  );
  return [
    {
      repeat: 3,
      prepare: open,
      steps: [
        step(
          "empty-ioctl",
          "a call without operations: the floor of an ioctl",
          "ioctl",
          1000,
          range(1000, () => []),
          0,
        ),
        step(
          "pages-ioctls",
          "24415 maps of one page, each its own ioctl",
          "page",
          PAGES,
          ops.map((op) => [op]),
          PAGES,
        ),
        { ...unmap, id: "pages-unmap-ioctls", peer: null },
        step("pages-array", "24415 maps of one page, one array", "page", PAGES, [ops], PAGES),
        unmap,
      ],
    },
  ];
}

// -- one region --------------------------------------------------------------------------------------------------------

function regionScenarios(): Scenario<State>[] {
  const nulls = [[{ op: OP_MAP_NULL, iova: VA, range: BYTES }]];
  const unmap = [unmapAll(BYTES)];
  const contiguous = [map(CONTIGUOUS, 0, 0, BYTES)];
  return [
    {
      prepare: open,
      steps: [step("null-fresh", "MAP_NULL of 100e6 bytes, 50 tables made", "page", PAGES, nulls, 1)],
    },
    {
      repeat: PASSES,
      prepare: warm,
      steps: [
        step("null-again", "MAP_NULL of 100e6 bytes, tables there", "page", PAGES, nulls, 1),
        step("null-over-null", "MAP_NULL over that", "page", PAGES, nulls, 1),
        step("null-unmap", "unmap it", "page", PAGES, unmap, 0),
        step("map-contiguous", "map 100e6 bytes of a contiguous object", "page", PAGES, [contiguous], 1),
        // One alone is too short for a clock.
        step(
          "map-kept",
          "the same map again: nothing to write",
          "ioctl",
          KEPT,
          range(KEPT, () => contiguous),
          1,
        ),
        { ...step("map-unmap", "unmap it", "page", PAGES, unmap, 0) },
        step(
          "map-single-pages",
          "map 100e6 bytes in single pages",
          "page",
          PAGES,
          [[map(SINGLE_PAGES, 0, 0, BYTES)]],
          1,
        ),
        { ...step("map-unmap-single", "unmap it", "page", PAGES, unmap, 0) },
      ],
    },
  ];
}

// -- tiles -------------------------------------------------------------------------------------------------------------

function tileScenarios(): Scenario<State>[] {
  const order = [...permutation(TILES, drawBelow())];
  const ascending = range(TILES, (i) => i);
  const bind = (tiles: readonly number[], handle: number): Op[] =>
    tiles.map((tile) => map(handle, tile * TILE, tile * TILE, TILE));
  const toNull = (tiles: readonly number[]): Op[] =>
    tiles.map((tile) => ({ op: OP_MAP_NULL, iova: VA + tile * TILE, range: TILE }));
  const each = (ops: readonly Op[]): Op[][] => ops.map((op) => [op]);
  const tiles = (id: string, what: string, calls: readonly (readonly Op[])[], left = TILES): Step<State> =>
    step(id, what, "tile", TILES, calls, left);
  const random = bind(order, CONTIGUOUS);
  const sorted = bind(ascending, CONTIGUOUS);
  const unmap = [unmapAll(TILED_BYTES)];
  const passes = (first: Step<State>, ...others: Step<State>[]): Scenario<State> => ({
    prepare: open,
    repeat: PASSES,
    steps: [inRegion(first), ...others],
  });
  return [
    passes(
      tiles("tiles-random-ioctls", "bind 1526 tiles in random order, each its own ioctl", each(random)),
      tiles("tiles-kept", "the same maps again: nothing to write", each(random)),
      tiles("tiles-to-null-ioctls", "all back to NULL, each its own ioctl", each(toNull(order))),
      tiles("nulls-unmap", "unmap 1526 NULL mappings by one op", unmap, 0),
    ),
    passes(
      tiles("tiles-random-array", "bind 1526 tiles in random order, one array", [random]),
      tiles("tiles-to-null-array", "all back to NULL, random order, one array", [toNull(order)]),
    ),
    passes(
      tiles("tiles-ascending-ioctls", "bind 1526 tiles ascending, each its own ioctl", each(sorted)),
      tiles("tiles-unmap", "unmap 1526 mappings of tiles by one op", unmap, 0),
    ),
    passes(tiles("tiles-ascending-array", "bind 1526 tiles ascending, one array", [sorted])),
    passes(
      tiles("tiles-single-pages", "bind 1526 tiles of single pages, random order, one array", [
        bind(order, SINGLE_PAGES),
      ]),
    ),
    passes(
      step(
        "image-tiles",
        "bind 1504 image tiles, 8 ops each, one array",
        "tile",
        IMAGE_TILES,
        [imageOps()],
        imageMappings(),
      ),
    ),
  ];
}

/** A step that finds one NULL region over all tiles. */
function inRegion(step: Step<State>): Step<State> {
  const call = encode([{ op: OP_MAP_NULL, iova: VA, range: TILED_BYTES }]);
  return {
    ...step,
    before(state) {
      state.ret = 0;
      issue(state, call);
    },
  };
}

/** Eight rows of each tile of an image of 32x47 tiles. */
function imageOps(): Op[] {
  const pitch = IMAGE_WIDTH * ROW;
  return range(IMAGE_TILES * 8, (i): Op => {
    const tile = Math.floor(i / 8);
    const row = 8 * Math.floor(tile / IMAGE_WIDTH) + (i % 8);
    const swizzle = (row % 2) * 0x8000 + (row % 4 >= 2 ? 0x10000 : 0);
    const place = row * pitch + (((tile % IMAGE_WIDTH) * ROW) ^ swizzle);
    return map(CONTIGUOUS, place, i * ROW, ROW);
  });
}

/** Neighbours are never joined, and the region ends behind the image. */
function imageMappings(): number {
  return IMAGE_TILES * 8 + 1;
}

// -- states and calls --------------------------------------------------------------------------------------------------

const flags: number = BO_WC | BO_NO_SHARE;
const contiguousPages: ScatterList = ScatterList.of([{ pa: PA, bytes: TILED_BYTES }]);
const singlePages: ScatterList = new ScatterList(
  Float64Array.from({ length: TILED_BYTES / PAGE }, (_, i) => 2 * PA + i * 2 * PAGE),
  new Float64Array(TILED_BYTES / PAGE).fill(PAGE),
);

function open(): State {
  const file = new MsmDevice().open();
  file.ioctl(IOCTL_SET_PARAM, PARAM_ARG.encode({ pipe: PIPE_3D0, param: PARAM.enVmBind, value: 1 }));
  file.ioctl(IOCTL_SUBMITQUEUE_NEW, SUBMITQUEUE_NEW.encode({ flags: SUBMITQUEUE_VM_BIND }));
  file.createBo(TILED_BYTES, { flags, pages: contiguousPages });
  file.createBo(TILED_BYTES, { flags, pages: singlePages });
  return { file, vm: file.needVm(), ret: 0 };
}

/** Tables are there. */
function warm(): State {
  const state = open();
  issue(state, encode([{ op: OP_MAP_NULL, iova: VA, range: BYTES }]));
  issue(state, encode(unmapAll(BYTES)));
  return state;
}

function issue(state: State, { arg, user }: Call): void {
  state.ret += state.file.ioctl(IOCTL_VM_BIND, arg, user);
}

function map(handle: number, at: number, objOffset: number, bytes: number): Op {
  return { op: OP_MAP, handle, objOffset, iova: VA + at, range: bytes };
}

function unmapAll(bytes: number): Op[] {
  return [{ op: OP_UNMAP, iova: VA, range: bytes }];
}

/** Arguments of one step, one behind the other, as the structs of a program that makes these calls are. */
function encodeAll(calls: readonly (readonly Op[])[]): Call[] {
  const args = new Uint8Array(calls.length * VM_BIND.size);
  return calls.map((ops, i) => encode(ops, args.subarray(i * VM_BIND.size, (i + 1) * VM_BIND.size)));
}

function encode(ops: readonly Op[], arg = new Uint8Array(VM_BIND.size)): Call {
  arg.set(VM_BIND.encode({ nrOps: ops.length, queueId: 1 }));
  const view = new DataView(arg.buffer, arg.byteOffset);
  const at = VM_BIND.fields.op.offset;
  if (ops.length === 1) VM_BIND_OP.write(view, at, ops[0] as Op);
  if (ops.length <= 1) return { arg, user: NOTHING };
  const user = new UserMemory();
  const data = new Uint8Array(ops.length * VM_BIND_OP.size);
  const array = new DataView(data.buffer);
  for (const [i, op] of ops.entries()) VM_BIND_OP.write(array, i * VM_BIND_OP.size, op);
  user.place(OPS_ADDR, data);
  VM_BIND_OPS_UNION.fields.ops.write(view, at, OPS_ADDR);
  return { arg, user };
}

function step(
  id: string,
  what: string,
  unit: string,
  units: number,
  ops: readonly (readonly Op[])[],
  mappings: number,
): Step<State> {
  const calls = encodeAll(ops);
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
    peer: MSM_PEERS[id] ?? null,
  };
}

function range<T>(count: number, make: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i));
}

/** The order's generator: a linear congruence, its low byte dropped. */
function drawBelow(): (n: number) => number {
  let s = 12345;
  return (n) => {
    s = (Math.imul(s, 1103515245) + 12345) >>> 0;
    return (s >>> 8) % n;
  };
}
