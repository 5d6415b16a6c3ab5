/**
 * GEM_VA of amdgpu against the kernel's C: whole ioctls, page tables included. Objects are always valid in their VM; GFX 10.3.
 *
 * @module
 */

import {
  AmdgpuBo,
  AmdgpuDevice,
  type AmdgpuFile,
  CREATE_VM_ALWAYS_VALID,
  DOMAIN_GTT,
  DOMAIN_VRAM,
  GEM_VA,
  type GemVa,
  IOCTL_GEM_VA_RW,
  VA_OP_CLEAR,
  VA_OP_MAP,
  VA_OP_REPLACE,
  VM_PAGE_PRT,
} from "@vmbind/amdgpu";
import { ScatterList } from "@vmbind/mmu";
import { compare, type Scenario, type Step } from "../../micro/harness.ts";
import { AMDGPU_PEERS } from "./peers.ts";

const VA = 0x40_0000_0000;
const LOW_VIEW = 0x80_0000_0000;
const PAGE = 4096;
const GIB = 2 ** 30;
const SPARSE = 100_007_936;
const TILE = 0x1_0000;
const TILES = 1526;
const ZEROS = 2 ** 23;
const RWX = 0xe;
/**
 * Files, each with its VM, in which a short ioctl runs one after the other between two looks at the clock: a look costs a tenth of a
 * microsecond, as much as the kernel's code needs. One that fills two tables has one file, so that they stay in the nearest cache.
 */
const FILES = 4;
/** How often tiles are bound and cleared on one state. */
const TILE_ROUNDS = 5;
/** Mappings beside the one that is measured. */
const OTHERS_VA = 0x2_0000_1000;

interface State {
  /** Each does the same. */
  files: readonly AmdgpuFile[];
  /** Sum of what the calls returned. */
  ret: number;
}

type Args = Partial<GemVa>;

/** The scenarios of the area. */
export function amdgpuScenarios(): Scenario<State>[] {
  return [...pages(), ...prt(), ...objects(), ...tiles()];
}

/** Repeats a pair of calls, so that what is timed is long enough for the clock. */
function pair(
  id: string,
  what: string,
  prepare: () => State,
  map: Args,
  times: number,
  files: number,
  mappings = 0,
): Scenario<State> {
  const clear = { operation: VA_OP_CLEAR, vaAddress: map.vaAddress ?? VA, mapSize: map.mapSize ?? 0 };
  return {
    prepare,
    repeat: times,
    steps: [
      step(`${id}-map`, what, "ioctl", files, [map], mappings + 1),
      step(`${id}-clear`, "CLEAR of that", "ioctl", files, [clear], mappings),
    ],
  };
}

function pages(): Scenario<State>[] {
  const one: Args = { operation: VA_OP_MAP, handle: 1, flags: RWX, vaAddress: VA, mapSize: PAGE };
  const small = (files = FILES): State => opened([{ place: "vram", segments: [[0x4000_0000, PAGE]] }], files);
  const beside = (others: number) => (): State => {
    const state = small(1);
    for (let k = 0; k < others; k++) {
      issue(state, encoded({ ...one, vaAddress: OTHERS_VA + 2 * PAGE * k }));
    }
    return state;
  };
  const empty: Args = { operation: VA_OP_CLEAR, vaAddress: VA, mapSize: PAGE };
  const nothing = Array.from({ length: 1000 }, () => empty);
  return [
    {
      prepare: () => small(1),
      repeat: 5,
      steps: [
        step(
          "empty-ioctl",
          "CLEAR of a page with nothing in it: the floor of an ioctl",
          "ioctl",
          1000,
          nothing,
          0,
        ),
      ],
    },
    pair("page", "MAP of one page", warmed(small, one), one, 2001, FILES),
    ...[1000, 100_000].map((others) => {
      const within = { ...one, vaAddress: OTHERS_VA + PAGE + 2 * PAGE * Math.floor(others / 3) };
      const scenario = pair(
        "page",
        `MAP of one page beside ${others}`,
        beside(others),
        within,
        2001,
        1,
        others,
      );
      return {
        ...scenario,
        steps: scenario.steps.map((s) => ({
          ...s,
          id: `${s.id}-${others}`,
          peer: AMDGPU_PEERS[`${s.id}-${others}`] ?? null,
        })),
      };
    }),
  ];
}

