/**
 * Which updates of a list leave nothing, because later ones of the list overwrite all that they write.
 *
 * Looked at from the last update to the first, the entries of a table that are still to be overwritten are kept as one run. What
 * lies in it whole leaves nothing. Of runs that neither meet nor touch the longer one is kept: so an update may be written in
 * vain, but never left out in vain.
 *
 * @module
 */

import { OFS, QWORDS, SLOT, UPDATE } from "./pt-update-fields.ts";

// Copies: an imported constant is a cell that is loaded and checked at every use.
const STEP: number = UPDATE;
const TABLE: number = SLOT;
const FIRST: number = OFS;
const ENTRIES: number = QWORDS;

/** Finds them; one per device, reused. */
export class Overwrites {
  /** The run of a table, by slot; empty between two searches. */
  #from: Int32Array = new Int32Array(64);
  #to: Int32Array = new Int32Array(64);
  /** 1 for an update of which nothing is left. */
  #left: Uint8Array = new Uint8Array(64);

  /**
   * Search a list.
   *
   * @param updates - `UPDATE` numbers each, see `pt-update-fields.ts`
   * @param count - how many updates
   * @param slots - above every slot of a table
   */
  find(updates: Int32Array, count: number, slots: number): void {
    if (slots > this.#to.length) {
      this.#from = new Int32Array(slots);
      this.#to = new Int32Array(slots);
    }
    if (count > this.#left.length) this.#left = new Uint8Array(2 * count);
    const froms = this.#from;
    const tos = this.#to;
    const left = this.#left;
    for (let i = count - 1, u = i * STEP; i >= 0; i--, u -= STEP) {
      const slot = updates[u + TABLE] as number;
      const first = updates[u + FIRST] as number;
      const end = first + (updates[u + ENTRIES] as number);
      const from = froms[slot] as number;
      const to = tos[slot] as number;
      const covered = first >= from && end <= to;
      left[i] = covered ? 1 : 0;
      if (covered) continue;
      if (first <= to && end >= from && to !== 0) {
        froms[slot] = Math.min(first, from);
        tos[slot] = Math.max(end, to);
      } else if (end - first > to - from) {
        froms[slot] = first;
        tos[slot] = end;
      }
    }
    for (let i = 0, u = 0; i < count; i++, u += STEP) tos[updates[u + TABLE] as number] = 0;
  }

  /** Whether later updates of the list searched last overwrite all of one. */
  has(update: number): boolean {
    return this.#left[update] === 1;
  }
}
