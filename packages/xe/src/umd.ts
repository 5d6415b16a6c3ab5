/**
 * What anv of Mesa 26.2 does with this uAPI for sparse resources.
 *
 * The GPU has null pages, so an unbound block needs nothing behind it: one NULL bind over the whole resource when it is
 * made, NULL again where memory is taken away, one UNMAP when it is destroyed. Creating and destroying go to the VM's
 * default queue without syncs. A vkQueueBindSparse is one ioctl on the queue's own bind queue, however many operations it
 * has, and signals one binary syncobj.
 *
 * Everything is in blocks of 64 KiB. Neighbouring operations are joined when addresses and memory offsets (or both nulls)
 * continue.
 *
 * @module
 */

import {
  hex,
  type IoctlCall,
  type SparseBind,
  type SparseUmd,
  size as sizeInWords,
  type UserBuffer,
} from "@vmbind/drm";
import {
  IOCTL_VM_BIND,
  SYNC,
  SYNC_FLAG_SIGNAL,
  SYNC_TYPE_SYNCOBJ,
  VM_BIND,
  VM_BIND_FLAG_NULL,
  VM_BIND_OP,
  VM_BIND_OP_MAP,
  VM_BIND_OP_UNMAP,
  VM_BIND_VECTOR,
  type VmBindOp,
} from "./uapi.ts";

/** Bytes of a sparse block of anv (Mesa 26.2): alignment and granularity of every sparse resource. */
export const ANV_BLOCK_BYTES = 0x1_0000;

/** What anv (Mesa 26.2) maps NULL when a device is made, and maps its own objects over; in the recordings of three GPUs the same. */
const OWN_NULL_START = 0x4_4000_0000;
const OWN_NULL_BYTES: number = 2 ** 33;

/**
 * Whether a range lies where anv maps NULL for itself, not for an application's resource.
 *
 * @param addr - first VA in bytes
 * @param range - bytes
 */
export function isAnvOwnNull(addr: number, range: number): boolean {
  return addr >= OWN_NULL_START && addr + range <= OWN_NULL_START + OWN_NULL_BYTES;
}

const ADDRESS_SPACE = 2 ** 48;
const VECTOR_ADDR = 0x7000_0000_0000;
const SYNCS_ADDR = 0x7100_0000_0000;

/** What an {@link AnvUmd} needs to know; every field has a default. */
export interface AnvOptions {
  /** VM id. Default 1. */
  vmId?: number;
  /** Bind queue of vkQueueBindSparse. Default 0, the VM's own. */
  execQueueId?: number;
  /** Binary syncobj that a queue bind signals. Default 0: none. */
  fence?: number;
  /** PAT index of memory; anv picks it by object. Default 1. */
  patIndex?: number;
  /** Bytes that binds are made of: pages of the kernel where binds are somebody else's. Default {@link ANV_BLOCK_BYTES}. */
  bindBytes?: number;
  /** User address of the operation arrays. Default: where the recorded traces have them. */
  opsAddr?: number;
  /** User address of the sync arrays, likewise. */
  syncsAddr?: number;
}

type Op = Pick<VmBindOp, "op" | "flags" | "obj" | "objOffset" | "addr" | "range" | "patIndex">;

/** Sparse resources as anv handles them. */
export class AnvUmd implements SparseUmd {
  readonly #vmId: number;
  readonly #execQueueId: number;
  readonly #fence: number;
  readonly #patIndex: number;
  readonly #bindBytes: number;
  readonly #opsAddr: number;
  readonly #syncsAddr: number;

  /** @param options - see {@link AnvOptions} */
  constructor(options: AnvOptions = {}) {
    this.#vmId = options.vmId ?? 1;
    this.#execQueueId = options.execQueueId ?? 0;
    this.#fence = options.fence ?? 0;
    this.#patIndex = options.patIndex ?? 1;
    this.#bindBytes = options.bindBytes ?? ANV_BLOCK_BYTES;
    this.#opsAddr = options.opsAddr ?? VECTOR_ADDR;
    this.#syncsAddr = options.syncsAddr ?? SYNCS_ADDR;
  }

