/**
 * Submissions, as far as they bring page tables up to date: contexts, lists of objects, and CS (`amdgpu_ctx.c`,
 * `amdgpu_bo_list.c`, `amdgpu_cs.c`, Linux 7.3-rc7). No command is executed; the syncobjs of a submission are signalled at once.
 *
 * @module
 */

import {
  EINVAL,
  ENOENT,
  fail,
  HandleTable,
  hex,
  type Syncobjs,
  signaledFence,
  type UserSpace,
} from "@vmbind/drm";
import type { AmdgpuBo } from "./bo.ts";
import {
  BO_LIST_ENTRY,
  BO_LIST_OP_CREATE,
  BO_LIST_OP_DESTROY,
  BO_LIST_OP_UPDATE,
  type BoList,
  CHUNK_ID_BO_HANDLES,
  CHUNK_ID_IB,
  CHUNK_ID_SYNCOBJ_IN,
  CHUNK_ID_SYNCOBJ_OUT,
  CS_CHUNK,
  type Cs,
  type CsChunk,
  type Ctx,
} from "./uapi.ts";
import type { AmdgpuVm } from "./vm.ts";

/** Context operation: make one. */
const CTX_OP_ALLOC = 1;
/** Context operation: forget one. */
const CTX_OP_FREE = 2;
/** The last operation sets a power state, those between ask for something. */
const CTX_OP_SET_STABLE_PSTATE = 6;
/** The highest power state, `AMDGPU_CTX_STABLE_PSTATE_PEAK`. */
const STABLE_PSTATE_LAST = 4;
const CHUNK_ID_LAST = 10;
/** `drm_amdgpu_cs_chunk_ib` has 32 bytes. */
const IB_WORDS = 8;
/** The longest list that the driver takes. */
const LIST_ENTRIES_MAX = 128 * 1024;

/** What a submission needs of the open file; see `AmdgpuFile`. */
export interface SubmitFile {
  /** Its VM. */
  readonly space: AmdgpuVm;
  /** Its syncobjs. */
  readonly syncobjs: Syncobjs;
  /** An object by its handle, or undefined. */
  bo(handle: number): AmdgpuBo | undefined;
}

/** The contexts and lists of an open file. */
export class Submissions {
  readonly #file: SubmitFile;
  readonly #contexts: HandleTable<object> = new HandleTable();
  /** Each list holds a reference of its objects. */
  readonly #lists: HandleTable<readonly AmdgpuBo[]> = new HandleTable();
  #fences = 0;

  /** @param file - the open file */
  constructor(file: SubmitFile) {
    this.#file = file;
  }

  /**
   * CTX.
   *
   * @returns the id of a new context, 0 for other operations
   * @throws DrmError EINVAL
   */
  ctx({ op, flags, ctxId }: Ctx): number {
    if (op < CTX_OP_ALLOC || op > CTX_OP_SET_STABLE_PSTATE) fail(EINVAL, `ctx.op: ${op} is no operation`);
    if (flags > (op === CTX_OP_SET_STABLE_PSTATE ? STABLE_PSTATE_LAST : 0))
      fail(EINVAL, `ctx.flags: ${hex(flags)} is not for operation ${op}`);
    if (op === CTX_OP_ALLOC) return this.#contexts.alloc({});
    const known = op === CTX_OP_FREE ? this.#contexts.remove(ctxId) : this.#contexts.get(ctxId);
    if (known === undefined) fail(EINVAL, `ctx.ctx_id: ${ctxId} is not a context of this file`);
    return 0;
  }

  /** Whether an id is that of a context. */
  hasContext(id: number): boolean {
    return this.#contexts.get(id) !== undefined;
  }

  /** How many submissions there were: the number of the newest one's fence. */
  get fences(): number {
    return this.#fences;
  }

  /**
   * BO_LIST.
   *
   * @returns the handle of a new list, 0 for other operations
   * @throws DrmError EINVAL, ENOENT, EFAULT
   */
  boList(args: BoList, user: UserSpace): number {
    const { operation, listHandle } = args;
    switch (operation) {
      case BO_LIST_OP_CREATE:
        return this.#lists.alloc(this.#read(args, user, "bo_list"));
      case BO_LIST_OP_DESTROY:
        this.#forget(this.#lists.remove(listHandle) ?? []);
        return 0;
      case BO_LIST_OP_UPDATE: {
        const objects = this.#read(args, user, "bo_list");
        const old = this.#lists.replace(listHandle, objects);
        if (old === undefined) {
          this.#forget(objects);
          return fail(ENOENT, `bo_list.list_handle: ${listHandle} is not a list of this file`);
        }
        this.#forget(old);
        return listHandle;
      }
      default:
        return fail(EINVAL, `bo_list.operation: ${operation} is none of CREATE, DESTROY and UPDATE`);
    }
  }

