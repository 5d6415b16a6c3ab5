/**
 * The shapes of `msm-vmbind`, `msm-uapi`, `msm-units` and `msm-trace-costs`, version 1.
 *
 * @module
 */

import {
  bytes,
  count,
  errno,
  type Fault,
  integer,
  type JsonObject,
  list,
  listOr,
  matching,
  nullable,
  object,
  oneOf,
  optional,
  type Shape,
  signedU64,
  text,
  tuple,
  tuples,
  u32,
  u64,
} from "@vmbind/gpuvm-core/conformance";

/** Steps that an operation lists at most; with more it says their number. */
const STEPS_LISTED = 40;
/** One-operation VM_BINDs that `loop` may stand for. */
const LOOP_MAX = 2 ** 20;
/** Ids of objects, which are handles. */
const ID_MAX = 2 ** 20;

const FLAG: Shape = oneOf(0, 1);
const SHA256: Shape = matching(/^[0-9a-f]{64}$/, "a SHA-256");
const KIND: Shape = matching(/^(map|null|unmap|op[0-9]{1,10})$/, "map, null, unmap or opN");
/** Kind, handle, object offset, iova, range, flags, and perhaps what stands in `pad`. */
const OP: Shape = tuples([KIND, u32, u64, u64, u64, u32], [KIND, u32, u64, u64, u64, u32, u32]);
const SYNC: Shape = tuple(u32, u32, integer(0));
const STATS: Shape = object({
  io_map: optional(count),
  io_unmap: optional(count),
  pt_rsvd: optional(count),
  pt_back: optional(count),
  tlb: optional(count),
  vmas: count,
  unusable: optional(FLAG),
  in_flight: optional(integer()),
  queued: optional(count),
  cleans: optional(tuple(count, count)),
});
const RET: Shape = oneOf(0, -22, -12);
const STEP: Shape = tuples(
  [oneOf("unmap"), u64, u64],
  [oneOf("unmap"), u64, u64, RET],
  [oneOf("map"), u64, u64, integer(0, ID_MAX), u64, integer(0, 7)],
  [oneOf("map"), u64, u64, integer(0, ID_MAX), u64, integer(0, 7), RET],
);
/** Id, references, references of the vm_bo, pins, madv, has pages, LRU list. */
const BO_ROW: Shape = tuple(
  integer(1, ID_MAX),
  count,
  count,
  count,
  integer(0, 2),
  FLAG,
  oneOf("unbacked", "pinned", "willneed", "dontneed"),
);

/** What every operation has that changes something. */
const RAN = {
  op: text,
  stats: STATS,
  steps: optional(list(STEP)),
  nsteps: optional(integer(STEPS_LISTED + 1)),
};

/** Either the steps, or their number where there are many. */
function stepsOneWay(op: JsonObject): Fault | null {
  if (Object.hasOwn(op, "steps") !== Object.hasOwn(op, "nsteps")) return null;
  return Object.hasOwn(op, "steps")
    ? { at: ".nsteps", rule: "beside the list" }
    : { at: ".steps", rule: "is missing" };
}

const OPS: Readonly<Record<string, Shape>> = {
  bind: object(
    {
      ...RAN,
      queue: u32,
      flags: u32,
      ops: list(OP),
      nr: optional(u32),
      readable: optional(count),
      fence_fd: optional(integer(-1, 2 ** 31 - 1)),
      ins: optional(list(SYNC)),
      outs: optional(list(SYNC)),
      in_ptr: optional(integer(0)),
      out_ptr: optional(integer(0)),
      nin: optional(u32),
      nout: optional(u32),
      ret: errno,
      out_fence_fd: optional(integer(1)),
    },
    stepsOneWay,
  ),
  loop: object(
    {
      ...RAN,
      queue: u32,
      count: integer(1, LOOP_MAX),
      iova_step: u64,
      offset_step: u64,
      bind: OP,
      ret: errno,
    },
    stepsOneWay,
  ),
  submit: object({ ...RAN, queue: u32, ret: errno }, stepsOneWay),
  evict: object({ ...RAN, bo: u32, done: FLAG }, stepsOneWay),
  purge: object({ ...RAN, bo: u32, done: FLAG }, stepsOneWay),
  gem_close: object({ ...RAN, bo: u32, ret: errno }, stepsOneWay),
  signal: object({ ...RAN, handle: u32, ran: count }, stepsOneWay),
  run: object({ ...RAN, ran: count }, stepsOneWay),
  hold: object({ op: text }),
  madvise: object({ op: text, bo: u32, madv: u32, ret: errno, retained: u32 }),
  syncobj: object({ op: text, state: oneOf("signaled", "pending", "empty"), handle: integer(1) }),
  syncobj_state: object({ op: text, handle: u32, fence: FLAG, signaled: integer(-1, 1) }),
  translate: object({ op: text, va: list(u64), pa: list(nullable(u64)), bos: list(BO_ROW) }, sameLength),
  fault: object({ op: text, site: oneOf("pt_array", "vm_op", "pages", "job"), nth: integer(1) }),
};

