/**
 * A fresh session with one sparse resource in it, and the GPU's accesses to it: each gives the word or tells that it
 * faulted.
 *
 * @module
 */

import { DRM_IOCTL_GEM_CLOSE, type GemObject, issue } from "@vmbind/drm";
import { type AddressSpace, GpuFault } from "@vmbind/mmu";
import { mustIssue } from "../strategy/calls.ts";
import { type StrategyRun, startRun } from "../strategy/run.ts";
import type { SparseResource } from "../strategy/run-data.ts";
import type { MemoryObject, SparseStrategy } from "../strategy/strategy.ts";

/** The buffer that the thread talks about. */
export const THREAD_BYTES: number = 100_000_000;
/** Three windows of 2 MiB: the best case of every strategy that repeats something. */
export const PROBE_BYTES: number = 3 * 2 ** 21;
/** The smallest page of all drivers. */
export const PAGE_BYTES = 4096;
/** The word that is stored: no byte of it is 0 or like another. */
export const MARK: number = 0x5ec1a7e5;
/** Where single accesses go: at a block of every driver, off the start of its page. */
export const SPOT = 0x10004;

const RESOURCE = "probe";

/** A session under examination. */
export class Probe {
  /** The strategy's run. */
  readonly run: StrategyRun;
  /** The sparse resource, nothing bound. */
  readonly resource: SparseResource;
  #faults = 0;

  /**
   * @param strategy - how sparse is said
   * @param bytes - size of the resource
   */
  static async open(strategy: SparseStrategy, bytes: number = PROBE_BYTES): Promise<Probe> {
    return new Probe(await startRun(strategy), bytes);
  }

  private constructor(run: StrategyRun, bytes: number) {
    this.run = run;
    this.resource = this.create(RESOURCE, bytes);
  }

  /** What the GPU sees, once the job that looks has been submitted. */
  get space(): AddressSpace {
    this.run.session.beforeAccess?.();
    return this.run.session.vm.addressSpace;
  }

  /** Accesses so far that faulted, those that a shader does not notice included. */
  get faults(): number {
    return this.#faults;
  }

  /** Bytes of the driver's block. */
  get blockBytes(): number {
    return this.run.strategy.blockBytes;
  }

  /** Offsets of the resource's pages, each plus `inPage`. */
  offsets(inPage = 0): number[] {
    return Array.from({ length: this.resource.bytes / PAGE_BYTES }, (_, i) => i * PAGE_BYTES + inPage);
  }

  /** Create another sparse resource. */
  create(name: string, bytes: number): SparseResource {
    this.run.perform({ step: "create", resource: name, size: bytes });
    return this.run.resource(name);
  }

  /** Allocate memory and bind a block of it. */
  bindBlock(offset: number): MemoryObject {
    const memory = "memory";
    this.run.perform({ step: "allocate", memory, size: this.blockBytes });
    const bind = { offset, size: this.blockBytes, memory: { object: memory, offset: 0 } };
    this.run.perform({ step: "bind", resource: RESOURCE, binds: [bind] });
    return this.run.memory.get(memory) as MemoryObject;
  }

  /** Unbind a block. */
  unbindBlock(offset: number): void {
    const bind = { offset, size: this.blockBytes, memory: null };
    this.run.perform({ step: "bind", resource: RESOURCE, binds: [bind] });
  }

  /**
   * Unmap a block, which no Vulkan call does: destroying says "unmap", so a part of the resource is destroyed. Where destroying
   * takes two calls, the second may be refused for a part: what only goes as a whole stays then.
   *
   * @returns bytes that are unmapped then
   */
  unmapBlock(offset: number): number {
    const { session } = this.run;
    const [first, ...rest] = session.umd.destroy(this.resource.va + offset, this.blockBytes);
    if (first !== undefined) mustIssue(session.file, first);
    rest.every((call) => issue(session.file, call) === 0);
    return this.blockBytes + session.placement(this.blockBytes, "resource").guardBytes;
  }

  /** Destroy the resource. */
  destroy(): void {
    this.run.perform({ step: "destroy", resource: RESOURCE });
  }

  /** Close a GEM handle, whatever is mapped. */
  closeHandle(handle: number): void {
    const arg = new Uint8Array(new Uint32Array([handle, 0]).buffer);
    mustIssue(this.run.session.file, { name: "GEM_CLOSE", request: DRM_IOCTL_GEM_CLOSE, arg, buffers: [] });
  }

  /** The object that is mapped at an offset where the GPU writes; null for none. */
  objectAt(offset: number): GemObject | null {
    const va = this.resource.va + offset;
    for (const m of this.run.session.vm.mappings()) if (m.addr <= va && va < m.addr + m.range) return m.gem;
    return null;
  }

  /** Load a word where shaders read the resource; null when that is refused. */
  read(offset: number, { va }: SparseResource = this.resource): number | null {
    return this.readAt(va + this.run.session.mirrorOffset + offset);
  }

  /** Load a word where shaders write the resource. */
  readWriteSide(offset: number, { va }: SparseResource = this.resource): number | null {
    return this.readAt(va + offset);
  }

  /** Load a word at an address. */
  readAt(va: number, space: AddressSpace = this.space): number | null {
    return this.#access(space, () => space.load32(va));
  }

  /** Store a word where shaders write the resource; false when that is refused. */
  write(offset: number, word: number, { va }: SparseResource = this.resource): boolean {
    return this.#access(this.space, () => this.space.store32(va + offset, word)) !== null;
  }

  /** Store bytes at an address; false when that is refused. */
  storeAt(va: number, bytes: Uint8Array): boolean {
    return this.#access(this.space, () => this.space.store(va, bytes) ?? true) !== null;
  }

  /** Fetch instructions where shaders write the resource; false when that is refused. */
  fetch(offset: number): boolean {
    const bytes = this.#access(this.space, () => this.space.fetch(this.resource.va + offset, 4));
    return bytes !== null;
  }

  #access<T>(space: AddressSpace, run: () => T): T | null {
    const before = space.faults.length;
    try {
      return run();
    } catch (error) {
      if (!(error instanceof GpuFault)) throw error;
      return null;
    } finally {
      this.#faults += space.faults.length - before;
    }
  }
}
