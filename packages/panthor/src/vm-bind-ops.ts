/**
 * VM_BIND by operations as objects, in the terms of `drm_panthor_vm_bind_op` (`panthor_drm.h`, Linux 7.3-rc7).
 *
 * | `op` | type and flags in the struct |
 * |---|---|
 * | `map` | `OP_MAP` |
 * | `map-sparse` | `OP_MAP`, `MAP_SPARSE` and `MAP_NOEXEC`, without which the driver takes none |
 * | `map-repeat` | `OP_MAP` and `MAP_REPEAT`: the proposal, operations of 56 bytes |
 * | `unmap` | `OP_UNMAP` |
 * | `sync-only` | `OP_SYNC_ONLY` |
 *
 * @module
 */

import {
  type BindForms,
  type BindResult,
  encodeArray,
  encodeBindOps,
  type IoctlCall,
  issueBind,
  type NamedBindOp,
  needList,
  needMembers,
  type StructLayout,
  type UserBuffer,
} from "@vmbind/drm";
import type { PanthorFile } from "./file.ts";
import {
  IOCTL_VM_BIND,
  MAP_NOEXEC,
  MAP_REPEAT,
  MAP_SPARSE,
  OP_MAP,
  OP_SYNC_ONLY,
  OP_UNMAP,
  SYNC_OP,
  type SyncOp,
  VM_BIND,
  VM_BIND_ASYNC,
  VM_BIND_OP,
  VM_BIND_OP_REPEAT,
  type VmBindOp,
  type VmBindOpRepeat,
} from "./uapi.ts";

/** A VA range of an operation, and what an asynchronous one waits for and signals. */
export interface PanthorRange {
  /** GPU address in bytes, a multiple of 4096. */
  readonly va: number;
  /** Bytes, a multiple of 4096. */
  readonly size: number;
  /** Only in asynchronous calls; none unless given. */
  readonly syncs?: readonly Partial<SyncOp>[];
}

/** Map a part of an object. */
export interface PanthorMap extends PanthorRange {
  /** Which operation. */
  readonly op: "map";
  /** GEM handle. */
  readonly boHandle: number;
  /** Byte offset into the object, 0 unless given. */
  readonly boOffset?: number;
  /** `MAP_READONLY`, `MAP_NOEXEC`, `MAP_UNCACHED`; 0 unless given. */
  readonly flags?: number;
}

/** Map the kernel's dummy object over and over (driver 1.8 and later). */
export interface PanthorMapSparse extends PanthorRange {
  /** Which operation. */
  readonly op: "map-sparse";
  /** `MAP_READONLY`, `MAP_UNCACHED`; 0 unless given. */
  readonly flags?: number;
}

/** Map a window of an object over and over: the REPEAT proposal, on a device with the option `repeat`. */
export interface PanthorMapRepeat extends PanthorRange {
  /** Which operation. */
  readonly op: "map-repeat";
  /** GEM handle. */
  readonly boHandle: number;
  /** Byte offset of the window in the object, 0 unless given. */
  readonly boOffset?: number;
  /** Bytes of the window, below 2^32. */
  readonly boRepeatRange: number;
  /** As in {@link PanthorMap}. */
  readonly flags?: number;
}

/** Unmap a range. */
export interface PanthorUnmap extends PanthorRange {
  /** Which operation. */
  readonly op: "unmap";
}

/** Only wait and signal. */
export interface PanthorSyncOnly {
  /** Which operation. */
  readonly op: "sync-only";
  /** What it waits for and signals. */
  readonly syncs: readonly Partial<SyncOp>[];
}

/** An operation of Panthor's VM_BIND. */
export type PanthorOp = PanthorMap | PanthorMapSparse | PanthorMapRepeat | PanthorUnmap | PanthorSyncOnly;

/** What a call says beside its operations. */
export interface PanthorBindOptions {
  /** VM id, 1 unless given: that of the first VM of a file. */
  readonly vmId?: number;
  /** Queue the operations (`VM_BIND_ASYNC`) where syncs are to be waited for and signalled. Default false. */
  readonly async?: boolean;
}

