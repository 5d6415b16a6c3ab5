/**
 * What `radv` of Mesa 26.2 does with this uAPI for sparse buffers.
 *
 * A range without memory is one PRT mapping: the hardware's entries read as zero and drop writes. But on GFX10 and later scalar
 * loads of PRT pages do not reliably read as zero. So there a sparse buffer gets a second range, 2^46 bytes below, which shaders
 * use for scalar loads: where nothing is bound it shows an object of zeros, 8 MiB, mapped again and again. Every bind and unbind is
 * done twice, in the upper range first. Images, and everything on GFX9, have one range.
 *
 * There is one operation per ioctl: a queue bind of 64 tiles is 64 or 128 ioctls. Neighbours of one call that continue each other
 * are joined.
 *
 * @module
 */

import {
  hex,
  type ImageBind,
  type ImageLayout,
  type IoctlCall,
  issue,
  joinedBinds,
  type SparseBind,
  type SparseMemory,
  type SparseUmd,
  tileRows,
  viewOf,
} from "@vmbind/drm";
import type { AmdgpuFile } from "./file.ts";
import type { AmdgpuGfx } from "./options.ts";
import {
  CREATE_EXPLICIT_SYNC,
  CREATE_GFX12_DCC,
  CREATE_NO_CPU_ACCESS,
  CREATE_VM_ALWAYS_VALID,
  CREATE_VRAM_CLEARED,
  DOMAIN_GTT,
  DOMAIN_VRAM,
  GEM_CREATE,
  GEM_CREATE_OUT,
  GEM_VA,
  type GemVa,
  IOCTL_GEM_CREATE,
  IOCTL_GEM_VA_RW,
  PAGE_BYTES,
  VA_OP_CLEAR,
  VA_OP_MAP,
  VA_OP_REPLACE,
  VA_OP_UNMAP,
  VM_PAGE_EXECUTABLE,
  VM_PAGE_PRT,
  VM_PAGE_READABLE,
  VM_PAGE_WRITEABLE,
} from "./uapi.ts";
import { RADV_VIEW_BIT, VaManager } from "./va-manager.ts";

/** Bytes of the object of zeros. */
export const RADV_ZERO_BYTES: number = 2 ** 23;
/** Alignment of sparse resources, and the block that they are bound in. */
export const RADV_SPARSE_BYTES = 0x1_0000;

/** Alignment that radv asks for device memory from GFX10 on. */
const MEMORY_ALIGNMENT = 0x4_0000;
const RWX = VM_PAGE_READABLE | VM_PAGE_WRITEABLE | VM_PAGE_EXECUTABLE;
const READ_ONLY = VM_PAGE_READABLE | VM_PAGE_EXECUTABLE;
const VA_HALF = 2 ** 47;
const SIGN_EXTENSION = 2 ** 64 - 2 ** 48;

/** What {@link RadvUmd} needs to know about its device. */
export interface RadvOptions {
  /** Which graphics core: GFX9 has one range, all others have two. */
  gfx: AmdgpuGfx;
  /** Resources are images: they have one range, and their binds are not joined. Default false. */
  images?: boolean;
  /** Where the object of zeros shows by itself; the lowest free address unless told. */
  zeroVa?: number;
}

/** Lowers sparse resource operations to amdgpu ioctls. */
export class RadvUmd implements SparseUmd {
  /** GEM handle of the object of zeros, 0 while there is none: {@link RadvUmd.zeroCall} asks for it. */
  zeroHandle = 0;
  readonly #hasTwoRanges: boolean;
  readonly #isImage: boolean;
  readonly #gfx: AmdgpuGfx;

  /** @param options - see {@link RadvOptions} */
  constructor({ gfx, images = false }: RadvOptions) {
    this.#gfx = gfx;
    this.#isImage = images;
    this.#hasTwoRanges = gfx !== "9.0" && !images;
  }

  /** Whether a resource has a second range for scalar loads. */
  get hasTwoRanges(): boolean {
    return this.#hasTwoRanges;
  }

  /** Asks for the object of zeros, as it is done with the first sparse buffer. */
  zeroCall(): IoctlCall {
    const flags = CREATE_NO_CPU_ACCESS | CREATE_VRAM_CLEARED | CREATE_VM_ALWAYS_VALID | CREATE_EXPLICIT_SYNC;
    return gemCreateCall(RADV_ZERO_BYTES, PAGE_BYTES, flags);
  }

  /**
   * Maps the object of zeros as a whole, for itself.
   *
   * @param va - its own address
   */
  zeroMapCall(va: number): IoctlCall {
    const handle = this.zeroHandle;
    return gemVaCall({
      operation: VA_OP_MAP,
      handle,
      flags: READ_ONLY,
      vaAddress: va,
      mapSize: RADV_ZERO_BYTES,
    });
  }

