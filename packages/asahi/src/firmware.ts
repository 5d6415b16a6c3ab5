/**
 * The firmware's address space, as far as GEM_BIND_OBJECT reaches it: buffers that the firmware writes timestamps to.
 *
 * It is the upper half of the tables, whose part that the driver manages (the downstream asahi driver, branches of 2025)
 * is 64 GiB. Where in it an object goes is the kernel's
 * business and never told to user space; the model takes the first gap.
 *
 * @module
 */

import { ENOMEM, fail } from "@vmbind/drm";
import type { PhysicalMemory } from "@vmbind/mmu";
import type { AsahiBo } from "./bo.ts";
import { UatPageTable, type UatPageTableOptions } from "./page-table.ts";
import { FIRMWARE_LEAF_HI, FIRMWARE_LEAF_LO } from "./protection.ts";

/** First VA of the part of the upper half that the driver manages. */
export const FIRMWARE_START = 0xffff_ffa0_0000_0000;
/** End of that part. */
export const FIRMWARE_END = 0xffff_ffb0_0000_0000;

/** An object bound for the firmware. */
export interface FirmwareObject {
  /** The buffer object, with a reference. */
  readonly bo: AsahiBo;
  /** First VA in the firmware's half. */
  readonly va: number;
  /** Bytes. */
  readonly range: number;
  /** Byte of the object at `va`. */
  readonly offset: number;
}

/** Objects bound for the firmware, in ascending order of VA. */
export class FirmwareSpace {
  readonly #memory: PhysicalMemory;
  readonly #options: UatPageTableOptions;
  readonly #objects: FirmwareObject[] = [];
  #pageTable: UatPageTable | null = null;

  /**
   * @param memory - where its tables are
   * @param options - of its tables
   */
  constructor(memory: PhysicalMemory, options: UatPageTableOptions) {
    this.#memory = memory;
    this.#options = options;
  }

  /** The tables, null until something was bound: their root belongs to the boot loader. */
  get pageTable(): UatPageTable | null {
    return this.#pageTable;
  }

  /** What is bound, in ascending order of VA. */
  get objects(): readonly FirmwareObject[] {
    return this.#objects;
  }

  /**
   * Map a range of an object. Takes a reference of it.
   *
   * @param bo - the object
   * @param offset - byte offset into it, a multiple of 16 KiB
   * @param range - bytes, a multiple of 16 KiB, inside the object
   * @throws DrmError ENOMEM
   */
  bind(bo: AsahiBo, offset: number, range: number): FirmwareObject {
    const pages = bo.pages();
    let va = FIRMWARE_START;
    let index = 0;
    for (const other of this.#objects) {
      if (va + range <= other.va) break;
      va = other.va + other.range;
      index++;
    }
    if (va + range > FIRMWARE_END) fail(ENOMEM, `firmware: no room for 0x${range.toString(16)} bytes`);
    this.#pageTable ??= new UatPageTable(this.#memory, this.#options);
    this.#pageTable.allocate(va, range);
    this.#pageTable.mapList(va, range, pages, offset, FIRMWARE_LEAF_LO, FIRMWARE_LEAF_HI);
    const object = { bo: bo.get() as AsahiBo, va, range, offset };
    this.#objects.splice(index, 0, object);
    return object;
  }

  /**
   * Unmap an object and drop its reference.
   *
   * @param object - from {@link FirmwareSpace.bind}
   */
  unbind(object: FirmwareObject): void {
    this.#objects.splice(this.#objects.indexOf(object), 1);
    this.#pageTable?.unmap(object.va, object.range);
    object.bo.put();
  }
}