const OPTIONS: readonly (keyof PanthorBindOptions)[] = ["vmId", "async"];

const OPS_ADDR = 0x7000_0000_0000;
const SYNCS_ADDR = 0x7100_0000_0000;
/** Room for the syncs of one operation. */
const SYNCS_BYTES: number = 2 ** 24;

const FORMS: BindForms<VmBindOp, Exclude<PanthorOp["op"], "map-repeat">> = {
  map: { sets: { flags: OP_MAP }, needs: ["boHandle", "va", "size"], takes: ["boOffset", "flags", "syncs"] },
  "map-sparse": {
    sets: { flags: OP_MAP | MAP_SPARSE | MAP_NOEXEC },
    needs: ["va", "size"],
    takes: ["flags", "syncs"],
  },
  unmap: { sets: { flags: OP_UNMAP }, needs: ["va", "size"], takes: ["syncs"] },
  "sync-only": { sets: { flags: OP_SYNC_ONLY }, needs: ["syncs"], takes: [] },
};

/** What each operation has to give and may give, by the name in `op`. */
export const BIND_FORMS: BindForms<VmBindOpRepeat, PanthorOp["op"]> = {
  ...FORMS,
  "map-repeat": {
    sets: { flags: OP_MAP | MAP_REPEAT },
    needs: ["boHandle", "va", "size", "boRepeatRange"],
    takes: ["boOffset", "flags", "syncs"],
  },
};

/**
 * The ioctl that {@link vmBind} issues, for operations that are data: from a file, from an editor.
 *
 * @param ops - the operations; what they are is checked here
 * @param options - see {@link PanthorBindOptions}
 * @throws `EncodeError` as {@link vmBind} does
 */
export function encodeVmBind(ops: readonly NamedBindOp[], options: PanthorBindOptions = {}): IoctlCall {
  needMembers("options", options, OPTIONS);
  needList("ops", ops);
  const buffers: UserBuffer[] = [];
  const placed = ops.map((op, i) => {
    // What is no operation is for the encoding to refuse.
    const syncs = typeof op === "object" && op !== null && "syncs" in op ? op.syncs : undefined;
    if (!Array.isArray(syncs)) return op;
    if (syncs.length === 0) return { ...op, syncs: {} };
    const bytes = encodeArray(`ops[${i}].syncs`, SYNC_OP, syncs);
    const addr = SYNCS_ADDR + i * SYNCS_BYTES;
    buffers.push({ addr, bytes });
    return { ...op, syncs: { stride: SYNC_OP.size, count: syncs.length, array: addr } };
  });
  const repeats = ops.some((op) => op?.op === "map-repeat");
  const layout: StructLayout<object> = repeats ? VM_BIND_OP_REPEAT : VM_BIND_OP;
  const bytes = repeats
    ? encodeBindOps(VM_BIND_OP_REPEAT, BIND_FORMS, placed)
    : encodeBindOps(VM_BIND_OP, FORMS, placed);
  buffers.unshift({ addr: OPS_ADDR, bytes });
  const arg = VM_BIND.encode({
    vmId: options.vmId ?? 1,
    flags: options.async ? VM_BIND_ASYNC : 0,
    ops: { stride: layout.size, count: ops.length, array: OPS_ADDR },
  });
  return { name: "PANTHOR_VM_BIND", request: IOCTL_VM_BIND, arg, buffers };
}

/**
 * VM_BIND by objects: encode, issue, and say what came of it.
 *
 * @param file - the open file
 * @param ops - the operations; a synchronous call stops at the first that fails and keeps those before it
 * @param options - see {@link PanthorBindOptions}
 * @returns errno, reason, and index of the operation that failed
 * @throws `EncodeError` for a member that is missing, unknown or does not fit: `ops[5].va: ...`; nothing was issued then
 */
export function vmBind(
  file: PanthorFile,
  ops: readonly PanthorOp[],
  options: PanthorBindOptions = {},
): BindResult {
  return issueBind(file, encodeVmBind(ops, options), "ops");
}
