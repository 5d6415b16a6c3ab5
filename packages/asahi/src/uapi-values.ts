/**
 * Facts of `asahi_drm.h` (Linux 7.3-rc7): the values of flags and ops, and their names for people. The structs that hold them are in
 * `uapi.ts`.
 *
 * @module
 */

import { flagNames, type ValueNames, valueNames } from "@vmbind/drm";

/** Bind flag: remove mappings; the record must hold nothing else but a range. */
export const BIND_UNBIND = 0x1;
/** Bind flag: the GPU may read. */
export const BIND_READ = 0x2;
/** Bind flag: the GPU may write. */
export const BIND_WRITE = 0x4;
/** Bind flag: repeat the one page at `offset` over the whole range. */
export const BIND_SINGLE_PAGE = 0x8;
/** Names of the flags of a `GemBindOp`. */
export const BIND_NAMES: ValueNames = flagNames({ BIND_UNBIND, BIND_READ, BIND_WRITE, BIND_SINGLE_PAGE });

/** GEM flag: CPU mappings are cached instead of write-combined. */
export const GEM_WRITEBACK = 0x1;
/** GEM flag: the object belongs to one VM, shares its reservation and cannot be exported. */
export const GEM_VM_PRIVATE = 0x2;
/** Names of the flags of a `GemCreate`. */
export const GEM_NAMES: ValueNames = flagNames({ GEM_WRITEBACK, GEM_VM_PRIVATE });

/** GEM_BIND_OBJECT op: bind. */
export const BIND_OBJECT_OP_BIND = 0;
/** GEM_BIND_OBJECT op: unbind. */
export const BIND_OBJECT_OP_UNBIND = 1;
/** Names of the ops of a `GemBindObject`. */
export const BIND_OBJECT_OP_NAMES: ValueNames = valueNames({ BIND_OBJECT_OP_BIND, BIND_OBJECT_OP_UNBIND });
/** GEM_BIND_OBJECT flag: the firmware writes timestamps into the range. */
export const BIND_OBJECT_USAGE_TIMESTAMPS = 0x1;
/** Names of the flags of a `GemBindObject`. */
export const BIND_OBJECT_NAMES: ValueNames = flagNames({ BIND_OBJECT_USAGE_TIMESTAMPS });

/** Feature bit: shader loads from an unmapped VA return 0 and shader stores to one are dropped. */
export const FEATURE_SOFT_FAULTS = 0x1;
