/**
 * The shape of `nouveau-vmbind`, version 1.
 *
 * @module
 */

import {
  count,
  errno,
  type Fault,
  integer,
  type JsonObject,
  list,
  listOr,
  nullable,
  object,
  oneOf,
  optional,
  type Shape,
  text,
  truth,
  tuple,
  tuples,
  u32,
  u64,
} from "@vmbind/gpuvm-core/conformance";

const LEVEL: Shape = integer(0, 5);
const TABLE: Shape = oneOf("pd", "lpt", "spt");

const TABLES: Shape = object({ spt: count, lpt: count, pd: list(count, 5) });

/** One entry, that of the lowest directory with both halves; or a run of them. */
const ENTRY: Shape = listOr(
  tuples([u64, LEVEL, TABLE, u64], [u64, LEVEL, TABLE, u64, u64]),
  object({
    va: u64,
    level: LEVEL,
    table: TABLE,
    entry: u64,
    high: optional(u64),
    count: integer(1),
    stride_va: u64,
    stride_entry: u64,
  }),
);

/** What the VM looks like. */
const STATE: Shape = object({
  vmas: list(tuple(u64, u64, count, u64, integer(0, 255), integer(12, 29), nullable(u64), integer(0, 1))),
  regions: list(tuples([u64, u64], [u64, u64, oneOf("dirty")])),
  tables: TABLES,
  live: list(tuple(u64, LEVEL, TABLE, count, integer(0, 1))),
  entries: list(ENTRY),
  refs: object({ vm: count, bos: list(tuple(integer(1), count, count, count)) }),
});

const TRANSLATE: Shape = list(tuple(u64, text));

const BIND_OUT: Shape = object({
  ret: errno,
  alloc: count,
  alloc_lpt: count,
  free: count,
  free_lpt: count,
  flush: count,
  tables: optional(TABLES),
  vmas: optional(count),
  regions: optional(count),
  waited: optional(count),
});

/** The point is a number in some cases, and hex in others. */
const SYNC: Shape = tuple(u32, u32, (value) => (typeof value === "number" ? count(value) : u64(value)));

/** What a step may be, by the member that names it. */
const STEPS: ReadonlyMap<string, Shape> = new Map([
  ["vm_init", object({ vm_init: tuple(u64, u64), out: object({ ret: errno }) })],
  [
    "gem_new",
    object({
      gem_new: object({
        size: u64,
        domain: u32,
        tile_mode: u32,
        tile_flags: u64,
        align: u32,
        chunks: list(tuple(u64, u64)),
      }),
      out: object({
        ret: errno,
        handle: optional(integer(1)),
        domain: optional(u32),
        size: optional(u64),
        offset: optional(u64),
        map_handle: optional(u64),
        tile_mode: optional(u32),
        tile_flags: optional(u64),
        page_shift: optional(integer(12, 56)),
        kind: optional(integer(0, 255)),
      }),
    }),
  ],
  ["gem_close", object({ gem_close: u32, out: object({ ret: errno }) })],
  [
    "bind",
    object({
      bind: object({
        flags: u32,
        ops: list(
          object({
            op: u32,
            flags: u32,
            handle: u32,
            pad: optional(u32),
            addr: u64,
            bo_offset: u64,
            range: u64,
          }),
        ),
        wait: optional(list(SYNC)),
        sig: optional(list(SYNC)),
      }),
      out: BIND_OUT,
    }),
  ],
  ["defer", object({ defer: oneOf(1) })],
  [
    "run",
    object({
      run: count,
      out: object({ jobs: count, alloc: count, free: count, flush: count, tables: TABLES }),
    }),
  ],
  ["evict", object({ evict: integer(1), out: object({ flush: count }) })],
  ["table_alloc_fail", object({ table_alloc_fail: count })],
  ["check", object({ check: STATE, translate: optional(TRANSLATE) })],
]);

function step(value: unknown): Fault | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { at: "", rule: "expected a step" };
  }
  for (const [name, shape] of STEPS) if (Object.hasOwn(value, name)) return shape(value);
  return { at: "", rule: `expected one of ${[...STEPS.keys()].join(", ")}` };
}

/** A case without a VM ends without a state. */
function stateWhole(testCase: JsonObject): Fault | null {
  const given = ["final", "translate", "fini"].filter((name) => Object.hasOwn(testCase, name));
  return given.length === 0 || given.length === 3
    ? null
    : { at: "", rule: "has some of final, translate and fini, and not all" };
}

/** A case of `nouveau-vmbind`. */
export const VM_BIND_CASE: Shape = object(
  {
    id: text,
    config: object({
      mmu: oneOf("gp100", "tu102", "tu102-turing", "gh100"),
      gsp: truth,
      table_aperture: oneOf("vram", "host", "ncoh"),
      system_memory: oneOf("coherent", "noncoherent"),
    }),
    steps: list(step),
    final: optional(STATE),
    translate: optional(TRANSLATE),
    fini: optional(
      object({ free: count, pt_live: count, gem_live: count, warn: optional(count), cached: count }),
    ),
  },
  stateWhole,
);