  /**
   * Asks for device memory.
   *
   * @param bytes - how much
   */
  memoryCall(bytes: number): IoctlCall {
    const flags = CREATE_NO_CPU_ACCESS | CREATE_VM_ALWAYS_VALID | CREATE_EXPLICIT_SYNC;
    const alignment = this.#gfx === "9.0" ? RADV_SPARSE_BYTES : MEMORY_ALIGNMENT;
    return gemCreateCall(bytes, alignment, this.#gfx === "12.0" ? flags | CREATE_GFX12_DCC : flags);
  }

  /** Bytes of VA behind device memory that radv takes, too: on GFX9 its first page shows there once more, to be read only. */
  get memoryGuardBytes(): number {
    return this.#gfx === "9.0" ? PAGE_BYTES : 0;
  }

  /**
   * Maps device memory at an address of its own.
   *
   * @param handle - GEM handle
   * @param va - its address
   * @param size - its bytes
   */
  mapMemory(handle: number, va: number, size: number): IoctlCall[] {
    const calls = [gemVaCall({ operation: VA_OP_MAP, handle, flags: RWX, vaAddress: va, mapSize: size })];
    const guard = this.memoryGuardBytes;
    if (guard > 0) {
      const behind = { vaAddress: va + size, mapSize: guard };
      calls.push(gemVaCall({ operation: VA_OP_MAP, handle, flags: READ_ONLY, ...behind }));
    }
    return calls;
  }

  /**
   * Maps a part of device memory beside where it shows as a whole, over whatever is there, or unmaps a range.
   *
   * @param va - first address
   * @param size - bytes
   * @param memory - what to map; null unmaps
   */
  plainCall(va: number, size: number, memory: SparseMemory | null): IoctlCall {
    const range = { vaAddress: va, mapSize: size };
    if (memory === null) return gemVaCall({ operation: VA_OP_CLEAR, ...range });
    const { handle, offset: offsetInBo } = memory;
    return gemVaCall({ operation: VA_OP_REPLACE, handle, offsetInBo, flags: RWX, ...range });
  }

  /**
   * The opposite of {@link RadvUmd.mapMemory}.
   *
   * @param handle - GEM handle
   * @param va - its address
   * @param size - its bytes
   */
  unmapMemory(handle: number, va: number, size: number): IoctlCall[] {
    const calls: IoctlCall[] = [];
    const guard = this.memoryGuardBytes;
    if (guard > 0) {
      const behind = { vaAddress: va + size, mapSize: guard };
      calls.push(gemVaCall({ operation: VA_OP_UNMAP, handle, flags: RWX, ...behind }));
    }
    const all = { vaAddress: va, mapSize: size + guard };
    calls.push(gemVaCall({ operation: VA_OP_UNMAP, handle, flags: RWX, ...all }));
    return calls;
  }

  /**
   * One MAP of PRT; the second range takes a MAP for each 8 MiB.
   *
   * @param va - address of the resource: of the upper range where there are two
   * @param size - bytes, rounded up to 64 KiB
   */
  create(va: number, size: number): IoctlCall[] {
    const bytes = Math.ceil(size / RADV_SPARSE_BYTES) * RADV_SPARSE_BYTES;
    const calls = [gemVaCall({ operation: VA_OP_MAP, flags: VM_PAGE_PRT, vaAddress: va, mapSize: bytes })];
    if (this.#hasTwoRanges) calls.push(...this.#zeros(VA_OP_MAP, va - RADV_VIEW_BIT, bytes));
    return calls;
  }

  /**
   * One REPLACE per run of joined elements and range.
   *
   * @param va - address of the resource
   * @param resourceSize - bytes
   * @param binds - elements; offsets and sizes are multiples of 64 KiB
   * @throws RangeError for an element that leaves the resource
   */
  bind(va: number, resourceSize: number, binds: readonly SparseBind[]): IoctlCall[] {
    const bytes = Math.ceil(resourceSize / RADV_SPARSE_BYTES) * RADV_SPARSE_BYTES;
    const calls: IoctlCall[] = [];
    for (const { resourceOffset, size, memory } of this.#isImage ? binds : joinedBinds(binds, true)) {
      if (!(resourceOffset >= 0 && resourceOffset + size <= bytes)) {
        throw new RangeError(
          `bind: [${resourceOffset}, +${size}) leaves a resource of ${resourceSize} bytes`,
        );
      }
      const vaAddress = va + resourceOffset;
      const range = { operation: VA_OP_REPLACE, vaAddress, mapSize: size };
      if (memory === null) {
        calls.push(gemVaCall({ ...range, flags: VM_PAGE_PRT }));
        if (this.#hasTwoRanges) calls.push(...this.#zeros(VA_OP_REPLACE, vaAddress - RADV_VIEW_BIT, size));
        continue;
      }
      const object = { ...range, handle: memory.handle, offsetInBo: memory.offset, flags: RWX };
      calls.push(gemVaCall(object));
      if (this.#hasTwoRanges) calls.push(gemVaCall({ ...object, vaAddress: vaAddress - RADV_VIEW_BIT }));
    }
    return calls;
  }

  /**
   * One vkQueueBindSparse of a two-dimensional image, tile by tile: a REPLACE for each element whose rows of tiles follow each other,
   * and for each row where they do not.
   *
   * @param va - address of the image
   * @param layout - how it lies in memory, see `radvImageLayout`
   * @param binds - elements in the order of the application
   * @throws RangeError for tiles outside the image, TypeError for a lowering that was made without `images`
   */
  bindImage(va: number, layout: ImageLayout, binds: readonly ImageBind[]): IoctlCall[] {
    if (!this.#isImage) throw new TypeError("bindImage: the lowering was made for buffers, without `images`");
    const rows = binds.flatMap((bind) => joinedBinds(tileRows(layout, bind), true));
    return this.bind(va, Number.POSITIVE_INFINITY, rows);
  }

  /**
   * One CLEAR for each range, whatever is bound there.
   *
   * @param va - address of the resource
   * @param size - bytes
   */
  destroy(va: number, size: number): IoctlCall[] {
    const mapSize = Math.ceil(size / RADV_SPARSE_BYTES) * RADV_SPARSE_BYTES;
    const ranges = this.#hasTwoRanges ? [va, va - RADV_VIEW_BIT] : [va];
    return ranges.map((vaAddress) => gemVaCall({ operation: VA_OP_CLEAR, vaAddress, mapSize }));
  }

  #zeros(operation: number, va: number, bytes: number): IoctlCall[] {
    const calls: IoctlCall[] = [];
    for (let done = 0; done < bytes; done += RADV_ZERO_BYTES) {
      const mapSize = Math.min(RADV_ZERO_BYTES, bytes - done);
      calls.push(
        gemVaCall({ operation, handle: this.zeroHandle, flags: RWX, vaAddress: va + done, mapSize }),
      );
    }
    return calls;
  }
}

/**
 * A GEM_VA as libdrm issues it.
 *
 * @param args - members; missing ones are 0. The address may have 48 bits: it is sign-extended
 * @returns the call
 * @throws RangeError for an address of the upper half that is no multiple of 2048: extended, it is no exact number any more
 */
export function gemVaCall(args: Partial<GemVa>): IoctlCall {
  const va = args.vaAddress ?? 0;
  const isUpper = va >= VA_HALF && va < 2 * VA_HALF;
  const vaAddress = isUpper ? va + SIGN_EXTENSION : va;
  if (isUpper && vaAddress - SIGN_EXTENSION !== va) {
    throw new RangeError(
      `vaAddress: ${hex(va)} is in the upper half and no multiple of 2048: the model cannot say it`,
    );
  }
  return {
    name: "AMDGPU_GEM_VA",
    request: IOCTL_GEM_VA_RW,
    arg: GEM_VA.encode({ ...args, vaAddress }),
    buffers: [],
  };
}

/**
 * A GEM_CREATE for VRAM, or system memory where that is full.
 *
 * @param boSize - bytes
 * @param alignment - bytes
 * @param domainFlags - see `CREATE_NAMES`
 * @returns the call
 */
export function gemCreateCall(boSize: number, alignment: number, domainFlags: number): IoctlCall {
  const domains = DOMAIN_VRAM | DOMAIN_GTT;
  return {
    name: "AMDGPU_GEM_CREATE",
    request: IOCTL_GEM_CREATE,
    arg: GEM_CREATE.encode({ boSize, alignment, domains, domainFlags }),
    buffers: [],
  };
}

/**
 * @param call - a GEM_CREATE that was issued
 * @returns the handle that it made
 */
export function createdHandle({ arg }: IoctlCall): number {
  return GEM_CREATE_OUT.read(viewOf(arg)).handle;
}

/** What {@link openRadv} has set up. */
export interface RadvSession {
  /** Free addresses. */
  va: VaManager;
  /** Lowering for this file. */
  umd: RadvUmd;
}

/**
 * Do what radv does before the first sparse buffer of a fresh file: the object of zeros, where the GPU needs one.
 *
 * @param file - a fresh open file
 * @param options - see {@link RadvOptions}
 * @returns addresses and the lowering
 * @throws DrmError when an ioctl fails
 */
export function openRadv(file: AmdgpuFile, options: RadvOptions): RadvSession {
  const umd = new RadvUmd(options);
  const va = new VaManager();
  if (umd.hasTwoRanges) {
    const create = umd.zeroCall();
    must(file, create);
    umd.zeroHandle = createdHandle(create);
    must(file, umd.zeroMapCall(options.zeroVa ?? va.alloc(RADV_ZERO_BYTES)));
  }
  return { va, umd };
}

function must(file: AmdgpuFile, call: IoctlCall): void {
  if (issue(file, call) !== 0) throw file.lastError;
}
