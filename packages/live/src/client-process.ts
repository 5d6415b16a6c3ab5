/**
 * A process that has spoken to the server: its memory, and what it has mapped. A mapping keeps its object alive until it is
 * unmapped, and so do the copies of it that a fork makes.
 *
 * @module
 */

import type { GemObject } from "@vmbind/drm";
import { ProcessMemory } from "./process-memory.ts";

/** A piece of a process's address space that shows an object. */
export interface ClientMapping {
  /** First user address in bytes. */
  readonly start: number;
  /** First one behind. */
  readonly end: number;
  /** The object. */
  readonly gem: GemObject;
}

/** A client. */
export class ClientProcess {
  /** Its memory. */
  readonly memory: ProcessMemory;
  /** Descriptors that it was told of and has not made yet. */
  readonly promised: Set<number> = new Set();
  #mappings: ClientMapping[] = [];

  /**
   * @param pid - its number
   * @param parent - the process that it is a copy of; null for one that begins
   */
  constructor(pid: number, parent: ClientProcess | null) {
    this.memory = new ProcessMemory(pid);
    for (const { start, end, gem } of parent?.mappings() ?? []) this.map(start, end - start, gem);
  }

  /** An object is mapped; what was mapped there before is not any more. */
  map(addr: number, bytes: number, gem: GemObject): void {
    this.unmap(addr, bytes);
    gem.mapForCpu();
    this.#mappings.push({ start: addr, end: addr + bytes, gem });
  }

  /** Nothing of ours is mapped at `[addr, addr + bytes)` any more. */
  unmap(addr: number, bytes: number): void {
    const end = addr + Math.ceil(bytes / 4096) * 4096;
    const left: ClientMapping[] = [];
    const gone: GemObject[] = [];
    for (const mapping of this.#mappings) {
      const { start, end: last, gem } = mapping;
      if (last <= addr || start >= end) {
        left.push(mapping);
        continue;
      }
      for (const piece of [
        { start, end: addr, gem },
        { start: end, end: last, gem },
      ]) {
        if (piece.start >= piece.end) continue;
        gem.mapForCpu();
        left.push(piece);
      }
      gone.push(gem);
    }
    this.#mappings = left;
    for (const gem of gone) gem.unmapForCpu();
  }

  /** What is mapped. */
  mappings(): readonly ClientMapping[] {
    return this.#mappings;
  }

  /** The process has ended, or runs another program. */
  close(): void {
    for (const { gem } of this.#mappings.splice(0)) gem.unmapForCpu();
    this.memory.close();
  }
}
