/**
 * The leaves of a table, as they are found, against what a case says of them: a list, one by one or as runs at even distances, and a
 * digest.
 *
 * @module
 */

import { EINVAL, fail } from "@vmbind/drm";
import { type Mismatch, mismatch } from "@vmbind/drm/conformance";
import { ListedEntries, type ListedRun, type TableEntry } from "./listed-entries.ts";
import { Sha256 } from "./sha256.ts";

/** The leaves of a table in the order of their addresses. */
export class FoundLeaves {
  readonly #listed: ListedEntries | null;
  readonly #runs: LeafRuns = new LeafRuns();
  readonly #digest: Sha256 = new Sha256();
  #count = 0;

  /** @param listed - single entries `[va, level, desc]` and runs of them; undefined where the case leaves them out */
  constructor(listed: readonly unknown[] | undefined) {
    this.#listed = listed === undefined ? null : new ListedEntries(listed, runOf);
  }

  /** Leaves so far. */
  get count(): number {
    return this.#count;
  }

  /**
   * The next leaf.
   *
   * @param va - first virtual address that it translates (bytes)
   * @param level - its level
   * @param lo - low half of the descriptor, signed
   * @param hi - high half
   */
  take(va: number, level: number, lo: number, hi: number): void {
    this.#count++;
    if (this.#listed === null) this.#runs.take(va, level, lo, hi);
    else this.#listed.take(va, level, lo, hi, false);
    const digest = this.#digest;
    digest.hex(Math.floor(va / 2 ** 32), va >>> 0);
    digest.text(` ${level} `);
    digest.hex(hi, lo);
    digest.text("\n");
  }

  /**
   * @param runsListed - runs that a list has at most; with more of them a case may leave it out
   * @returns the first difference from the list, or null
   * @throws DrmError EINVAL where a list is left out that would be short
   */
  compare(runsListed: number): Mismatch | null {
    const { runs } = this.#runs;
    if (this.#listed === null) {
      return runs > runsListed ? null : fail(EINVAL, `ptes: is missing: the leaves are ${runs} runs`);
    }
    const found = this.#listed.difference();
    if (found === null) return mismatch("ptes.length", this.#listed.met, this.#count);
    const got = found.got === null ? undefined : inWords(found.got);
    return { field: `ptes[${found.item}]+${found.nth}`, expected: inWords(found.expected), got };
  }

  /** @returns the digest of a line each, `va level entry`, as cases state it; nothing may be taken any more */
  digest(): string {
    return this.#digest.digest();
  }
}

function runOf(item: unknown): ListedRun {
  if (Array.isArray(item)) {
    const [va, level, entry] = item as [string, number, string];
    return { va, level, entry, compact: false, count: 1, strideVa: "0x0", strideEntry: "0x0" };
  }
  const run = item as Record<"va" | "desc" | "stride_va" | "stride_pa", string> &
    Record<"level" | "count", number>;
  const { va, level, desc, count, stride_va: strideVa, stride_pa: strideEntry } = run;
  return { va, level, entry: desc, compact: false, count, strideVa, strideEntry };
}

function inWords({ va, level, entry }: TableEntry): string {
  return `${va.toString(16)} ${level} ${entry.toString(16)}`;
}

/** Runs of leaves at even distances in address and entry, each as long as can be. */
class LeafRuns {
  /** How many there are. */
  runs = 0;
  #length = 0;
  #va = 0;
  #level = 0;
  #lo = 0;
  #hi = 0;
  #strideVa = 0;
  #strideLo = 0;
  #strideHi = 0;

  /** The next leaf. */
  take(va: number, level: number, lo: number, hi: number): void {
    const strideVa = va - this.#va;
    const strideLo = (lo - this.#lo) | 0;
    const strideHi = (hi - this.#hi - (lo >>> 0 < this.#lo >>> 0 ? 1 : 0)) | 0;
    const begins = this.#length === 0 || level !== this.#level;
    const follows = strideVa === this.#strideVa && strideLo === this.#strideLo && strideHi === this.#strideHi;
    if (begins || (this.#length > 1 && !follows)) {
      this.runs++;
      this.#length = 0;
    }
    this.#length++;
    this.#va = va;
    this.#level = level;
    this.#lo = lo;
    this.#hi = hi;
    this.#strideVa = strideVa;
    this.#strideLo = strideLo;
    this.#strideHi = strideHi;
  }
}