  /**
   * CS.
   *
   * @returns the number of its fence
   * @throws DrmError EINVAL, ENOENT, EFAULT, ENOMEM
   */
  cs(args: Cs, user: UserSpace): number {
    const { ctxId, boListHandle, numChunks } = args;
    if (numChunks === 0) fail(EINVAL, "cs.num_chunks: 0");
    if (this.#contexts.get(ctxId) === undefined)
      fail(EINVAL, `cs.ctx_id: ${ctxId} is not a context of this file`);
    const addresses = user.view(args.chunks, numChunks * 8);
    const chunks: CsChunk[] = [];
    for (let i = 0; i < numChunks; i++) {
      const address = Number(addresses.getBigUint64(i * 8, true));
      chunks.push(CS_CHUNK.read(user.view(address, CS_CHUNK.size)));
    }
    let listed = this.#listed(boListHandle);
    let ownsList = false;
    let commands = 0;
    const signals: number[] = [];
    try {
      for (const [i, chunk] of chunks.entries()) {
        const field = `cs.chunks[${i}]`;
        const { chunkId, lengthDw } = chunk;
        if (chunkId < CHUNK_ID_IB || chunkId > CHUNK_ID_LAST)
          fail(EINVAL, `${field}.chunk_id: ${chunkId} is no kind of chunk`);
        switch (chunkId) {
          case CHUNK_ID_IB:
            if (lengthDw < IB_WORDS) fail(EINVAL, `${field}.length_dw: ${lengthDw} is less than an IB has`);
            user.view(chunk.chunkData, lengthDw * 4);
            commands++;
            break;
          case CHUNK_ID_BO_HANDLES:
            if (boListHandle !== 0 || ownsList) fail(EINVAL, `${field}.chunk_id: a second list of objects`);
            listed = this.#listOfChunk(chunk, user, field);
            ownsList = true;
            break;
          case CHUNK_ID_SYNCOBJ_IN:
          case CHUNK_ID_SYNCOBJ_OUT: {
            const handles = user.view(chunk.chunkData, lengthDw * 4);
            for (let k = 0; k < lengthDw; k++) {
              const handle = handles.getUint32(k * 4, true);
              const syncobj = this.#file.syncobjs.get(handle);
              if (syncobj === undefined)
                fail(
                  chunkId === CHUNK_ID_SYNCOBJ_IN ? ENOENT : EINVAL,
                  `${field}[${k}]: ${handle} is not a syncobj of this file`,
                );
              if (chunkId === CHUNK_ID_SYNCOBJ_OUT) signals.push(handle);
            }
            break;
          }
          default:
            user.view(chunk.chunkData, lengthDw * 4);
        }
      }
      if (commands === 0) fail(EINVAL, "cs.chunks: no IB among them");
      this.#file.space.submit(listed);
    } finally {
      if (ownsList) this.#forget(listed);
    }
    for (const handle of signals) this.#file.syncobjs.get(handle)?.attach(0, signaledFence());
    return ++this.#fences;
  }

  /** The file is closed. */
  close(): void {
    for (const [handle, objects] of this.#lists.entries()) {
      this.#lists.remove(handle);
      this.#forget(objects);
    }
  }

  /** Objects that lists hold, once for each list. */
  *held(): Generator<AmdgpuBo> {
    for (const [, objects] of this.#lists.entries()) yield* objects;
  }

  #listed(handle: number): readonly AmdgpuBo[] {
    if (handle === 0) return [];
    return this.#lists.get(handle) ?? fail(ENOENT, `cs.bo_list_handle: ${handle} is not a list of this file`);
  }

  #listOfChunk({ chunkData, lengthDw }: CsChunk, user: UserSpace, field: string): readonly AmdgpuBo[] {
    const words = user.view(chunkData, lengthDw * 4);
    if (lengthDw * 4 < 24) fail(EINVAL, `${field}.length_dw: ${lengthDw} is less than a list has`);
    const args = {
      boNumber: words.getUint32(8, true),
      boInfoSize: words.getUint32(12, true),
      boInfoPtr: Number(words.getBigUint64(16, true)),
    };
    return this.#read(args, user, field);
  }

  /** The objects of a list, each with a reference. */
  #read(
    { boNumber, boInfoSize, boInfoPtr }: Pick<BoList, "boNumber" | "boInfoSize" | "boInfoPtr">,
    user: UserSpace,
    field: string,
  ): readonly AmdgpuBo[] {
    if (boNumber > LIST_ENTRIES_MAX)
      fail(EINVAL, `${field}.bo_number: ${boNumber} is more than ${LIST_ENTRIES_MAX}`);
    if (boNumber === 0) return [];
    if (boInfoSize < 4) fail(EINVAL, `${field}.bo_info_size: ${boInfoSize} has no room for a handle`);
    const entries = user.view(boInfoPtr, boNumber * boInfoSize);
    const objects: AmdgpuBo[] = [];
    for (let i = 0; i < boNumber; i++) {
      const boHandle = entries.getUint32(i * boInfoSize + BO_LIST_ENTRY.fields.boHandle.offset, true);
      const bo = this.#file.bo(boHandle);
      if (bo === undefined) {
        this.#forget(objects);
        return fail(ENOENT, `${field}.bo_info_ptr[${i}].bo_handle: ${boHandle} is not a handle of this file`);
      }
      objects.push(bo.get());
    }
    return objects;
  }

  #forget(objects: readonly AmdgpuBo[]): void {
    for (const bo of objects) bo.put();
  }
}