function prt(): Scenario<State>[] {
  const range = (id: string, what: string, vaAddress: number, mapSize: number, files = FILES) => {
    const map: Args = { operation: VA_OP_MAP, flags: VM_PAGE_PRT, vaAddress, mapSize };
    return pair(
      id,
      what,
      warmed(() => opened([], files), map),
      map,
      501,
      files,
    );
  };
  return [
    range("prt", "PRT of 100e6 bytes in blocks of 64 KiB", VA, SPARSE),
    range("prt-64k", "the same 64 KiB further", VA + TILE, SPARSE),
    range("prt-4k", "PRT of 100e6 bytes in pages", VA, 100_003_840),
    range("prt-1g", "PRT of 1 GiB, aligned", VA, GIB),
    range("prt-1g-off", "PRT of 1 GiB, 4 KiB further", VA + PAGE, GIB, 1),
    range("prt-1t", "PRT of 1 TiB, aligned", 2 ** 40, 2 ** 40),
  ];
}

type Segments = [pa: number, bytes: number][];

function objects(): Scenario<State>[] {
  const each = (count: number, first: number, stride: number, bytes: number): Segments =>
    Array.from({ length: count }, (_, i) => [first + i * stride, bytes]);
  const whole = (
    id: string,
    what: string,
    place: "vram" | "gtt",
    segments: Segments,
    times: number,
    off = 0,
  ) => {
    const files = segments.length === 1 && off === 0 ? FILES : 1;
    const map: Args = { operation: VA_OP_MAP, handle: 1, flags: RWX, vaAddress: VA + off, mapSize: GIB };
    return pair(
      id,
      what,
      warmed(() => opened([{ place, segments }], files), map),
      map,
      times,
      files,
    );
  };
  const block = each(1, 0x4000_0000, 0, GIB);
  return [
    whole("system-scattered", "1 GiB of single pages", "gtt", each(2 ** 18, 0x10_0000_0000, 0x2000, PAGE), 5),
    whole("system-run", "1 GiB of pages in a row", "gtt", each(2 ** 18, 0x10_0000_0000, PAGE, PAGE), 1001),
    whole("vram", "1 GiB in one block", "vram", block, 501),
    whole("vram-off", "the same 4 KiB further", "vram", block, 201, PAGE),
    whole("system-64k", "1 GiB in runs of 64 KiB", "gtt", each(2 ** 14, 0x30_0000_0000, 0x2_0000, TILE), 5),
    whole("vram-64k", "1 GiB in blocks of 64 KiB", "vram", each(2 ** 14, 0x2_0000_0000, 0x2_0000, TILE), 5),
  ];
}

function tiles(): Scenario<State>[] {
  const order = shuffled();
  const tile = (t: number, view: number): Args => ({
    operation: VA_OP_REPLACE,
    vaAddress: view + t * TILE,
    mapSize: TILE,
  });
  const bind = (t: number, view = VA): Args => ({
    ...tile(t, view),
    handle: 1,
    flags: RWX,
    offsetInBo: t * TILE,
  });
  const back = (t: number, view = VA): Args => ({ ...tile(t, view), flags: VM_PAGE_PRT });
  const zero = (t: number): Args => ({ ...tile(t, LOW_VIEW), handle: 2, flags: RWX });
  const create: Args = { operation: VA_OP_MAP, flags: VM_PAGE_PRT, vaAddress: VA, mapSize: SPARSE };
  const memory = { place: "vram" as const, segments: [[0x4000_0000, 2 ** 27]] as Segments };
  const zeros = { place: "vram" as const, segments: [[0x6000_0000, ZEROS]] as Segments };
  const clear = (vaAddress: number): Args => ({ operation: VA_OP_CLEAR, vaAddress, mapSize: SPARSE });
  /** The resource as it is created, whatever the round before left. */
  const recreate = (state: State): void => {
    issue(state, encoded(clear(VA)));
    issue(state, encoded(create));
  };
  const first = (s: Step<State>): Step<State> => ({ ...s, before: recreate });
  const submitted = (s: Step<State>): Step<State> => {
    const calls = order.map((t) => encoded(s.id.includes("bind") ? bind(t) : back(t)));
    return {
      ...s,
      run(state) {
        state.ret = 0;
        for (const file of state.files) {
          for (const arg of calls) {
            state.ret += file.ioctl(IOCTL_GEM_VA_RW, arg);
            file.space.submit();
          }
        }
      },
    };
  };
  const views: Args[] = [create];
  for (let done = 0; done < SPARSE; done += ZEROS) {
    const mapSize = Math.min(ZEROS, SPARSE - done);
    views.push({ operation: VA_OP_MAP, handle: 2, flags: RWX, vaAddress: LOW_VIEW + done, mapSize });
  }
  const viewSteps = [
    step(
      "views-create",
      "create two views, PRT and 12 times an object of zeros",
      "resource",
      1,
      views,
      views.length,
    ),
    step(
      "views-bind",
      "bind 1526 tiles in both",
      "tile",
      TILES,
      order.flatMap((t) => [bind(t), bind(t, LOW_VIEW)]),
      2 * TILES,
    ),
    step(
      "views-prt",
      "all back to PRT and zeros",
      "tile",
      TILES,
      order.flatMap((t) => [back(t), zero(t)]),
      2 * TILES,
    ),
    step("views-destroy", "CLEAR of both", "resource", 1, [clear(VA), clear(LOW_VIEW)], 0),
  ];
  /** A fresh VM on a device whose memory for tables has grown: the peer takes pages from a heap. */
  const afterOthers = (): State => {
    const device = new AmdgpuDevice();
    const others = opened([memory, zeros], 1, device);
    for (const { run } of viewSteps) run(others);
    for (const file of others.files) file.close();
    return opened([memory, zeros], 1, device);
  };
  return [
    {
      prepare: () => opened([memory]),
      repeat: TILE_ROUNDS,
      steps: [
        first(
          step(
            "tiles-bind",
            "REPLACE of 1526 tiles in random order",
            "tile",
            TILES,
            order.map((t) => bind(t)),
            TILES,
          ),
        ),
        step(
          "tiles-prt",
          "REPLACE of all by PRT",
          "tile",
          TILES,
          order.map((t) => back(t)),
          TILES,
        ),
        step("tiles-clear", "CLEAR of the 1526 mappings", "mapping", TILES, [clear(VA)], 0),
      ],
    },
    {
      prepare: () => opened([memory]),
      repeat: TILE_ROUNDS,
      steps: [
        first(
          submitted(
            step("tiles-bind-cs", "the same, with a submission after each", "tile", TILES, [], TILES),
          ),
        ),
        submitted(
          step("tiles-prt-cs", "all back to PRT, with a submission after each", "tile", TILES, [], TILES),
        ),
      ],
    },
    {
      prepare: afterOthers,
      steps: viewSteps,
    },
  ];
}

