/**
 * What turnip of Mesa 26.2.6 does with this uAPI for sparse resources.
 *
 * A new resource is one MAP_NULL of the whole of it, a destroyed one is one UNMAP. Both go to a queue of turnip's own, wait for nothing
 * and hand out a sync file; the latest one stands for all before it, and every queue bind waits for it. A vkQueueBindSparse is
 * one ioctl, however many operations it has: a MAP for what is bound, a MAP_NULL for what is unbound, in the order of addresses,
 * and never joined with a neighbour. It signals the application's fence and a timeline of the queue. An array for which the kernel has no
 * memory is sent again one operation at a time.
 *
 * Tiles of images fall apart into pieces first; see `image-tiles.ts`.
 *
 * @module
 */

import {
  type ImageBind,
  type ImageLayout,
  type IoctlCall,
  type SparseBind,
  type SparseUmd,
  type UserBuffer,
  viewOf,
} from "@vmbind/drm";
import { piecesOf } from "./image-tiles.ts";
import {
  IOCTL_VM_BIND,
  OP_MAP,
  OP_MAP_NULL,
  OP_UNMAP,
  SYNCOBJ,
  VM_BIND,
  VM_BIND_FENCE_FD_IN,
  VM_BIND_FENCE_FD_OUT,
  VM_BIND_OP,
  VM_BIND_OPS_UNION,
  type VmBindOp,
} from "./uapi.ts";

export { imageLayout } from "./image-tiles.ts";

/** Alignment and granularity of sparse buffers, in bytes. */
export const TURNIP_BLOCK_BYTES = 4096;

const OPS_ADDR = 0x7000_0000_0000;
const SYNCS_ADDR = 0x7100_0000_0000;
const NO_BYTES: Uint8Array = new Uint8Array(0);

/** What a {@link TurnipUmd} needs to know; every member has a default. */
export interface TurnipOptions {
  /** Queue of what the device does by itself. Default 1. */
  ownQueueId?: number;
  /** Queue of vkQueueBindSparse. Default 3: the queue for submits was made between the two. */
  queueId?: number;
  /** Binary syncobj that a queue bind signals for the application, 0 for none. Default 0. */
  fence?: number;
  /** Timeline syncobj that each queue bind moves on by 1, 0 for none. Default 0. */
  timeline?: number;
  /** User address of the operation arrays. Default: where the recorded traces have them. */
  opsAddr?: number;
  /** User address of the sync arrays, likewise. */
  syncsAddr?: number;
}

type Op = Pick<VmBindOp, "op" | "handle" | "objOffset" | "iova" | "range" | "flags">;

/** Sparse resources as turnip handles them. */
export class TurnipUmd implements SparseUmd {
  readonly #ownQueueId: number;
  readonly #queueId: number;
  readonly #fence: number;
  readonly #timeline: number;
  readonly #opsAddr: number;
  readonly #syncsAddr: number;
  /** The argument of the last call on the own queue: the kernel writes its sync file there. */
  #lastOwn: Uint8Array | null = null;
  #point = 0;

  /** @param options - see {@link TurnipOptions} */
  constructor(options: TurnipOptions = {}) {
    this.#ownQueueId = options.ownQueueId ?? 1;
    this.#queueId = options.queueId ?? 3;
    this.#fence = options.fence ?? 0;
    this.#timeline = options.timeline ?? 0;
    this.#opsAddr = options.opsAddr ?? OPS_ADDR;
    this.#syncsAddr = options.syncsAddr ?? SYNCS_ADDR;
  }

