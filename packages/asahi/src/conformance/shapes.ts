/**
 * The shapes of `asahi-pgtable` and `asahi-tlbi`, version 1. That of `asahi-uapi` follows from the structs' layouts; see `uapi.ts`.
 *
 * @module
 */

import {
  count,
  entry64,
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
  text,
  truth,
  tuple,
  u64,
  variants,
} from "@vmbind/gpuvm-core/conformance";

/** Directory entries that a case lists at least; with more of them the list may be left out. */
const ENTRIES_LISTED = 48;
/** Mappings that a case lists at least; with more of them it says their number. */
const VAS_LISTED = 400;
/** Operations that `repeat` may stand for. The recorded ones have 6104. */
const REPEAT_MAX = 2 ** 20;
/** Ids of objects, which are handles. */
const ID_MAX = 2 ** 12;

const STEP: Shape = (value) => (STEPS.get(Array.isArray(value) ? value[0] : undefined) ?? STEP_NAME)(value);
const STEP_NAME: Shape = tuple(oneOf("unmap", "remap", "map", "tlbi"));
const STEPS: ReadonlyMap<unknown, Shape> = new Map([
  ["unmap", tuple(text, u64, u64)],
  ["remap", tuple(text, u64, u64, u64, u64)],
  ["map", tuple(text, u64, u64, u64, truth)],
  ["tlbi", tuple(text, u64, u64)],
]);

/** `steps` are left out where an operation stands for many, and where they are very long. */
const OP: Members = {
  op: text,
  addr: u64,
  range: u64,
  ret: errno,
  steps: optional(list(STEP)),
  repeat: optional(object({ count: integer(1, REPEAT_MAX), addr_step: u64, offset_step: u64 })),
};

function stepsOfOne(op: JsonObject): Fault | null {
  if (!Object.hasOwn(op, "repeat") || !Object.hasOwn(op, "steps")) return null;
  return { at: ".steps", rule: "of an operation that stands for many" };
}

const LEAF_LEVEL: Shape = oneOf("l3");
const RUN: Shape = object({
  va: u64,
  level: LEAF_LEVEL,
  desc: entry64,
  count: integer(1),
  stride_va: u64,
  stride_pa: u64,
});

/** A case of `asahi-pgtable`. */
export const PGTABLE_CASE: Shape = object(
  {
    id: text,
    config: object({
      oas: integer(32, 52),
      kernel_start: u64,
      kernel_end: u64,
      table_base: u64,
      table_stride: u64,
      asid: integer(0, 0xffff),
    }),
    bos: list(object({ id: integer(1, ID_MAX), chunks: list(tuple(u64, u64)) })),
    ops: list(
      variants("op", {
        bind: object(
          {
            ...OP,
            bo: integer(0, 2 ** 32 - 1),
            offset: u64,
            flags: list(
              matching(/^(?:UNBIND|READ|WRITE|SINGLE_PAGE|BIT(?:[4-9]|[12][0-9]|3[01]))$/, "a flag or BITn"),
            ),
          },
          stepsOfOne,
        ),
        unbind: object(OP, stepsOfOne),
      }),
    ),
    tables: object(
      {
        count: object({ l1: count, l2: count, l3: count }),
        entries: optional(list(tuple(oneOf("l1", "l2"), u64, entry64))),
      },
      entriesWhereFew,
    ),
    ptes: list(listOr(tuple(u64, LEAF_LEVEL, entry64), RUN)),
    vas: optional(list(tuple(u64, u64, integer(1, ID_MAX), u64, oneOf("single", "plain")))),
    vas_count: optional(integer(VAS_LISTED + 1)),
    vm_bo_refs: list(tuple(integer(1, ID_MAX), count)),
    translate: list(tuple(u64, nullable(u64))),
  },
  mappingsOneWay,
);

/** Each table but the root has one entry that points to it. */
function entriesWhereFew(tables: JsonObject): Fault | null {
  const { l2, l3 } = tables["count"] as { l2: number; l3: number };
  if (l2 + l3 >= ENTRIES_LISTED || Object.hasOwn(tables, "entries")) return null;
  return { at: ".entries", rule: "is missing: there are few enough to be listed" };
}

function mappingsOneWay(testCase: JsonObject): Fault | null {
  if (Object.hasOwn(testCase, "vas") !== Object.hasOwn(testCase, "vas_count")) return null;
  return Object.hasOwn(testCase, "vas")
    ? { at: ".vas_count", rule: "beside the list" }
    : { at: ".vas", rule: `is missing, and so is vas_count` };
}

/** No VA of UAT is longer; behind it there would be instructions without end. */
const VA_BYTES_MAX = 2 ** 48;

function lengthInVa({ len }: JsonObject): Fault | null {
  return Number(len) > VA_BYTES_MAX ? { at: ".len", rule: "expected at most 0x1000000000000" } : null;
}

/** A case of `asahi-tlbi`. */
export const TLBI_CASE: Shape = object(
  {
    asid: integer(0, 0xffff),
    va: u64,
    len: u64,
    insns: list(tuple(oneOf("page", "range"), entry64)),
  },
  lengthInVa,
);
