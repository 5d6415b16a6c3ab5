/**
 * The shapes of `amdgpu-vm`, `amdgpu-va-args` and `amdgpu-trace-expect`, version 1.
 *
 * @module
 */

import {
  count,
  errno,
  integer,
  list,
  listOr,
  type Members,
  matching,
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
} from "@vmbind/drm/conformance";

/** Handles that a case may have. */
const HANDLE: Shape = integer(0, 2 ** 12);
/** Pieces that `count` may stand for. */
const PIECES: Shape = integer(1, 2 ** 20);
const GFX: Shape = oneOf("9.0", "10.3", "11.0", "12.0");
const LEVEL: Shape = integer(1, 4);
const BIT: Shape = oneOf(0, 1);
const DIGEST: Shape = matching(/^[0-9a-f]{16}$/, "a digest in 16 digits of hex");

const CHUNKS: Shape = list(
  listOr(tuple(u64, u64), object({ address: u64, size: u64, count: PIECES, stride: signedU64 })),
);
const DOMAIN: Shape = oneOf("vram", "gtt");

const STATS: Shape = object({
  tables_alloc: optional(count),
  tables_free: optional(count),
  range_jobs: optional(count),
  writes: optional(count),
  entries: optional(count),
  pdes: optional(count),
  flush: optional(count),
});

const WRITE: Shape = tuple(
  oneOf("clear", "range", "pde"),
  LEVEL,
  u64,
  count,
  u64,
  u64,
  u64,
  oneOf("linear", "pages"),
);

const OUTCOME: Members = {
  ret: errno,
  stats: STATS,
  digest: DIGEST,
  log: optional(count),
  trace: optional(list(WRITE)),
};

const VA: Members = {
  op: text,
  operation: oneOf("map", "unmap", "clear", "replace"),
  handle: u32,
  flags: u64,
  va: u64,
  offset: u64,
  size: u64,
};

const OP: Shape = variants("op", {
  va: object({ ...VA, ...OUTCOME }),
  cs: object({ op: text, bo_list: list(HANDLE), ...OUTCOME }),
  close: object({ op: text, handle: HANDLE, ...OUTCOME }),
  move: object({ op: text, handle: HANDLE, domain: DOMAIN, evicted: truth, chunks: CHUNKS, ret: errno }),
  busy: object({ op: text, handle: HANDLE, busy: truth, ret: errno }),
  evicting: object({ op: text, value: truth, ret: errno }),
});

const LISTS: Shape = object({
  evicted: list(HANDLE),
  needs_update: list(HANDLE),
  idle: list(HANDLE),
});

/** A case of `amdgpu-vm`. */
export const VM_CASE: Shape = object({
  id: text,
  profile: optional(text),
  config: object({
    gfx: GFX,
    va_bits: oneOf(48),
    levels: oneOf(4),
    root_level: oneOf(1),
    block_size: oneOf(9),
    table_base: u64,
    table_stride: u64,
  }),
  bos: list(
    object({
      id: integer(1, 2 ** 12),
      size: u64,
      domain: DOMAIN,
      preferred: optional(DOMAIN),
      flags: u64,
      always_valid: truth,
      chunks: CHUNKS,
    }),
  ),
  ops: list(OP),
  final: object({
    tables: list(tuple(LEVEL, u64, u64)),
    table_count: list(count),
    entries: list(
      listOr(
        tuple(LEVEL, u64, u64),
        object({ level: LEVEL, va: u64, entry: u64, count: PIECES, stride_va: u64, stride_pa: signedU64 }),
      ),
    ),
    mappings: list(tuple(u64, u64, u64, u64, HANDLE, oneOf("valid", "invalid"))),
    freed: list(tuple(u64, u64)),
    lists: object({
      always_valid: LISTS,
      individual: LISTS,
      tables: object({ needs_update: count, idle: count }),
    }),
    bo_va: list(object({ bo: HANDLE, moved: BIT, cleared: BIT, invalids: list(u64), valids: list(u64) })),
  }),
  translate: list(tuples([u64, oneOf("vram", "sys"), u64, LEVEL], [u64, oneOf("prt", "fault"), LEVEL])),
  fini_log: optional(count),
});

/** A case of `amdgpu-va-args`. */
export const ARGS_CASE: Shape = object({
  id: text,
  gfx: GFX,
  pre: list(object({ ...VA, ret: errno })),
  call: object({
    operation: u32,
    handle: u32,
    flags: u64,
    va: u64,
    offset: u64,
    size: u64,
    timeline_syncobj: u32,
    timeline_point: u32,
    syncobjs: (value) => (value === "null" ? null : list(u32)(value)),
  }),
  ret: errno,
  mappings: list(tuple(u64, u64, u64, u64, HANDLE)),
});

/** Entries by kind and level. */
const LEAVES: Shape = table(/^(?:table|valid|prt|cleared)[1-4]$/, count);

/** A case of `amdgpu-trace-expect`. */
export const TRACE_CASE: Shape = object({
  trace: text,
  gfx: GFX,
  totals: STATS,
  states: list(
    object({
      at: text,
      va_ops: count,
      mappings: count,
      prt_mappings: count,
      invalid_mappings: count,
      table_count: list(count),
      leaves: LEAVES,
      digest: DIGEST,
    }),
  ),
});
