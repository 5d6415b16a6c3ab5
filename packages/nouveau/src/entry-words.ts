/**
 * Runs of entries as words, for what the writers of `@vmbind/mmu` do not know: entries of PD0, which have two halves of eight
 * bytes, and small entries of which only some are sparse (nvkm's `vmm.c` and `vmmgp100.c`, Linux 7.3-rc7). Nothing is counted here.
 *
 * @module
 */

import { GMMU_SPARSE } from "@vmbind/mmu";

/** A constant of this module is found faster than an imported one. */
const SPARSE = GMMU_SPARSE;
/** Words of the small entries of 64 KiB. */
const UNIT_WORDS = 32;

/**
 * Write entries of PD0 without a table below.
 *
 * @param words - tables as 32-bit halves
 * @param first - word of the first entry
 * @param count - entries
 * @param lo - low half of the first of their two halves; everything else becomes 0
 */
export function fillWide(words: Int32Array, first: number, count: number, lo: number): void {
  for (let at = first; at < first + count * 4; at += 4) {
    words[at] = lo;
    words[at + 1] = 0;
    words[at + 2] = 0;
    words[at + 3] = 0;
  }
}

/**
 * Make nothing of the small entries of a run that are sparse.
 *
 * @param words - tables as 32-bit halves
 * @param first - word of the first entry, of a whole unit of 64 KiB
 * @param end - word behind the last one, likewise
 * @returns how many there were
 */
export function clearSparse(words: Int32Array, first: number, end: number): number {
  let cleared = 0;
  for (let unit = first; unit < end; unit += UNIT_WORDS) {
    // Most tables have none: small entries come and go by themselves.
    if (!hasAny(words, unit)) continue;
    for (let at = unit; at < unit + UNIT_WORDS; at += 2) {
      if (words[at] !== SPARSE) continue;
      words[at] = 0;
      cleared++;
    }
  }
  return cleared;
}

/** Whether an entry of a unit has a low half. */
function hasAny(words: Int32Array, unit: number): boolean {
  let all = 0;
  for (let at = unit; at < unit + UNIT_WORDS; at += 8) {
    all |= (words[at] as number) | (words[at + 2] as number);
    all |= (words[at + 4] as number) | (words[at + 6] as number);
  }
  return all !== 0;
}
