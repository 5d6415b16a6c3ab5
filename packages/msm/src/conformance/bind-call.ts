/**
 * A VM_BIND as a vector writes it, as bytes.
 *
 * @module
 */

import type { UserBuffer } from "@vmbind/drm";
import * as uapi from "../uapi.ts";

type Json = Record<string, unknown>;

/** Kind, handle, object offset, iova, range, flags, and perhaps what stands in `pad`. */
export type VectorOp = readonly [string, number, string, string, string, number, number?];

const OPS_ADDRESS = 0x700000000000;
const SYNCS_ADDRESS = 0x710000000000;
const KINDS: Readonly<Record<string, number>> = {
  unmap: uapi.OP_UNMAP,
  map: uapi.OP_MAP,
  null: uapi.OP_MAP_NULL,
};

/** Argument and memory of a VM_BIND. */
export interface BindCall {
  /** The argument. */
  readonly arg: Uint8Array;
  /** What it points to. */
  readonly buffers: readonly UserBuffer[];
}

/**
 * @param op - what the vector says of the call
 * @param ops - its operations
 */
export function bindCall(op: Json, ops: readonly VectorOp[]): BindCall {
  const layout = uapi.VM_BIND_OP;
  const bytes = new Uint8Array(ops.length * layout.size);
  const view = new DataView(bytes.buffer);
  for (const [i, json] of ops.entries()) writeOp(view, i * layout.size, json);
  const nrOps = (op["nr"] as number | undefined) ?? ops.length;
  const ins = syncArray(op["ins"]);
  const outs = syncArray(op["outs"]);
  const outsAddress = SYNCS_ADDRESS + ins.length;
  const arg = uapi.VM_BIND.encode({
    flags: op["flags"] as number,
    nrOps,
    fenceFd: ((op["fence_fd"] as number | undefined) ?? -1) >>> 0,
    queueId: op["queue"] as number,
    inSyncobjs: (op["in_ptr"] as number | undefined) ?? (ins.length > 0 ? SYNCS_ADDRESS : 0),
    outSyncobjs: (op["out_ptr"] as number | undefined) ?? (outs.length > 0 ? outsAddress : 0),
    nrInSyncobjs: (op["nin"] as number | undefined) ?? ins.length / uapi.SYNCOBJ.size,
    nrOutSyncobjs: (op["nout"] as number | undefined) ?? outs.length / uapi.SYNCOBJ.size,
    syncobjStride: uapi.SYNCOBJ.size,
    opStride: layout.size,
  });
  const at = uapi.VM_BIND.fields.op.offset;
  if (nrOps === 1) arg.set(bytes.subarray(0, layout.size), at);
  else uapi.VM_BIND_OPS_UNION.fields.ops.write(new DataView(arg.buffer), at, OPS_ADDRESS);
  const readable = (op["readable"] as number | undefined) ?? ops.length;
  return {
    arg,
    buffers: [
      { addr: OPS_ADDRESS, bytes: bytes.slice(0, readable * layout.size) },
      { addr: SYNCS_ADDRESS, bytes: ins },
      { addr: outsAddress, bytes: outs },
    ],
  };
}

function writeOp(view: DataView, at: number, json: VectorOp): void {
  const [kind, handle, objOffset, iova, range, flags, pad = 0] = json;
  const op = KINDS[kind] ?? Number(kind.slice(2));
  uapi.VM_BIND_OP.write(view, at, { op, handle, flags, pad });
  // As the vector has them, to the last bit: no number holds all of them.
  for (const [field, value] of [
    [uapi.VM_BIND_OP.fields.objOffset, objOffset],
    [uapi.VM_BIND_OP.fields.iova, iova],
    [uapi.VM_BIND_OP.fields.range, range],
  ] as const) {
    view.setBigUint64(at + field.offset, BigInt(value), true);
  }
}

function syncArray(json: unknown): Uint8Array<ArrayBuffer> {
  const syncs = (json as [number, number, number][] | undefined) ?? [];
  const bytes = new Uint8Array(syncs.length * uapi.SYNCOBJ.size);
  for (const [i, [handle, flags, point]] of syncs.entries()) {
    uapi.SYNCOBJ.write(new DataView(bytes.buffer), i * uapi.SYNCOBJ.size, { handle, flags, point });
  }
  return bytes;
}
