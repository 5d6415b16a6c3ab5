/**
 * The shapes of `xe-ppgtt` and `xe-vmbind-args`, version 1.
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
  type Members,
  object,
  oneOf,
  optional,
  type Shape,
  signedU64,
  table,
  text,
  truth,
  tuple,
  tuples,
  u32,
  u64,
  variants,
} from "@vmbind/gpuvm-core/conformance";

/** Tables of a VM, up to which each of them is listed. */
const TABLES_LISTED = 80;
/** Segments that one element of `chunks` may stand for. The recorded ones have 768. */
const CHUNKS_MAX = 2 ** 20;
/** Ids of objects, which are handles and come without gaps. */
const ID_MAX = 2 ** 12;

const U16: Shape = integer(0, 0xffff);

const CONFIG: Shape = object({
  platform: text,
  graphics: integer(0, 0xffff),
  va_bits: integer(32, 57),
  root_level: integer(2, 4),
  vram: truth,
  vram_64k_only: truth,
  cached_pt: truth,
  scratch: truth,
  lr: truth,
  fault_mode: truth,
  pat_entries: integer(0, 32),
  pat_wb: integer(0, 31),
  pat_uc: integer(0, 31),
});

const BOS: Shape = list(
  object({
    id: integer(1, ID_MAX),
    placement: oneOf("system", "vram"),
    external: truth,
    dontneed: optional(truth),
    chunks: list(
      listOr(
        tuple(u64, u64),
        object({ dma: u64, size: u64, count: integer(1, CHUNKS_MAX), stride: signedU64 }),
      ),
    ),
  }),
  ID_MAX,
);

const BIND: Members = {
  op: text,
  addr: u64,
  range: u64,
  bo: u32,
  offset: u64,
  pat_index: U16,
  flags: u32,
};
/** The operations of VM_BIND, with what a format says of each beside. */
function binds(more: Members): Readonly<Record<string, Shape>> {
  const bind = object({ ...BIND, ...more });
  return { map: bind, null: bind, unmap: bind, unmap_all: bind, prefetch: bind };
}

const LEVELS = /^l[0-4]$/;
const AFTER: Shape = object({
  tables: table(LEVELS, count),
  leaves: object({
    "4k": count,
    "4k_ps64": count,
    "64k_compact": count,
    "2m": count,
    "1g": count,
    null: count,
  }),
});
const STATS: Shape = object({
  tables_alloc: count,
  tables_free: count,
  pt_ops: count,
  updates: count,
  qwords: count,
  flush_seqno: count,
});
const COSTS: Members = {
  stats: STATS,
  tlb: list(tuple(u64, u64, u64, u64)),
};
const RESULT: Members = { ret: errno, after: AFTER, warn: optional(count) };

/** Of a fault some generators say no more than where it is; others, as of an array, have all members of a bind. */
const FAULT: Shape = allOrNone(
  { op: text, addr: u64, ...RESULT },
  { range: u64, bo: u32, offset: u64, pat_index: U16, flags: u32, ...COSTS },
);
const ARRAY: Shape = allOrNone(
  { op: text, binds: list(variants("op", binds({}))), ...RESULT, ...COSTS },
  { addr: u64, range: u64, bo: u32, offset: u64, pat_index: U16, flags: u32 },
);

/** An object that has either all of some members or none. */
function allOrNone(always: Members, together: Members): Shape {
  const short = object(always);
  const long = object({ ...always, ...together });
  const names = Object.keys(together);
  return (value) => (names.some((name) => Object.hasOwn(Object(value), name)) ? long : short)(value);
}

const LEVEL: Shape = integer(0, 4);
const COMPACT: Shape = oneOf("compact");
const RUN: Members = {
  va: u64,
  level: LEVEL,
  entry: u64,
  count: integer(1),
  stride_va: signedU64,
  stride_pa: signedU64,
};
const ENTRIES: Shape = list(
  listOr(
    tuples([u64, LEVEL, u64], [u64, LEVEL, u64, COMPACT]),
    object({ ...RUN, compact: optional(oneOf(true)) }),
  ),
);

/** A case of `xe-ppgtt`. */
export const PPGTT_CASE: Shape = object(
  {
    id: text,
    config: CONFIG,
    bos: BOS,
    ops: list(variants("op", { ...binds({ ...RESULT, ...COSTS }), array: ARRAY, fault: FAULT })),
    tables: object(
      {
        count: table(LEVELS, count),
        scratch: count,
        live: optional(list(tuples([u64, LEVEL, count], [u64, LEVEL, count, COMPACT]))),
      },
      liveWhereFew,
    ),
    dirs: ENTRIES,
    ptes: ENTRIES,
    vmas: list(tuple(u64, u64, u64, u32, u64, U16, oneOf(0, 1))),
    refs: object({ vm: count, bos: table(/^[1-9][0-9]{0,3}$/, tuple(count, count, count)) }),
    translate: list((value) => {
      const fault = Array.isArray(value) && value[1] === "fault";
      return (fault ? FAULTED : Array.isArray(value) && value[1] === "null-page" ? NOTHING : ADDRESS)(value);
    }),
  },
  idsInOrder,
);

const FAULTED: Shape = tuple(u64, text, LEVEL);
const NOTHING: Shape = tuple(u64, text);
const ADDRESS: Shape = tuple(u64, u64);

function liveWhereFew(tables: JsonObject): Fault | null {
  const counts = Object.values(tables["count"] as Record<string, number>);
  const all = counts.reduce((sum, n) => sum + n, tables["scratch"] as number);
  if (all > TABLES_LISTED || Object.hasOwn(tables, "live")) return null;
  return { at: ".live", rule: `is missing: there are no more than ${TABLES_LISTED} tables` };
}

function idsInOrder(testCase: JsonObject): Fault | null {
  const bos = testCase["bos"] as { id: number }[];
  const i = bos.findIndex(({ id }, at) => id !== at + 1);
  return i < 0 ? null : { at: `.bos[${i}].id`, rule: `expected ${i + 1}: ids are 1, 2, ...` };
}

/** A case of `xe-vmbind-args`. */
export const ARGS_CASE: Shape = object(
  {
    id: text,
    config: CONFIG,
    bos: BOS,
    pre: list(variants("op", binds({ ret: errno }))),
    bind: object({
      vm_id: u32,
      exec_queue_id: u32,
      pad: u32,
      num_binds: u32,
      binds: list(
        object({
          op: u32,
          flags: u32,
          obj: u32,
          obj_offset: u64,
          range: u64,
          addr: u64,
          pat_index: U16,
          prefetch_mem_region_instance: u32,
        }),
      ),
    }),
    ret: errno,
    vmas_after: list(tuple(u64, u64, u64, u32, u64, U16)),
  },
  idsInOrder,
);
