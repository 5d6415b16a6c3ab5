/**
 * VM_BIND by operations as objects, in the terms of `drm_xe_vm_bind_op` (`xe_drm.h`, Linux 7.3-rc7).
 *
 * | `op` | op and flags in the struct |
 * |---|---|
 * | `map` | `VM_BIND_OP_MAP` |
 * | `map-null` | `VM_BIND_OP_MAP` with `VM_BIND_FLAG_NULL` |
 * | `map-userptr` | `VM_BIND_OP_MAP_USERPTR`; `objOffset` is the user address, as in the struct's union |
 * | `map-cpu-addr-mirror` | `VM_BIND_OP_MAP` with `VM_BIND_FLAG_CPU_ADDR_MIRROR` |
 * | `unmap`, `unmap-all` | `VM_BIND_OP_UNMAP`, `VM_BIND_OP_UNMAP_ALL` |
 * | `prefetch` | `VM_BIND_OP_PREFETCH` |
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
import type { XeFile } from "./file.ts";
import {
  IOCTL_VM_BIND,
  SYNC,
  SYNC_TYPE_USER_FENCE,
  type Sync,
  VM_BIND,
  VM_BIND_FLAG_CPU_ADDR_MIRROR,
  VM_BIND_FLAG_NULL,
  VM_BIND_OP,
  VM_BIND_OP_MAP,
  VM_BIND_OP_MAP_USERPTR,
  VM_BIND_OP_PREFETCH,
  VM_BIND_OP_UNMAP,
  VM_BIND_OP_UNMAP_ALL,
  VM_BIND_VECTOR,
  type VmBindOp,
} from "./uapi.ts";

/** The VA range of an operation, and its flags. */
export interface XeRange {
  /** GPU address in bytes, a multiple of 4096. */
  readonly addr: number;
  /** Bytes, a multiple of 4096. */
  readonly range: number;
  /** `VM_BIND_FLAG_*`, beside those that the operation has; 0 unless given. */
  readonly flags?: number;
}

/** Map a part of an object. */
export interface XeMap extends XeRange {
  /** Which operation. */
  readonly op: "map";
  /** GEM handle. */
  readonly obj: number;
  /** Byte offset into the object, 0 unless given. */
  readonly objOffset?: number;
  /** Index into the platform's PAT table, 0 unless given. */
  readonly patIndex?: number;
}

/** Map null pages (`map-null`), or what the CPU has at the same addresses (`map-cpu-addr-mirror`, in fault mode). */
export interface XeMapNothing extends XeRange {
  /** Which operation. */
  readonly op: "map-null" | "map-cpu-addr-mirror";
  /** Index into the platform's PAT table, 0 unless given. */
  readonly patIndex?: number;
}

/** Map memory of the process. */
export interface XeMapUserptr extends XeRange {
  /** Which operation. */
  readonly op: "map-userptr";
  /** User address in bytes. */
  readonly objOffset: number;
  /** Index into the platform's PAT table, 0 unless given. */
  readonly patIndex?: number;
}

/** Unmap a range. */
export interface XeUnmap extends XeRange {
  /** Which operation. */
  readonly op: "unmap";
}

/** Unmap every mapping of an object in the VM. */
export interface XeUnmapAll {
  /** Which operation. */
  readonly op: "unmap-all";
  /** GEM handle. */
  readonly obj: number;
  /** `VM_BIND_FLAG_*`, 0 unless given. */
  readonly flags?: number;
}

/** Bring the memory of a range somewhere. */
export interface XePrefetch extends XeRange {
  /** Which operation. */
  readonly op: "prefetch";
  /** Instance of the memory region. */
  readonly prefetchMemRegionInstance: number;
}

/** An operation of Xe's VM_BIND. */
export type XeOp = XeMap | XeMapNothing | XeMapUserptr | XeUnmap | XeUnmapAll | XePrefetch;

/** What a call says beside its operations. */
export interface XeBindOptions {
  /** VM id, 1 unless given: that of the first VM of a file. */
  readonly vmId?: number;
  /** Bind queue, 0 (unless given) for the VM's own. */
  readonly execQueueId?: number;
  /**
   * What the call waits for and signals; none unless given. The u64 of a user fence is memory of the call: its bytes are a buffer
   * at `addr`, behind the arrays, and have the value once everything is bound.
   */
  readonly syncs?: readonly Partial<Sync>[];
}

