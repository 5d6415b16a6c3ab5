/**
 * What `nvk` of Mesa 26.2 does with this uAPI for sparse resources.
 *
 * Creating one is a single synchronous MAP of a sparse region, without any object. Binding is a MAP inside it, unbinding a plain
 * UNMAP, after which the region shows again. Destroying takes two calls: an UNMAP of everything bound, then the UNMAP of the
 * region, which has to name exactly what was made.
 *
 * Neighbours are joined where the address and the place in the object both continue: elements of a buffer's bind with each other, the
 * rows of tiles inside one element of an image. An UNMAP names no object, so none continues another.
 *
 * @module
 */

import {
  type ImageBind,
  type ImageLayout,
  type IoctlCall,
  issue,
  joinedBinds,
  type SparseBind,
  type SparseUmd,
  tileRows,
  type UserBuffer,
} from "@vmbind/drm";
import type { NouveauFile } from "./file.ts";
import {
  GEM_DOMAIN_GART,
  GEM_DOMAIN_NO_SHARE,
  GEM_DOMAIN_VRAM,
  IOCTL_VM_BIND,
  IOCTL_VM_INIT,
  PAGE_BYTES,
  SYNC,
  VM_BIND,
  VM_BIND_OP,
  VM_BIND_OP_MAP,
  VM_BIND_OP_UNMAP,
  VM_BIND_RUN_ASYNC,
  VM_BIND_SPARSE,
  VM_INIT,
  type VmBindOp,
} from "./uapi.ts";

/** Where nvk's arrays lie in user space; the recorded traces use the same stand-ins. */
const OPS_ADDR = 0x7000_0000_0000;
const WAITS_ADDR = 0x7100_0000_0000;
const SIGNALS_ADDR = 0x7200_0000_0000;
/** Most operations that nvk (Mesa 26.2) puts into one ioctl. */
export const NVK_OPS_PER_IOCTL = 4096;

/** First VA of the range that nvk leaves to the kernel. */
export const NVK_KERNEL_START: number = 2 ** 39;
/** Bytes of it. */
export const NVK_KERNEL_BYTES: number = 2 ** 39;
/** First VA behind nvk's heap, which is filled from the top. */
export const NVK_HEAP_END: number = 2 ** 38;
/** Domains of nvk's device memory. Both places: so the kernel gives it pages of 4 KiB, even in VRAM. */
export const NVK_MEMORY_DOMAIN: number = GEM_DOMAIN_VRAM | GEM_DOMAIN_GART | GEM_DOMAIN_NO_SHARE;
/** PTE kind that nvk gives to sparse images from Turing on. */
export const NVK_IMAGE_KIND = 6;

/** What {@link NvkUmd} needs to know. */
export interface NvkOptions {
  /** Resources are images: elements of a bind are not joined. Default false. */
  images?: boolean;
  /** PTE kind of the resource: unless told, 0 for buffers and {@link NVK_IMAGE_KIND} for images. */
  kind?: number;
  /** Syncobj that queue binds signal, 0 for none; 0 unless told. */
  fence?: number;
}

/** Lowers sparse resource operations to nouveau ioctls. */
export class NvkUmd implements SparseUmd {
  readonly #isImage: boolean;
  readonly #kind: number;
  readonly #fence: number;

  /** @param options - see {@link NvkOptions} */
  constructor({ images = false, kind = images ? NVK_IMAGE_KIND : 0, fence = 0 }: NvkOptions = {}) {
    this.#isImage = images;
    this.#kind = kind;
    this.#fence = fence;
  }

  /** See `SparseUmd.create`. */
  create(va: number, size: number): IoctlCall[] {
    return [vmBindCall([{ op: VM_BIND_OP_MAP, flags: VM_BIND_SPARSE, addr: va, range: paged(size) }])];
  }

  /** See `SparseUmd.bind`. Neighbours of a buffer whose addresses and offsets continue are joined, unbinds never. */
  bind(va: number, _resourceSize: number, binds: readonly SparseBind[]): IoctlCall[] {
    return this.#queued(va, this.#isImage ? binds : joinedBinds(binds, false));
  }