  /**
   * Create a sparse resource: one NULL bind.
   *
   * @param va - its address in bytes, a multiple of 64 KiB
   * @param size - bytes, rounded up to 64 KiB
   */
  create(va: number, size: number): IoctlCall[] {
    return [this.#call([nullOp(va, roundUp(size))], 0, 0)];
  }

  /**
   * One vkQueueBindSparse: one ioctl, whatever it holds.
   *
   * @param va - address of the resource in bytes
   * @param resourceSize - bytes
   * @param binds - elements in the order of the application; the last block of the resource may be cut short
   * @throws RangeError for an element that is not made of whole blocks
   */
  bind(va: number, resourceSize: number, binds: readonly SparseBind[]): IoctlCall[] {
    const ops: Op[] = [];
    for (const bind of binds) {
      const op = this.#bindOp(va, resourceSize, bind);
      const last = ops.at(-1);
      if (last !== undefined && continues(last, op)) last.range += op.range;
      else ops.push(op);
    }
    return [this.#call(ops, this.#execQueueId, this.#fence)];
  }

  /**
   * Destroy a sparse resource: one UNMAP, whatever is bound.
   *
   * @param va - its address in bytes
   * @param size - bytes, rounded up to 64 KiB
   */
  destroy(va: number, size: number): IoctlCall[] {
    const op = { ...nullOp(va, roundUp(size)), op: VM_BIND_OP_UNMAP, flags: 0 };
    return [this.#call([op], 0, 0)];
  }

  #bindOp(va: number, resourceSize: number, bind: SparseBind): Op {
    const { resourceOffset, size, memory } = bind;
    const end = resourceOffset + size;
    const block = this.#bindBytes;
    const wholeEnd = end % block === 0 || end === resourceSize;
    if (resourceOffset % block !== 0 || !wholeEnd || size <= 0 || end > roundUp(resourceSize)) {
      throw new RangeError(
        `sparse bind: [${hex(resourceOffset)}, +${hex(size)}) is not made of whole ${sizeInWords(block)} blocks of a resource of ${hex(resourceSize)} bytes`,
      );
    }
    const last = Math.ceil(end / block) * block;
    const op = nullOp(va + resourceOffset, last - resourceOffset);
    if (memory === null) return op;
    return { ...op, flags: 0, obj: memory.handle, objOffset: memory.offset, patIndex: this.#patIndex };
  }

  #call(ops: readonly Op[], execQueueId: number, fence: number): IoctlCall {
    const buffers: UserBuffer[] = [];
    const arg = VM_BIND.encode({
      vmId: this.#vmId,
      execQueueId,
      numBinds: ops.length,
      numSyncs: fence === 0 ? 0 : 1,
      syncs: this.#syncsAddr,
    });
    const view = new DataView(arg.buffer);
    const at = VM_BIND.fields.bind.offset;
    if (ops.length === 1) VM_BIND_OP.write(view, at, ops[0] as Op);
    else if (ops.length > 1) {
      VM_BIND_VECTOR.write(view, at, { vectorOfBinds: this.#opsAddr });
      const bytes = new Uint8Array(ops.length * VM_BIND_OP.size);
      const vector = new DataView(bytes.buffer);
      ops.forEach((op, i) => {
        VM_BIND_OP.write(vector, i * VM_BIND_OP.size, op);
      });
      buffers.push({ addr: this.#opsAddr, bytes });
    }
    if (fence !== 0) {
      const sync = { type: SYNC_TYPE_SYNCOBJ, flags: SYNC_FLAG_SIGNAL, addr: fence };
      buffers.push({ addr: this.#syncsAddr, bytes: SYNC.encode(sync) });
    }
    return { name: "XE_VM_BIND", request: IOCTL_VM_BIND, arg, buffers };
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / ANV_BLOCK_BYTES) * ANV_BLOCK_BYTES;
}

function nullOp(addr: number, range: number): Op {
  const va = addr % ADDRESS_SPACE;
  return { op: VM_BIND_OP_MAP, flags: VM_BIND_FLAG_NULL, obj: 0, objOffset: 0, addr: va, range, patIndex: 0 };
}

/** The second operation goes on where the first ends. Offsets of nulls are not compared. */
function continues(a: Op, b: Op): boolean {
  if (a.flags !== b.flags || a.obj !== b.obj || a.addr + a.range !== b.addr) return false;
  return (a.flags & VM_BIND_FLAG_NULL) !== 0 || a.objOffset + a.range === b.objOffset;
}