  /** See `SparseUmd.create`: one MAP_NULL. */
  create(va: number, size: number): IoctlCall[] {
    return [this.#own(nullOp(va, roundUp(size)))];
  }

  /** See `SparseUmd.destroy`: one UNMAP, whatever lies in the range. */
  destroy(va: number, size: number): IoctlCall[] {
    return [this.#own({ ...nullOp(va, roundUp(size)), op: OP_UNMAP })];
  }

  /**
   * Map an object as a whole, as turnip does with all memory that it allocates.
   *
   * @param va - address in bytes
   * @param size - bytes
   * @param handle - GEM handle
   * @param flags - `OP_DUMP` for objects of its own, 0 unless given
   * @param offset - byte of the object to begin with, 0 unless given
   */
  mapObject(va: number, size: number, handle: number, flags = 0, offset = 0): IoctlCall {
    return this.#own({ op: OP_MAP, handle, objOffset: offset, iova: va, range: roundUp(size), flags });
  }

  /**
   * Unmap an object, as turnip does before it closes the handle.
   *
   * @param va - address in bytes
   * @param size - bytes
   */
  unmapObject(va: number, size: number): IoctlCall {
    return this.#own({ ...nullOp(va, roundUp(size)), op: OP_UNMAP });
  }

  /**
   * See `SparseUmd.bind`.
   *
   * @throws RangeError for a bind that leaves the resource
   */
  bind(va: number, resourceSize: number, binds: readonly SparseBind[]): IoctlCall[] {
    const end = roundUp(resourceSize);
    const ops = binds.map(({ resourceOffset, size, memory }): Op => {
      if (!(resourceOffset >= 0 && resourceOffset + size <= end)) {
        throw new RangeError(
          `bind: [${resourceOffset}, +${size}) leaves a resource of ${resourceSize} bytes`,
        );
      }
      const op = nullOp(va + resourceOffset, roundUp(size));
      return memory === null ? op : { ...op, op: OP_MAP, handle: memory.handle, objOffset: memory.offset };
    });
    const sorted = ops.sort((a, b) => a.iova - b.iova);
    return [this.#queued(sorted, this.#lastFile, this.#signals())];
  }

  /**
   * One vkQueueBindSparse of an image.
   *
   * @param va - its address in bytes
   * @param layout - how it lies in memory
   * @param binds - elements in the order of the application
   * @throws RangeError for tiles outside the image
   */
  bindImage(va: number, layout: ImageLayout, binds: readonly ImageBind[]): IoctlCall[] {
    const pieces = binds.flatMap((bind) => piecesOf(layout, bind));
    return this.bind(va, Number.POSITIVE_INFINITY, pieces);
  }

  /**
   * What turnip sends once a queue bind was refused with ENOMEM: its operations one by one. Each waits as the whole did, the last one
   * signals.
   *
   * @param call - from {@link TurnipUmd.bind} or {@link TurnipUmd.bindImage}
   * @returns a call for each operation; nothing where there was one alone, for which turnip gives up
   */
  oneByOne({ arg, buffers }: IoctlCall): IoctlCall[] {
    const { fenceFd } = VM_BIND.read(viewOf(arg));
    const at = (wanted: number) => buffers.find(({ addr }) => addr === wanted)?.bytes ?? NO_BYTES;
    const view = viewOf(at(this.#opsAddr));
    const count = view.byteLength / VM_BIND_OP.size;
    return Array.from({ length: count }, (_, i) => {
      const op = VM_BIND_OP.read(view, i * VM_BIND_OP.size);
      return this.#queued([op], fenceFd, i === count - 1 ? at(this.#syncsAddr) : NO_BYTES);
    });
  }

  /** One operation on the queue of the device itself. */
  #own(op: Op): IoctlCall {
    const arg = VM_BIND.encode({
      flags: VM_BIND_FENCE_FD_OUT,
      nrOps: 1,
      queueId: this.#ownQueueId,
      opStride: VM_BIND_OP.size,
      op: { ...op, pad: 0 },
    });
    this.#lastOwn = arg;
    return { name: "MSM_VM_BIND", request: IOCTL_VM_BIND, arg, buffers: [] };
  }

  /** The sync file of the last call on the own queue, 0 before the first. */
  get #lastFile(): number {
    const arg = this.#lastOwn;
    return arg === null ? 0 : VM_BIND.read(new DataView(arg.buffer, arg.byteOffset)).fenceFd;
  }

  #queued(ops: readonly Op[], fenceFd: number, syncs: Uint8Array): IoctlCall {
    const buffers: UserBuffer[] = [];
    const bytes = new Uint8Array(ops.length * VM_BIND_OP.size);
    const view = new DataView(bytes.buffer);
    for (const [i, op] of ops.entries()) VM_BIND_OP.write(view, i * VM_BIND_OP.size, op);
    if (ops.length > 1) buffers.push({ addr: this.#opsAddr, bytes });
    if (syncs.length > 0) buffers.push({ addr: this.#syncsAddr, bytes: syncs });
    const count = syncs.length / SYNCOBJ.size;
    const arg = VM_BIND.encode({
      flags: fenceFd === 0 ? 0 : VM_BIND_FENCE_FD_IN,
      nrOps: ops.length,
      fenceFd,
      queueId: this.#queueId,
      outSyncobjs: count === 0 ? 0 : this.#syncsAddr,
      nrOutSyncobjs: count,
      syncobjStride: SYNCOBJ.size,
      opStride: VM_BIND_OP.size,
    });
    const at = VM_BIND.fields.op.offset;
    if (ops.length === 1) arg.set(bytes, at);
    else VM_BIND_OPS_UNION.fields.ops.write(new DataView(arg.buffer), at, this.#opsAddr);
    return { name: "MSM_VM_BIND", request: IOCTL_VM_BIND, arg, buffers };
  }

  #signals(): Uint8Array<ArrayBuffer> {
    const signals = [
      ...(this.#fence === 0 ? [] : [{ handle: this.#fence }]),
      ...(this.#timeline === 0 ? [] : [{ handle: this.#timeline, point: ++this.#point }]),
    ];
    const bytes = new Uint8Array(signals.length * SYNCOBJ.size);
    for (const [i, signal] of signals.entries()) {
      SYNCOBJ.write(new DataView(bytes.buffer), i * SYNCOBJ.size, signal);
    }
    return bytes;
  }
}

function nullOp(iova: number, range: number): Op {
  return { op: OP_MAP_NULL, handle: 0, objOffset: 0, iova, range, flags: 0 };
}

function roundUp(size: number): number {
  return Math.ceil(size / TURNIP_BLOCK_BYTES) * TURNIP_BLOCK_BYTES;
}