  /**
   * One vkQueueBindSparse of a two-dimensional image, tile by tile: a MAP for each element, or for each row of its tiles where those do
   * not follow each other, and an UNMAP for each row.
   *
   * @param va - its address in bytes
   * @param layout - how it lies in memory: nvk's is the plain one, `plainLayout` of `@vmbind/drm`
   * @param binds - elements in the order of the application
   * @throws RangeError for tiles outside the image, TypeError for a lowering that was made without `images`
   */
  bindImage(va: number, layout: ImageLayout, binds: readonly ImageBind[]): IoctlCall[] {
    if (!this.#isImage) throw new TypeError("bindImage: the lowering was made for buffers, without `images`");
    return this.#queued(
      va,
      binds.flatMap((bind) => joinedBinds(tileRows(layout, bind), false)),
    );
  }

  #queued(va: number, binds: readonly SparseBind[]): IoctlCall[] {
    const flags = this.#kind;
    const ops = binds.map(({ resourceOffset, size: range, memory }): Partial<VmBindOp> => {
      const addr = va + resourceOffset;
      if (memory === null) return { op: VM_BIND_OP_UNMAP, flags, addr, range };
      const { handle, offset: boOffset } = memory;
      return { op: VM_BIND_OP_MAP, flags, handle, boOffset, addr, range };
    });
    const calls: IoctlCall[] = [];
    for (let i = 0; i === 0 || i < ops.length; i += NVK_OPS_PER_IOCTL) {
      const isLast = i + NVK_OPS_PER_IOCTL >= ops.length;
      calls.push(queueBindCall(ops.slice(i, i + NVK_OPS_PER_IOCTL), isLast ? this.#fence : 0));
    }
    return calls;
  }

  /** See `SparseUmd.destroy`. */
  destroy(va: number, size: number): IoctlCall[] {
    const range = paged(size);
    return [
      vmBindCall([{ op: VM_BIND_OP_UNMAP, addr: va, range }]),
      vmBindCall([{ op: VM_BIND_OP_UNMAP, flags: VM_BIND_SPARSE, addr: va, range }]),
    ];
  }
}

function paged(size: number): number {
  return Math.ceil(size / PAGE_BYTES) * PAGE_BYTES;
}

function opBuffer(ops: readonly Partial<VmBindOp>[]): UserBuffer {
  const bytes = new Uint8Array(ops.length * VM_BIND_OP.size);
  const view = new DataView(bytes.buffer);
  for (const [i, op] of ops.entries()) VM_BIND_OP.write(view, i * VM_BIND_OP.size, op);
  return { addr: OPS_ADDR, bytes };
}

/**
 * A synchronous VM_BIND, as nvk sends it outside of its queues.
 *
 * @param ops - its operations; members left out are 0
 * @returns the call
 */
export function vmBindCall(ops: readonly Partial<VmBindOp>[]): IoctlCall {
  return {
    name: "NOUVEAU_VM_BIND",
    request: IOCTL_VM_BIND,
    arg: VM_BIND.encode({ opCount: ops.length, opPtr: OPS_ADDR }),
    buffers: [opBuffer(ops)],
  };
}

/**
 * An asynchronous VM_BIND, as nvk's queue sends it: all three pointers are set, whatever the counts are.
 *
 * @param ops - its operations
 * @param fence - syncobj that it signals, 0 for none
 * @returns the call
 */
export function queueBindCall(ops: readonly Partial<VmBindOp>[], fence: number): IoctlCall {
  const buffers = [opBuffer(ops)];
  if (fence !== 0) buffers.push({ addr: SIGNALS_ADDR, bytes: SYNC.encode({ handle: fence }) });
  return {
    name: "NOUVEAU_VM_BIND",
    request: IOCTL_VM_BIND,
    arg: VM_BIND.encode({
      opCount: ops.length,
      flags: VM_BIND_RUN_ASYNC,
      sigCount: fence === 0 ? 0 : 1,
      waitPtr: WAITS_ADDR,
      sigPtr: SIGNALS_ADDR,
      opPtr: OPS_ADDR,
    }),
    buffers,
  };
}

/**
 * The VM_INIT that nvk sends before anything else. It sends it write-only, unlike the header.
 *
 * @returns the call
 */
export function vmInitCall(): IoctlCall {
  return {
    name: "NOUVEAU_VM_INIT",
    request: (IOCTL_VM_INIT & 0x3fff_ffff) | 0x4000_0000,
    arg: VM_INIT.encode({ kernelManagedAddr: NVK_KERNEL_START, kernelManagedSize: NVK_KERNEL_BYTES }),
    buffers: [],
  };
}

/**
 * Give a file its VM as nvk does.
 *
 * @param file - a fresh open file
 * @throws DrmError when it is refused
 */
export function openNvk(file: NouveauFile): void {
  if (issue(file, vmInitCall()) !== 0) throw file.lastError;
}