const OPTIONS: readonly (keyof XeBindOptions)[] = ["vmId", "execQueueId", "syncs"];

const VECTOR_ADDR = 0x7000_0000_0000;
const SYNCS_ADDR = 0x7100_0000_0000;
const USER_FENCE_BYTES = 8;

/** What each operation has to give and may give, by the name in `op`. */
export const BIND_FORMS: BindForms<VmBindOp, XeOp["op"]> = {
  map: {
    sets: { op: VM_BIND_OP_MAP },
    needs: ["obj", "addr", "range"],
    takes: ["objOffset", "patIndex", "flags"],
  },
  "map-null": {
    sets: { op: VM_BIND_OP_MAP, flags: VM_BIND_FLAG_NULL },
    needs: ["addr", "range"],
    takes: ["patIndex", "flags"],
  },
  "map-cpu-addr-mirror": {
    sets: { op: VM_BIND_OP_MAP, flags: VM_BIND_FLAG_CPU_ADDR_MIRROR },
    needs: ["addr", "range"],
    takes: ["patIndex", "flags"],
  },
  "map-userptr": {
    sets: { op: VM_BIND_OP_MAP_USERPTR },
    needs: ["objOffset", "addr", "range"],
    takes: ["patIndex", "flags"],
  },
  unmap: { sets: { op: VM_BIND_OP_UNMAP }, needs: ["addr", "range"], takes: ["flags"] },
  "unmap-all": { sets: { op: VM_BIND_OP_UNMAP_ALL }, needs: ["obj"], takes: ["flags"] },
  prefetch: {
    sets: { op: VM_BIND_OP_PREFETCH },
    needs: ["addr", "range", "prefetchMemRegionInstance"],
    takes: ["flags"],
  },
};

/**
 * The ioctl that {@link vmBind} issues, for operations that are data: from a file, from an editor.
 *
 * @param ops - the operations; what they are is checked here
 * @param options - see {@link XeBindOptions}
 * @throws `EncodeError` as {@link vmBind} does
 */
export function encodeVmBind(ops: readonly NamedBindOp[], options: XeBindOptions = {}): IoctlCall {
  needMembers("options", options, OPTIONS);
  const bytes = encodeBindOps(VM_BIND_OP, BIND_FORMS, ops);
  const { vmId = 1, execQueueId = 0, syncs = [] } = options;
  const buffers: UserBuffer[] = [];
  if (ops.length > 1) buffers.push({ addr: VECTOR_ADDR, bytes });
  const encoded = encodeArray("syncs", SYNC, syncs);
  if (encoded.length > 0) buffers.push({ addr: SYNCS_ADDR, bytes: encoded });
  for (const { type, addr = 0 } of syncs) {
    if (type === SYNC_TYPE_USER_FENCE && addr > 0)
      buffers.push({ addr, bytes: new Uint8Array(USER_FENCE_BYTES) });
  }
  const arg = VM_BIND.encode({
    vmId,
    execQueueId,
    numBinds: ops.length,
    numSyncs: syncs.length,
    syncs: syncs.length > 0 ? SYNCS_ADDR : 0,
  });
  const at = VM_BIND.fields.bind.offset;
  if (ops.length === 1) arg.set(bytes, at);
  else if (ops.length > 1) VM_BIND_VECTOR.write(viewOf(arg), at, { vectorOfBinds: VECTOR_ADDR });
  return { name: "XE_VM_BIND", request: IOCTL_VM_BIND, arg, buffers };
}

/**
 * VM_BIND by objects: encode, issue, and say what came of it.
 *
 * @param file - the open file
 * @param ops - the operations: all are done, or none
 * @param options - see {@link XeBindOptions}
 * @returns errno, reason, and index of the operation that failed
 * @throws `EncodeError` for a member that is missing, unknown or does not fit: `ops[5].addr: ...`; nothing was issued then
 */
export function vmBind(file: XeFile, ops: readonly XeOp[], options: XeBindOptions = {}): BindResult {
  return issueBind(file, encodeVmBind(ops, options), "vector_of_binds", "bind");
}
