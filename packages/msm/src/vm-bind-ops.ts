/**
 * VM_BIND by operations as objects, in the terms of `drm_msm_vm_bind_op` (`msm_drm.h`, Linux 7.3-rc7).
 *
 * | `op` | op in the struct |
 * |---|---|
 * | `map`, `map-null`, `unmap` | `OP_MAP`, `OP_MAP_NULL`, `OP_UNMAP` |
 *
 * A single operation goes into the ioctl's struct, more into an array behind it.
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
  needMembers,
  type UserBuffer,
  viewOf,
} from "@vmbind/drm";
import type { MsmFile } from "./file.ts";
import {
  IOCTL_VM_BIND,
  OP_MAP,
  OP_MAP_NULL,
  OP_UNMAP,
  type SubmitSyncobj,
  SYNCOBJ,
  VM_BIND,
  VM_BIND_OP,
  VM_BIND_OPS_UNION,
  type VmBindOp,
} from "./uapi.ts";

/** The VA range of an operation. */
export interface MsmRange {
  /** GPU address in bytes, a multiple of 4096. */
  readonly iova: number;
  /** Bytes, a multiple of 4096. */
  readonly range: number;
  /** `OP_DUMP`; 0 unless given. */
  readonly flags?: number;
}

/** Map a part of an object. */
export interface MsmMap extends MsmRange {
  /** Which operation. */
  readonly op: "map";
  /** GEM handle. */
  readonly handle: number;
  /** Byte offset into the object, 0 unless given. */
  readonly objOffset?: number;
}

/** Unmap a range, or map the page of everybody over it. */
export interface MsmRangeOp extends MsmRange {
  /** Which operation. */
  readonly op: "unmap" | "map-null";
}

/** An operation of msm's VM_BIND. */
export type MsmOp = MsmMap | MsmRangeOp;

/** What a call says beside its operations; a file has one VM. */
export interface MsmBindOptions {
  /** A submit queue that was made with `SUBMITQUEUE_VM_BIND`; 1, the first, unless given. */
  readonly queueId?: number;
  /** `VM_BIND_FENCE_FD_IN`, `VM_BIND_FENCE_FD_OUT`; 0 unless given. */
  readonly flags?: number;
  /** The sync file to wait for, with `VM_BIND_FENCE_FD_IN`. */
  readonly fenceFd?: number;
  /** What it waits for; nothing unless given. */
  readonly inSyncobjs?: readonly Partial<SubmitSyncobj>[];
  /** What it signals; nothing unless given. */
  readonly outSyncobjs?: readonly Partial<SubmitSyncobj>[];
}

const OPTIONS: readonly (keyof MsmBindOptions)[] = [
  "queueId",
  "flags",
  "fenceFd",
  "inSyncobjs",
  "outSyncobjs",
];

const OPS_ADDR = 0x7000_0000_0000;
const WAITS_ADDR = 0x7100_0000_0000;
const SIGNALS_ADDR = 0x7200_0000_0000;

const RANGE = ["iova", "range"] as const;
/** What each operation has to give and may give, by the name in `op`. */
export const BIND_FORMS: BindForms<VmBindOp, MsmOp["op"]> = {
  map: { sets: { op: OP_MAP }, needs: ["handle", ...RANGE], takes: ["objOffset", "flags"] },
  "map-null": { sets: { op: OP_MAP_NULL }, needs: RANGE, takes: ["flags"] },
  unmap: { sets: { op: OP_UNMAP }, needs: RANGE, takes: ["flags"] },
};

/**
 * The ioctl that {@link vmBind} issues, for operations that are data: from a file, from an editor.
 *
 * @param ops - the operations; what they are is checked here
 * @param options - see {@link MsmBindOptions}
 * @throws `EncodeError` as {@link vmBind} does
 */
export function encodeVmBind(ops: readonly NamedBindOp[], options: MsmBindOptions = {}): IoctlCall {
  needMembers("options", options, OPTIONS);
  const bytes = encodeBindOps(VM_BIND_OP, BIND_FORMS, ops);
  const { queueId = 1, flags = 0, fenceFd = 0, inSyncobjs = [], outSyncobjs = [] } = options;
  const buffers: UserBuffer[] = [];
  if (ops.length !== 1) buffers.push({ addr: OPS_ADDR, bytes });
  const waits = encodeArray("inSyncobjs", SYNCOBJ, inSyncobjs);
  if (waits.length > 0) buffers.push({ addr: WAITS_ADDR, bytes: waits });
  const signals = encodeArray("outSyncobjs", SYNCOBJ, outSyncobjs);
  if (signals.length > 0) buffers.push({ addr: SIGNALS_ADDR, bytes: signals });
  const arg = VM_BIND.encode({
    flags,
    nrOps: ops.length,
    fenceFd,
    queueId,
    inSyncobjs: waits.length > 0 ? WAITS_ADDR : 0,
    outSyncobjs: signals.length > 0 ? SIGNALS_ADDR : 0,
    nrInSyncobjs: inSyncobjs.length,
    nrOutSyncobjs: outSyncobjs.length,
    syncobjStride: SYNCOBJ.size,
    opStride: VM_BIND_OP.size,
  });
  const at = VM_BIND.fields.op.offset;
  if (ops.length === 1) arg.set(bytes, at);
  else VM_BIND_OPS_UNION.write(viewOf(arg), at, { ops: OPS_ADDR });
  return { name: "MSM_VM_BIND", request: IOCTL_VM_BIND, arg, buffers };
}

/**
 * VM_BIND by objects: encode, issue, and say what came of it.
 *
 * @param file - the open file
 * @param ops - the operations: all are done, or none
 * @param options - see {@link MsmBindOptions}
 * @returns errno, reason, and index of the operation that failed
 * @throws `EncodeError` for a member that is missing, unknown or does not fit: `ops[5].iova: ...`; nothing was issued then
 */
export function vmBind(file: MsmFile, ops: readonly MsmOp[], options: MsmBindOptions = {}): BindResult {
  return issueBind(file, encodeVmBind(ops, options), "ops", "op");
}
