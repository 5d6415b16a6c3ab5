/**
 * GEM_VA by operations as objects, in the terms of `drm_amdgpu_gem_va` (`amdgpu_drm.h`, Linux 7.3-rc7).
 *
 * | `op` | operation and flags in the struct |
 * |---|---|
 * | `map`, `replace`, `unmap` | `VA_OP_MAP`, `VA_OP_REPLACE`, `VA_OP_UNMAP`, of an object: readable, writeable, executable unless other flags are given |
 * | `map-prt`, `replace-prt`, `unmap-prt` | the same with `VM_PAGE_PRT`, without an object |
 * | `clear` | `VA_OP_CLEAR` |
 *
 * An ioctl takes one operation: as many are issued as there are operations, up to the first that fails.
 *
 * @module
 */

import {
  type BindForms,
  type BindResult,
  encodeBindOps,
  type IoctlCall,
  issueBindEach,
  type NamedBindOp,
} from "@vmbind/drm";
import type { AmdgpuFile } from "./file.ts";
import {
  GEM_VA,
  type GemVa,
  IOCTL_GEM_VA_RW,
  VA_OP_CLEAR,
  VA_OP_MAP,
  VA_OP_REPLACE,
  VA_OP_UNMAP,
  VM_PAGE_EXECUTABLE,
  VM_PAGE_PRT,
  VM_PAGE_READABLE,
  VM_PAGE_WRITEABLE,
} from "./uapi.ts";

/** The VA range of an operation. */
export interface AmdgpuRange {
  /** First VA in bytes, a multiple of 4096; in the upper half sign-extended to 64 bits. */
  readonly vaAddress: number;
  /** Bytes, a multiple of 4096. */
  readonly mapSize: number;
  /** `VM_*`, beside those that the operation has. */
  readonly flags?: number;
}

/** Map a part of an object; `replace` over whatever is there; `unmap` takes such a mapping away. */
export interface AmdgpuObjectOp extends AmdgpuRange {
  /** Which operation. */
  readonly op: "map" | "replace" | "unmap";
  /** GEM handle. */
  readonly handle: number;
  /** Byte offset into the object, 0 unless given. */
  readonly offsetInBo?: number;
}

/** The same of a range without memory (partially resident textures), or clear a range of whatever is mapped there. */
export interface AmdgpuRangeOp extends AmdgpuRange {
  /** Which operation. */
  readonly op: "map-prt" | "replace-prt" | "unmap-prt" | "clear";
}

/** An operation of amdgpu's GEM_VA. */
export type AmdgpuOp = AmdgpuObjectOp | AmdgpuRangeOp;

const RWX: number = VM_PAGE_READABLE | VM_PAGE_WRITEABLE | VM_PAGE_EXECUTABLE;

const OF_OBJECT = {
  flags: RWX,
  needs: ["handle", "vaAddress", "mapSize"],
  takes: ["offsetInBo", "flags"],
} as const;
const OF_RANGE = { needs: ["vaAddress", "mapSize"], takes: ["flags"] } as const;

/** What each operation has to give and may give, by the name in `op`. */
export const BIND_FORMS: BindForms<GemVa, AmdgpuOp["op"]> = {
  map: { sets: { operation: VA_OP_MAP }, ...OF_OBJECT },
  replace: { sets: { operation: VA_OP_REPLACE }, ...OF_OBJECT },
  unmap: { sets: { operation: VA_OP_UNMAP }, ...OF_OBJECT },
  "map-prt": { sets: { operation: VA_OP_MAP, flags: VM_PAGE_PRT }, ...OF_RANGE },
  "replace-prt": { sets: { operation: VA_OP_REPLACE, flags: VM_PAGE_PRT }, ...OF_RANGE },
  "unmap-prt": { sets: { operation: VA_OP_UNMAP, flags: VM_PAGE_PRT }, ...OF_RANGE },
  clear: { sets: { operation: VA_OP_CLEAR }, ...OF_RANGE },
};

/**
 * The ioctls that {@link vmBind} issues, one for each operation, for operations that are data: from a file, from an editor.
 *
 * @param ops - the operations; what they are is checked here
 * @throws `EncodeError` as {@link vmBind} does
 */
export function encodeVmBind(ops: readonly NamedBindOp[]): IoctlCall[] {
  const bytes = encodeBindOps(GEM_VA, BIND_FORMS, ops);
  return ops.map((_op, i): IoctlCall => {
    const arg = bytes.slice(i * GEM_VA.size, (i + 1) * GEM_VA.size);
    return { name: "AMDGPU_GEM_VA", request: IOCTL_GEM_VA_RW, arg, buffers: [] };
  });
}

/**
 * GEM_VA by objects: encode, issue one ioctl for each, and say what came of it.
 *
 * @param file - the open file, which is an address space
 * @param ops - the operations; those before one that fails are done
 * @returns errno, reason, and index of the operation that failed
 * @throws `EncodeError` for a member that is missing, unknown or does not fit: `ops[5].vaAddress: ...`; nothing was issued then
 */
export function vmBind(file: AmdgpuFile, ops: readonly AmdgpuOp[]): BindResult {
  return issueBindEach(file, encodeVmBind(ops));
}
