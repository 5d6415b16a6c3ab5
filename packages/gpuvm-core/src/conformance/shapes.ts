/**
 * The shapes of the formats of GPUVM's vectors: `gpuvm-steps`, `gpuvm-repeat-hazards`, `gpuvm-lookup` and `gpuvm-refs`, version 1.
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
  type Members,
  nullable,
  object,
  oneOf,
  optional,
  type Shape,
  text,
  truth,
  u64,
  variants,
} from "@vmbind/drm/conformance";

const VM: Members = { start: u64, range: u64, kernel_start: u64, kernel_range: u64 };
const EXTENT: Members = { va: u64, range: u64 };
const FLAGS: Shape = list(oneOf("invalidated", "sparse", "repeat"));
/** What is behind an address range; `gem_range` comes with the flag `repeat` and only with it. */
const BACKING: Members = { gem: nullable(count), offset: u64, flags: FLAGS, gem_range: optional(u64) };
const RIGHT_BACKING: Members = { ...BACKING, phase: optional(u64) };

function windowWithFlag(value: JsonObject): Fault | null {
  return comesWithFlag(value, "gem_range");
}

function phaseWithFlag(value: JsonObject): Fault | null {
  return comesWithFlag(value, "gem_range") ?? comesWithFlag(value, "phase");
}

function comesWithFlag(value: JsonObject, name: string): Fault | null {
  const repeats = (value["flags"] as string[]).includes("repeat");
  if (repeats === Object.hasOwn(value, name)) return null;
  return { at: `.${name}`, rule: repeats ? "is missing: the flag repeat is set" : "without the flag repeat" };
}

function steps(backing: Members, rule: (value: JsonObject) => Fault | null): Shape {
  const mapping = object({ ...EXTENT, ...backing }, rule);
  return list(
    variants("step", {
      map: object({ step: text, ...EXTENT, ...backing }, rule),
      unmap: object({ step: text, ...EXTENT, ...backing, keep: truth }, rule),
      remap: object({
        step: text,
        unmap: mapping,
        keep: truth,
        prev: nullable(mapping),
        next: nullable(mapping),
      }),
    }),
  );
}

const STEPS: Shape = steps(BACKING, windowWithFlag);
const RIGHT_STEPS: Shape = steps(RIGHT_BACKING, phaseWithFlag);
const FINAL: Shape = list(object({ ...EXTENT, ...BACKING }, windowWithFlag));
const RIGHT_FINAL: Shape = list(object({ ...EXTENT, ...RIGHT_BACKING }, phaseWithFlag));

/** `map`, `unmap` and `madvise`, with what a format says of each beside its result and steps. */
function requests(more: Members): Readonly<Record<string, Shape>> {
  const result: Members = { op: text, ...EXTENT, ret: errno, steps: STEPS, ...more };
  // Said only where it happened: a map step at address 0 with length 0 cannot be inserted.
  const made = object({ ...result, ...BACKING, insert_failed: optional(oneOf(true)) }, windowWithFlag);
  return { map: made, unmap: object(result), madvise: made };
}

/** A case of `gpuvm-steps`. */
export const STEPS_CASE: Shape = object({
  id: text,
  vm: object(VM),
  ops: list(variants("op", requests({}))),
  final: FINAL,
});

const SHOWN: Members = { gem: nullable(count), offset: u64 };

/** A case of `gpuvm-repeat-hazards`. */
export const HAZARDS_CASE: Shape = object({
  id: text,
  build: oneOf("v4", "v4+init", "v4+init+slipfix"),
  hazards: list(oneOf("phase-shift", "length", "keep", "window-lost")),
  vm: object(VM),
  page_size: oneOf("0x1000", "0x4000", "0x10000"),
  ops: list(variants("op", requests({ right_steps: RIGHT_STEPS, keep_differs: truth }))),
  final: FINAL,
  right_final: RIGHT_FINAL,
  pages_wrong: list((value) => (Object.hasOwn(Object(value), "range") ? PIECE_WRONG : PAGE_WRONG)(value)),
  pages_wrong_total: count,
  tail_lost_by_floor_count: list(object(EXTENT)),
});

const PAGE_WRONG: Shape = object({ va: u64, want: object(SHOWN), patch: object(SHOWN) });
/** A piece that has lost its window: every page of it. */
const PIECE_WRONG: Shape = object({
  ...EXTENT,
  want: object({ ...SHOWN, phase: u64, window: u64 }),
  patch: oneOf("window-0"),
});

/** `kernel` marks the node of the reserved range, and no other. */
const FOUND: Shape = object({ ...EXTENT, kernel: optional(oneOf(true)) });

function query(result: Shape): Shape {
  return object({ op: text, ...EXTENT, result });
}

/** A case of `gpuvm-lookup`. */
export const LOOKUP_CASE: Shape = object({
  id: text,
  vm: object(VM),
  ops: list(
    variants("op", {
      insert: object({ op: text, ...EXTENT, ret: errno }),
      find: query(nullable(FOUND)),
      find_first: query(nullable(FOUND)),
      interval_empty: query(truth),
      range_valid: query(truth),
      prefetch: query(list(FOUND)),
      remove: query(nullable(FOUND)),
    }),
  ),
  final: FINAL,
});

/** Objects 0 to 3; -1 is the VM's own reservation object. */
const GEM: Shape = integer(0, 3);
const LISTED: Shape = list(object({ gem: GEM, zombie: truth }));
const REFS: Shape = object({
  vm: count,
  gems: list(count, 4),
  vm_bos: list(
    object({ gem: GEM, refs: count, vas: count, on_extobj: truth, on_evict: truth, evicted: truth }),
  ),
  extobj: LISTED,
  evict: LISTED,
  bo_defer: list(GEM),
});

/** A case of `gpuvm-refs`. */
export const REFS_CASE: Shape = object({
  id: text,
  vm: object({ ...VM, resv_protected: truth, immediate_mode: truth }),
  private_gems: list(GEM),
  ops: list(
    variants("op", {
      ...requests({ refs: REFS }),
      gem_evict: object({ op: text, gem: GEM, evict: truth, ret: errno, refs: REFS }),
      deferred_cleanup: object({ op: text, ret: errno, refs: REFS }),
      exec_lock_validate: object({
        op: text,
        ret: errno,
        locked: list(integer(-1, 3)),
        evict_before_validate: list(GEM),
        validate_ret: errno,
        refs: REFS,
      }),
    }),
  ),
  final: FINAL,
});
