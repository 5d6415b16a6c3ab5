/**
 * The objects of a trace while it is lifted: which handle names which, and what they are called.
 *
 * @module
 */

import type { LiftedMemory } from "./lifted.ts";

/** An object while its handle is open, and as long as it is mapped. */
export interface LivingMemory extends LiftedMemory {
  /** Grows for an object whose making the trace does not show. */
  bytes: number;
  /** Never given out twice, unlike a handle; from 1. */
  readonly number: number;
  /** The ioctl that made it, by its `seq`; else the one that used it first. */
  readonly made: number;
  /** The trace shows how large it is. */
  readonly isKnown: boolean;
  /** Its allocate step has been told. */
  isTold: boolean;
}

/** All objects. */
export class ObjectBook {
  readonly #open = new Map<number, Map<number, LivingMemory>>();
  /** How many objects a handle has named. */
  readonly #named = new Map<number, number>();
  #count = 0;

  /**
   * @param file - number of an open file
   * @param handle - GEM handle in it
   * @returns the object, undefined for a handle that is not open
   */
  get(file: number, handle: number): LivingMemory | undefined {
    return this.#open.get(file)?.get(handle);
  }

  /**
   * @param file - number of an open file
   * @param handle - GEM handle, open from now on
   * @param size - bytes; null where the trace does not show them
   * @param seq - of the ioctl
   * @returns the new object
   */
  make(file: number, handle: number, size: number | null, seq: number): LivingMemory {
    const before = this.#named.get(handle) ?? 0;
    this.#named.set(handle, before + 1);
    const memory: LivingMemory = {
      name: before === 0 ? `BO ${handle}` : `BO ${handle} (${before + 1})`,
      file,
      handle,
      bytes: size ?? 0,
      number: ++this.#count,
      made: seq,
      isKnown: size !== null,
      isTold: false,
    };
    const objects = this.#open.get(file) ?? new Map<number, LivingMemory>();
    this.#open.set(file, objects.set(handle, memory));
    return memory;
  }

  /**
   * @param file - number of an open file
   * @param handle - GEM handle that is closed
   * @returns the object; undefined for a handle that was not open
   */
  close(file: number, handle: number): LivingMemory | undefined {
    const memory = this.get(file, handle);
    this.#open.get(file)?.delete(handle);
    return memory;
  }

  /** @param file - number of a file that is closed, with all its handles */
  closeFile(file: number): void {
    this.#open.delete(file);
  }
}
