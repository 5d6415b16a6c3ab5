/**
 * The leaves of a table against those that a case lists, one by one or as runs at even distances.
 *
 * @module
 */

import { EINVAL, fail } from "@vmbind/drm";
import { type Mismatch, mismatch, u64Of } from "@vmbind/drm/conformance";
import { Sha256 } from "./sha256.ts";

/** A leaf of a page table; `LeafEntry` of `@vmbind/mmu` is one. */
export interface FoundLeaf {
  /** First virtual address that it translates (bytes). */
  readonly va: number;
  /** Its level. */
  readonly level: number;
  /** The descriptor. */
  readonly entry: bigint;
}

/**
 * @param expected - single entries `[va, level, desc]` and runs of them; undefined where the case leaves them out
 * @param found - the leaves of the table, ascending
 * @param runsListed - runs that a list has at most; with more of them a case may leave it out
 * @returns the first difference, or null
 * @throws DrmError EINVAL where a list is left out that would be short
 */
export function compareLeaves(
  expected: readonly unknown[] | undefined,
  found: readonly FoundLeaf[],
  runsListed: number,
): Mismatch | null {
  if (expected === undefined) {
    const runs = countRuns(found);
    return runs > runsListed ? null : fail(EINVAL, `ptes: is missing: the leaves are ${runs} runs`);
  }
  let at = 0;
  for (const [i, item] of expected.entries()) {
    const run = Array.isArray(item)
      ? { va: item[0], level: item[1], desc: item[2], count: 1, stride_va: "0x0", stride_pa: "0x0" }
      : (item as Record<string, unknown>);
    const strideVa = u64Of(run["stride_va"]);
    const strideEntry = signed(run["stride_pa"] as string);
    const level = run["level"];
    let va = u64Of(run["va"]);
    let entry = BigInt(run["desc"] as string);
    for (let k = 0; k < (run["count"] as number); k++, va += strideVa, entry += strideEntry) {
      const leaf = found[at++];
      if (leaf?.va === va && leaf.level === level && leaf.entry === entry) continue;
      const want = `${va.toString(16)} ${level} ${entry.toString(16)}`;
      const got = leaf && `${leaf.va.toString(16)} ${leaf.level} ${leaf.entry.toString(16)}`;
      return { field: `ptes[${i}]+${k}`, expected: want, got };
    }
  }
  return mismatch("ptes.length", at, found.length);
}

/**
 * @param found - the leaves of a table, ascending
 * @returns the digest of a line each, `va level entry`, as cases state it
 */
export function leavesDigest(found: Iterable<FoundLeaf>): string {
  const digest = new Sha256();
  const halves = new Uint32Array(2);
  const whole = new BigUint64Array(halves.buffer);
  for (const { va, level, entry } of found) {
    digest.hex(Math.floor(va / 2 ** 32), va >>> 0);
    digest.text(` ${level} `);
    whole[0] = entry;
    digest.hex(halves[1] as number, halves[0] as number);
    digest.text("\n");
  }
  return digest.digest();
}

/** Runs of leaves at even distances in address and entry, each as long as can be. */
function countRuns(leaves: readonly FoundLeaf[]): number {
  let runs = 0;
  for (let i = 0; i < leaves.length; runs++) {
    const [first, second] = [leaves[i], leaves[i + 1]] as [FoundLeaf, FoundLeaf | undefined];
    i++;
    if (second === undefined || second.level !== first.level) continue;
    const strideVa = second.va - first.va;
    const stride = second.entry - first.entry;
    for (let last = first; i < leaves.length; i++) {
      const next = leaves[i] as FoundLeaf;
      if (next.level !== last.level || next.va - last.va !== strideVa || next.entry - last.entry !== stride)
        break;
      last = next;
    }
  }
  return runs;
}

/** BigInt reads no sign in front of hex. */
function signed(value: string): bigint {
  return value.startsWith("-") ? -BigInt(value.slice(1)) : BigInt(value);
}
