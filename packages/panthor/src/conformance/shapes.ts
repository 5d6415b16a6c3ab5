/**
 * The shapes of `panthor-pgtable` and `panthor-units`, version 1.
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
  matching,
  nullable,
  object,
  oneOf,
  optional,
  type Shape,
  signedU64,
  text,
  tuple,
  u32,
  u64,
  variants,
} from "@vmbind/gpuvm-core/conformance";

/** Calls that a `loop` may stand for. The recorded ones have 24415. */
const LOOP_MAX = 2 ** 20;
/** Mappings that a case lists at least; above it the list may be left out. */
const VMAS_LISTED = 200;
/** Ids of objects, which become handles. */
const ID_MAX = 2 ** 16;

const BIT: Shape = oneOf(0, 1);
const SEGMENTS: Shape = list(tuple(u64, u64));
const COSTS: Members = {
  io_map: count,
  io_unmap: count,
  pt_rsvd: count,
  pt_used: count,
  pt_freed: count,
  flush: count,
  unlock: count,
  vmas: count,
  unusable: BIT,
  // There is none to count where the walker is coherent.
  cleans: optional(tuple(count, count)),
  warns: optional(count),
};
const STATS: Shape = object({ ...COSTS, lock: list(u64) });
const MANY_STATS: Shape = object({ ...COSTS, lock: count, ops: count, ioctls: count });

const OP: Members = { op: text, ret: errno };
const RANGE: Members = { va: u64, size: u64 };
const BO: Shape = integer(0, ID_MAX);
const RAW: Members = {
  ...OP,
  ...RANGE,
  flags: u64,
  bo: BO,
  offset: u64,
  syncs: integer(0, 1024),
  stats: STATS,
};
const RECLAIM: Shape = object({ ...OP, bo: BO, stats: STATS });
const IO: Members = {
  ...OP,
  va: u64,
  pgsize: u64,
  pgcount: integer(0, LOOP_MAX),
  pt_freed: count,
  warns: count,
};

const OPS: Shape = variants("op", {
  map: object({ ...OP, ...RANGE, bo: BO, offset: u64, flags: u32, stats: STATS }),
  repeat: object({ ...OP, ...RANGE, bo: BO, offset: u64, flags: u32, repeat: u64, stats: STATS }),
  sparse: object({ ...OP, ...RANGE, flags: u32, stats: STATS }),
  unmap: object({ ...OP, ...RANGE, stats: STATS }),
  bind: object(RAW),
  async: object({ ...RAW, stage: oneOf("submit", "exec") }),
  loop: object({
    ...OP,
    va: u64,
    step: u64,
    offset: u64,
    offset_step: u64,
    bo: BO,
    flags: u32,
    count: integer(0, LOOP_MAX),
    stats: MANY_STATS,
  }),
  blackhole: object({ ...OP, ...RANGE, bo: BO, flags: u32, stats: MANY_STATS }),
  evict: RECLAIM,
  restore: RECLAIM,
  io_map: object({ ...IO, pa: u64, prot: u32, mapped: u64, pt_used: count }),
  io_unmap: object({ ...IO, unmapped: u64 }),
});

const LEVEL: Shape = integer(1, 3);
const RUN: Shape = object({
  va: u64,
  level: LEVEL,
  desc: u64,
  count: integer(1),
  stride_va: u64,
  stride_pa: signedU64,
});

