/**
 * A sparse workload at the level of Vulkan: what an application asks for, before any driver has turned it into ioctls.
 *
 * The same list of steps goes through every strategy. A step names resources and memory objects by the application's own
 * names; addresses and handles come later, from the strategy that runs it.
 *
 * @module
 */

/** Create a sparse resource: a buffer, or an image as far as its address range goes. Nothing is bound to it. */
export interface CreateStep {
  /** Discriminates the steps. */
  step: "create";
  /** Name of the new resource. */
  resource: string;
  /** Bytes, any number; the driver rounds up to its block. */
  size: number;
  /** Which VM it is in; 0 unless told. Each VM is that of an open file of its own. */
  vm?: number;
  /**
   * A range of addresses without sparse residency: where nothing is bound to it nothing is mapped, and the GPU finds what it finds at any
   * such address of the strategy's VM: a fault, or 0 (anv's scratch page, soft faults on asahi).
   */
  plain?: boolean;
}

/** Allocate device memory. As every driver here does, it also becomes mapped at an address of its own. */
export interface AllocateStep {
  /** Discriminates the steps. */
  step: "allocate";
  /** Name of the new memory object. */
  memory: string;
  /** Bytes. */
  size: number;
  /** Which VM it is mapped in, and may be bound in; 0 unless told. */
  vm?: number;
}

/** Where a bound range's memory is. */
export interface MemoryRange {
  /** Name of the memory object. */
  object: string;
  /** Byte offset into it. */
  offset: number;
}

/** One VkSparseMemoryBind. */
export interface SparseElement {
  /** Byte offset into the resource. */
  offset: number;
  /** Bytes: whole blocks, or up to the end of the resource. */
  size: number;
  /** What to bind there; null unbinds. */
  memory: MemoryRange | null;
}

/** One vkQueueBindSparse for one resource; the client waits until it is done. */
export interface BindStep {
  /** Discriminates the steps. */
  step: "bind";
  /** Name of the resource. */
  resource: string;
  /** The elements in order; no two of them overlap. */
  binds: readonly SparseElement[];
}

/** vkDeviceWaitIdle. */
export interface WaitIdleStep {
  /** Discriminates the steps. */
  step: "wait-idle";
}

/** Destroy a resource, whatever is bound to it. */
export interface DestroyStep {
  /** Discriminates the steps. */
  step: "destroy";
  /** Name of the resource. */
  resource: string;
}

/** Free device memory. */
export interface FreeStep {
  /** Discriminates the steps. */
  step: "free";
  /** Name of the memory object. */
  memory: string;
}

/** The GPU loads a 32-bit word of a resource. */
export interface ReadStep {
  /** Discriminates the steps. */
  step: "read";
  /** Name of the resource. */
  resource: string;
  /** Byte offset, a multiple of 4. */
  offset: number;
}

/** The GPU stores a 32-bit word into a resource. */
export interface WriteStep {
  /** Discriminates the steps. */
  step: "write";
  /** Name of the resource. */
  resource: string;
  /** Byte offset, a multiple of 4. */
  offset: number;
  /** The word, unsigned. */
  value: number;
}

/** The kernel takes the memory of an object away, as under memory pressure; nothing happens where a driver never does so. */
export interface EvictStep {
  /** Discriminates the steps. */
  step: "evict";
  /** Name of the memory object. */
  memory: string;
}

/** What a submission does in all VMs before its job runs: memory that was taken away comes back. */
export interface SubmitStep {
  /** Discriminates the steps. */
  step: "submit";
}

/** One thing that the application asks for, or that happens to it. */
export type Step =
  | EvictStep
  | SubmitStep
  | CreateStep
  | AllocateStep
  | BindStep
  | WaitIdleStep
  | DestroyStep
  | FreeStep
  | ReadStep
  | WriteStep;

/** A rule that a workload breaks. */
export class WorkloadError extends Error {
  /** Tells it from other errors where classes are lost. */
  override readonly name = "WorkloadError";
}

/** A workload. */
export interface Workload {
  /** Name in kebab-case, the same everywhere. */
  name: string;
  /** One sentence. */
  description: string;
  /** Seed of the random draws; 0 where nothing is drawn. */
  seed: number;
  /** Binds are made of pages that the kernel takes, whatever block the user-mode driver reports. False unless told. */
  fine?: boolean;
  /**
   * The steps for a driver. They depend on it, because applications lay out their binds in the blocks that the driver
   * reports.
   *
   * @param blockBytes - alignment of sparse buffers that the driver reports, bytes
   * @throws {@link WorkloadError} for a block that the workload's sizes are not made of
   */
  steps(blockBytes: number): readonly Step[];
}

/**
 * Bytes of a resource as the driver sees them.
 *
 * @param size - bytes that the application asked for
 * @param blockBytes - the driver's block
 * @returns whole blocks, in bytes
 */
export function requiredBytes(size: number, blockBytes: number): number {
  return Math.ceil(size / blockBytes) * blockBytes;
}