function sameLength({ va, pa }: JsonObject): Fault | null {
  return (va as unknown[]).length === (pa as unknown[]).length
    ? null
    : { at: ".pa", rule: "expected one for each va" };
}

const ANY_OP: Shape = (value) => {
  const kind = typeof value === "object" && value !== null ? (value as JsonObject)["op"] : undefined;
  const shape = typeof kind === "string" && Object.hasOwn(OPS, kind) ? OPS[kind] : undefined;
  return shape === undefined
    ? { at: ".op", rule: `expected one of ${Object.keys(OPS).join(", ")}, got ${JSON.stringify(kind)}` }
    : shape(value);
};

const RUN: Shape = object({
  va: u64,
  level: oneOf(3),
  desc: u64,
  count: integer(1),
  stride_va: u64,
  stride_pa: signedU64,
});

/** A case of `msm-vmbind`. */
export const VMBIND_CASE: Shape = object({
  id: text,
  config: object({
    ias: integer(33, 48),
    oas: integer(32, 48),
    coherent: FLAG,
    prr: FLAG,
    prr_page: u64,
    queues: optional(list(u32)),
  }),
  bos: list(object({ id: integer(1, ID_MAX), size: u64, flags: u64, chunks: list(tuple(u64, u64)) })),
  ops: list(ANY_OP),
  final: object({
    tables: object({ l0: count, l1: count, l2: count, l3: count }),
    entries: count,
    digest: SHA256,
    ptes: optional(list(listOr(tuple(u64, oneOf(3), u64), RUN))),
    vma_count: count,
    vmas: optional(list(tuple(u64, u64, integer(0, ID_MAX), u64, oneOf(0, 4), FLAG))),
    bos: list(BO_ROW),
    extobj: list(integer(1, ID_MAX)),
    evict: list(integer(1, ID_MAX)),
    vm_refs: count,
    unusable: FLAG,
    in_flight: integer(),
    translate: list(tuple(u64, nullable(u64))),
  }),
  close: object({
    leaked: list(integer(1, ID_MAX)),
    unmaps: count,
    io_unmap: count,
    tlb: count,
    tables_left: count,
    pages_left: count,
  }),
});

/** A case of `msm-uapi`. */
export const UAPI_CASE: Shape = object({
  id: text,
  config: object({ ias: integer(33, 48), prr: FLAG, cached_coherent: FLAG, private_vm: FLAG }),
  calls: list(
    object({
      ioctl: text,
      request: u64,
      arg_in: bytes,
      ptrs: list(object({ addr: u64, data: bytes })),
      ret: errno,
      arg_out: bytes,
      ptrs_out: optional(list(object({ addr: u64, data: bytes }))),
    }),
  ),
});

/** A case of `msm-units`. */
export const UNITS_CASE: Shape = object({
  unit: oneOf("reserve"),
  ops: list(tuple(oneOf("map", "null", "unmap"), u64, u64)),
  tables: count,
});

const TABLES: Shape = object({ l0: count, l1: count, l2: count, l3: count });

/** A case of `msm-trace-costs`. */
export const TRACE_COSTS_CASE: Shape = object({
  trace: matching(/^[a-z0-9-]+$/, "the name of a recording"),
  ioctls: count,
  io_map: count,
  io_unmap: count,
  pt_rsvd: count,
  pt_back: count,
  tlb: count,
  steps: count,
  peak_vmas: count,
  wait_idle: nullable(
    object({ vmas: count, leaves: count, null_leaves: count, vma_digest: SHA256, tables: TABLES }),
  ),
  end: object({ vmas: count, tables: TABLES }),
});