function step(
  id: string,
  what: string,
  unit: string,
  units: number,
  calls: readonly Args[],
  mappings: number,
): Step<State> {
  const args = calls.map(encoded);
  return {
    id,
    what,
    unit,
    units,
    run(state) {
      state.ret = 0;
      for (const arg of args) issue(state, arg);
    },
    check: ({ files, ret }) =>
      compare("returned", ret, 0) ??
      compare(
        "mappings",
        files.reduce((sum, { space }) => sum + space.space.mappings.size, 0),
        mappings * files.length,
      ),
    peer: AMDGPU_PEERS[id] ?? null,
  };
}

function encoded(args: Args): Uint8Array {
  return GEM_VA.encode(args);
}

function issue(state: State, arg: Uint8Array): void {
  for (const file of state.files) state.ret += file.ioctl(IOCTL_GEM_VA_RW, arg);
}

/** Tables of a range are there, and nothing in them. */
function warmed(prepare: () => State, map: Args): () => State {
  return () => {
    const state = prepare();
    issue(state, encoded(map));
    issue(state, encoded({ ...map, operation: VA_OP_CLEAR, handle: 0, flags: 0 }));
    return state;
  };
}

/** Files with objects that are always valid in their VMs. */
function opened(
  bos: readonly { place: "vram" | "gtt"; segments: Segments }[],
  count = 1,
  device: AmdgpuDevice = new AmdgpuDevice(),
): State {
  const { gems, memory } = device;
  const files = Array.from({ length: count }, () => device.open());
  for (const file of files) {
    for (const { place, segments } of bos) {
      const pages = ScatterList.of(segments.map(([pa, bytes]) => ({ pa, bytes })));
      const bo = new AmdgpuBo({
        gems,
        memory,
        size: pages.totalBytes,
        flags: CREATE_VM_ALWAYS_VALID,
        domains: place === "vram" ? DOMAIN_VRAM : DOMAIN_GTT,
        resv: file.space.resv,
        place,
        pages,
        frames: null,
      });
      file.addBo(bo);
    }
  }
  return { files, ret: 0 };
}

/** The order of the peer: Fisher-Yates from the top with a linear congruential generator. */
function shuffled(): number[] {
  const order = Array.from({ length: TILES }, (_, i) => i);
  let state = 12345;
  for (let i = TILES - 1; i > 0; i--) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    const j = (state >>> 8) % (i + 1);
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return order;
}