/** A case of `panthor-pgtable`. */
export const PGTABLE_CASE: Shape = object(
  {
    id: text,
    config: object({
      ias: integer(25, 52),
      oas: integer(25, 52),
      coherent: BIT,
      active: BIT,
      pgsize_bitmap: oneOf("0x201000"),
      user_va_range: u64,
    }),
    dummy: optional(object({ chunks: SEGMENTS })),
    bos: list(
      object({
        id: integer(1, ID_MAX),
        chunks: SEGMENTS,
        exclusive: optional(oneOf("this", "other", "none")),
        small_folios: optional(oneOf(1)),
      }),
    ),
    ops: list(OPS),
    tables: object({ count: object({ l0: count, l1: count, l2: count, l3: count }) }),
    leaves: object({ blocks_l1: count, blocks_l2: count, pages_l3: count }),
    entries: count,
    digest: matching(/^[0-9a-f]{64}$/, "a SHA-256 in hex"),
    // Left out where it would be very long; the digest holds the same.
    ptes: optional(list(listOr(tuple(u64, LEVEL, u64), RUN))),
    vma_count: optional(count),
    vmas: optional(list(tuple(u64, u64, BO, u64, u32, BIT))),
    translate: list(tuple(u64, nullable(u64))),
  },
  (testCase) =>
    cleansWhereCounted(testCase) ?? mappingsWhereThereAreAny(testCase) ?? dummyWhereNeeded(testCase),
);

interface PgtableMembers {
  config: { coherent: number };
  ops: { op: string; ret: number; bo?: number; stats?: object }[];
  vma_count?: number;
}

function cleansWhereCounted(testCase: JsonObject): Fault | null {
  const { config, ops } = testCase as unknown as PgtableMembers;
  const counted = config.coherent === 0;
  const i = ops.findIndex(({ stats }) => stats !== undefined && Object.hasOwn(stats, "cleans") !== counted);
  if (i < 0) return null;
  return {
    at: `.ops[${i}].stats.cleans`,
    rule: counted ? "is missing: the walker is not coherent" : "a coherent walker needs none",
  };
}

/** Calls of the page-table code go past the VA manager, so that there the case says nothing of mappings. */
function mappingsWhereThereAreAny(testCase: JsonObject): Fault | null {
  const { ops, vma_count } = testCase as unknown as PgtableMembers;
  if (ops.some(({ op }) => op === "io_map" || op === "io_unmap")) return null;
  if (vma_count === undefined) return { at: ".vma_count", rule: "is missing" };
  if (vma_count > VMAS_LISTED || Object.hasOwn(testCase, "vmas")) return null;
  return { at: ".vmas", rule: `is missing: there are no more than ${VMAS_LISTED}` };
}

/** A sparse mapping shows the dummy's pages. */
function dummyWhereNeeded(testCase: JsonObject): Fault | null {
  if (Object.hasOwn(testCase, "dummy")) return null;
  const { ops } = testCase as unknown as PgtableMembers;
  const i = ops.findIndex(
    ({ op, bo, ret }) => (op === "sparse" && ret === 0) || ((op === "evict" || op === "restore") && bo === 0),
  );
  return i < 0 ? null : { at: ".dummy", rule: `is missing: ops[${i}] maps it` };
}

const TABLES: Shape = object({ unit: text, va: u64, size: u64, tables: count });

/** A case of `panthor-units`. */
export const UNITS_CASE: Shape = variants("unit", {
  lockaddr: object({ unit: text, va: u64, size: u64, value: u64, start: u64, locked: u64 }),
  pick: object({ unit: text, addr: u64, len: u64, pgsize: u64, pgcount: count }),
  rsvd_map: TABLES,
  rsvd_unmap: TABLES,
  vm_create: object(
    {
      unit: text,
      va_bits: integer(1, 63),
      task_size: u64,
      flags: u32,
      user_va_range: signedU64,
      ret: errno,
      out_user_va_range: optional(u64),
      kernel_range: optional(u64),
    },
    splitWhereMade,
  ),
});

/** Only a VM that was made has its addresses divided. */
function splitWhereMade(value: JsonObject): Fault | null {
  const made = value["ret"] === 0;
  for (const name of ["out_user_va_range", "kernel_range"]) {
    if (Object.hasOwn(value, name) !== made) {
      return { at: `.${name}`, rule: made ? "is missing" : "of a VM that was not made" };
    }
  }
  return null;
}
