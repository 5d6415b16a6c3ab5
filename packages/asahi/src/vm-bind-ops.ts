/**
 * VM_BIND by operations as objects, in the terms of `drm_asahi_gem_bind_op` (`asahi_drm.h`, Linux 7.3-rc7).
 *
 * | `op` | flags in the struct |
 * |---|---|
 * | `bind` | `BIND_READ` and `BIND_WRITE` unless others are given |
 * | `bind-single-page` | the same, and `BIND_SINGLE_PAGE` |
 * | `unbind` | `BIND_UNBIND` |
 *
 * @module
 */

import {
  type BindForms,
  type BindResult,
  encodeBindOps,
  type IoctlCall,
  issueBind,
  type NamedBindOp,
  needMembers,
} from "@vmbind/drm";
import type { AsahiFile } from "./file.ts";
import {
  BIND_READ,
  BIND_SINGLE_PAGE,
  BIND_UNBIND,
  BIND_WRITE,
  GEM_BIND_OP,
  type GemBindOp,
  IOCTL_VM_BIND,
  VM_BIND,
} from "./uapi.ts";

/** The VA range of an operation. */
export interface AsahiRange {
  /** First VA in bytes, a multiple of 16 KiB. */
  readonly addr: number;
  /** Bytes, a multiple of 16 KiB. */
  readonly range: number;
}

/** Bind a part of an object, or (`bind-single-page`) one page of it over and over. */
export interface AsahiBind extends AsahiRange {
  /** Which operation. */
  readonly op: "bind" | "bind-single-page";
  /** GEM handle. */
  readonly handle: number;
  /** Byte offset into the object, or of the page; 0 unless given. */
  readonly offset?: number;
  /** `BIND_READ`, `BIND_WRITE`; both unless given. */
  readonly flags?: number;
}

/** Unbind a range. */
export interface AsahiUnbind extends AsahiRange {
  /** Which operation. */
  readonly op: "unbind";
}

/** An operation of Asahi's VM_BIND. */
export type AsahiOp = AsahiBind | AsahiUnbind;

/** What a call says beside its operations. */
export interface AsahiBindOptions {
  /** VM id, 1 unless given: that of the first VM of a file. */
  readonly vmId?: number;
}

const OPTIONS: readonly (keyof AsahiBindOptions)[] = ["vmId"];

const OPS_ADDR = 0x7000_0000_0000;
const READ_WRITE: number = BIND_READ | BIND_WRITE;

/** What each operation has to give and may give, by the name in `op`. */
export const BIND_FORMS: BindForms<GemBindOp, AsahiOp["op"]> = {
  bind: { sets: {}, flags: READ_WRITE, needs: ["handle", "addr", "range"], takes: ["offset", "flags"] },
  "bind-single-page": {
    sets: { flags: BIND_SINGLE_PAGE },
    flags: READ_WRITE,
    needs: ["handle", "addr", "range"],
    takes: ["offset", "flags"],
  },
  unbind: { sets: { flags: BIND_UNBIND }, needs: ["addr", "range"], takes: [] },
};

/**
 * The ioctl that {@link vmBind} issues, for operations that are data: from a file, from an editor.
 *
 * @param ops - the operations; what they are is checked here
 * @param options - see {@link AsahiBindOptions}
 * @throws `EncodeError` as {@link vmBind} does
 */
export function encodeVmBind(ops: readonly NamedBindOp[], options: AsahiBindOptions = {}): IoctlCall {
  needMembers("options", options, OPTIONS);
  const bytes = encodeBindOps(GEM_BIND_OP, BIND_FORMS, ops);
  const arg = VM_BIND.encode({
    vmId: options.vmId ?? 1,
    numBinds: ops.length,
    stride: GEM_BIND_OP.size,
    userptr: OPS_ADDR,
  });
  const buffers = [{ addr: OPS_ADDR, bytes }];
  return { name: "ASAHI_VM_BIND", request: IOCTL_VM_BIND, arg, buffers };
}

/**
 * VM_BIND by objects: encode, issue, and say what came of it.
 *
 * @param file - the open file
 * @param ops - the operations; the call stops at the first that fails and keeps those before it
 * @param options - see {@link AsahiBindOptions}
 * @returns errno, reason, and index of the operation that failed
 * @throws `EncodeError` for a member that is missing, unknown or does not fit: `ops[5].addr: ...`; nothing was issued then
 */
export function vmBind(file: AsahiFile, ops: readonly AsahiOp[], options: AsahiBindOptions = {}): BindResult {
  return issueBind(file, encodeVmBind(ops, options), "binds");
}
