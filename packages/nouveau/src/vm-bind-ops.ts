/**
 * VM_BIND by operations as objects, in the terms of `drm_nouveau_vm_bind_op` (`nouveau_drm.h`, Linux 7.3-rc7).
 *
 * | `op` | op and flags in the struct |
 * |---|---|
 * | `map`, `unmap` | `VM_BIND_OP_MAP`, `VM_BIND_OP_UNMAP` |
 * | `map-sparse`, `unmap-sparse` | the same with `VM_BIND_SPARSE`: a sparse region is made, or goes |
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
} from "@vmbind/drm";
import type { NouveauFile } from "./file.ts";
import {
  IOCTL_VM_BIND,
  SYNC,
  type Sync,
  VM_BIND,
  VM_BIND_OP,
  VM_BIND_OP_MAP,
  VM_BIND_OP_UNMAP,
  VM_BIND_RUN_ASYNC,
  VM_BIND_SPARSE,
  type VmBindOp,
} from "./uapi.ts";

/** The VA range of an operation. */
export interface NouveauRange {
  /** First VA in bytes, a multiple of 4 KiB. */
  readonly addr: number;
  /** Bytes, a multiple of 4 KiB. */
  readonly range: number;
}

/** Map a part of an object. */
export interface NouveauMap extends NouveauRange {
  /** Which operation. */
  readonly op: "map";
  /** GEM handle. */
  readonly handle: number;
  /** Byte offset into the object, 0 unless given. */
  readonly boOffset?: number;
  /** PTE kind in the low byte, 0 unless given. */
  readonly flags?: number;
}

/** Unmap a range, or make or take away a sparse region. */
export interface NouveauRangeOp extends NouveauRange {
  /** Which operation. */
  readonly op: "unmap" | "map-sparse" | "unmap-sparse";
}

/** An operation of nouveau's VM_BIND. */
export type NouveauOp = NouveauMap | NouveauRangeOp;

/** What a call says beside its operations; a file has one VM. */
export interface NouveauBindOptions {
  /** Queue the call (`VM_BIND_RUN_ASYNC`), which waits and signals take. Default false. */
  readonly async?: boolean;
  /** What it waits for; nothing unless given. */
  readonly waits?: readonly Partial<Sync>[];
  /** What it signals; nothing unless given. */
  readonly signals?: readonly Partial<Sync>[];
}

const OPTIONS: readonly (keyof NouveauBindOptions)[] = ["async", "waits", "signals"];

const OPS_ADDR = 0x7000_0000_0000;
const WAITS_ADDR = 0x7100_0000_0000;
const SIGNALS_ADDR = 0x7200_0000_0000;

const RANGE = ["addr", "range"] as const;
/** What each operation has to give and may give, by the name in `op`. */
export const BIND_FORMS: BindForms<VmBindOp, NouveauOp["op"]> = {
  map: { sets: { op: VM_BIND_OP_MAP }, needs: ["handle", ...RANGE], takes: ["boOffset", "flags"] },
  unmap: { sets: { op: VM_BIND_OP_UNMAP }, needs: RANGE, takes: [] },
  "map-sparse": { sets: { op: VM_BIND_OP_MAP, flags: VM_BIND_SPARSE }, needs: RANGE, takes: [] },
  "unmap-sparse": { sets: { op: VM_BIND_OP_UNMAP, flags: VM_BIND_SPARSE }, needs: RANGE, takes: [] },
};

/**
 * The ioctl that {@link vmBind} issues, for operations that are data: from a file, from an editor.
 *
 * @param ops - the operations; what they are is checked here
 * @param options - see {@link NouveauBindOptions}
 * @throws `EncodeError` as {@link vmBind} does
 */
export function encodeVmBind(ops: readonly NamedBindOp[], options: NouveauBindOptions = {}): IoctlCall {
  needMembers("options", options, OPTIONS);
  const { waits = [], signals = [] } = options;
  const buffers: UserBuffer[] = [{ addr: OPS_ADDR, bytes: encodeBindOps(VM_BIND_OP, BIND_FORMS, ops) }];
  const waitBytes = encodeArray("waits", SYNC, waits);
  if (waitBytes.length > 0) buffers.push({ addr: WAITS_ADDR, bytes: waitBytes });
  const signalBytes = encodeArray("signals", SYNC, signals);
  if (signalBytes.length > 0) buffers.push({ addr: SIGNALS_ADDR, bytes: signalBytes });
  const arg = VM_BIND.encode({
    opCount: ops.length,
    flags: options.async ? VM_BIND_RUN_ASYNC : 0,
    waitCount: waits.length,
    sigCount: signals.length,
    waitPtr: waits.length > 0 ? WAITS_ADDR : 0,
    sigPtr: signals.length > 0 ? SIGNALS_ADDR : 0,
    opPtr: OPS_ADDR,
  });
  return { name: "NOUVEAU_VM_BIND", request: IOCTL_VM_BIND, arg, buffers };
}

/**
 * VM_BIND by objects: encode, issue, and say what came of it.
 *
 * @param file - the open file, after VM_INIT
 * @param ops - the operations: all are done, or none
 * @param options - see {@link NouveauBindOptions}
 * @returns errno, reason, and index of the operation that failed
 * @throws `EncodeError` for a member that is missing, unknown or does not fit: `ops[5].addr: ...`; nothing was issued then
 */
export function vmBind(
  file: NouveauFile,
  ops: readonly NouveauOp[],
  options: NouveauBindOptions = {},
): BindResult {
  return issueBind(file, encodeVmBind(ops, options), "ops");
}
