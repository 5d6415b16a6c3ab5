/**
 * Which page-table leaves a call changed: the leaves of the ranges that it names, before and after.
 *
 * @module
 */

import { size, span } from "@vmbind/drm";
import { type AddressSpace, leaves } from "@vmbind/mmu";
import { allowed, type Budgets, STORY_BUDGETS } from "../budget.ts";

/** A range of addresses. */
export interface Range {
  /** First byte. */
  addr: number;
  /** Behind the last byte. */
  end: number;
}

/** Leaves of one size and kind, side by side, that share a fate. */
export interface LeafRun {
  /** What happened to them. */
  change: "+" | "-" | "~";
  /** First VA. */
  addr: number;
  /** Behind the last VA. */
  end: number;
  /** Bytes of one leaf. */
  sizeBytes: number;
  /** Whether they have memory. */
  kind: "page" | "null";
  /** How many. */
  count: number;
}

interface Leaf {
  sizeBytes: number;
  kind: "page" | "null";
  entry: bigint;
}

/** Drivers rewrite up to a whole 2 MiB chunk around a cut. */
const CHUNK = 0x200000;

/** What stands in place of changes where there was more to look at than the budget allows. */
export const NOT_LOOKED_AT = "not looked at: more leaves than the budget; --budget leaves=N allows more";

/** A whole trace may use so many times what one call may. */
const CALLS = 16;

/** How many leaves may be looked at while a trace is told. */
export class LeafBudget {
  readonly #callMax: number;
  #left: number;

  /** @param budgets - amounts other than the standard ones */
  constructor(budgets?: Budgets) {
    this.#callMax = allowed(STORY_BUDGETS.leaves, budgets);
    this.#left = this.#callMax * CALLS;
  }

  /**
   * @param space - whose tables
   * @param ranges - which addresses
   * @returns their leaves, as far as the budget goes
   */
  snapshot(space: AddressSpace, ranges: readonly Range[]): LeafSnapshot {
    const most = Math.min(this.#callMax, this.#left);
    const snapshot = new LeafSnapshot(space, ranges, most);
    this.#left -= snapshot.leafCount ?? most;
    return snapshot;
  }
}

/** The leaves of some ranges at one moment. */
export class LeafSnapshot {
  /** How many there are; null for more than are looked at. */
  readonly leafCount: number | null;
  readonly #space: AddressSpace;
  readonly #ranges: Range[];
  readonly #leaves: Map<number, Leaf>;
  readonly #most: number;

  /**
   * @param space - whose tables
   * @param ranges - which addresses; widened to whole chunks and whole leaves
   * @param most - leaves that are looked at; any number unless given
   */
  constructor(space: AddressSpace, ranges: readonly Range[], most: number = Number.POSITIVE_INFINITY) {
    this.#space = space;
    this.#most = most;
    const chunks = merge(
      ranges.map(({ addr, end }) => ({
        addr: Math.floor(addr / CHUNK) * CHUNK,
        end: Math.ceil(end / CHUNK) * CHUNK,
      })),
    );
    const found = list(space, chunks, most);
    this.leafCount = found?.size ?? null;
    this.#leaves = found ?? new Map();
    // A leaf that sticks out is split as a whole.
    const whole = [...this.#leaves].map(([va, { sizeBytes }]) => ({ addr: va, end: va + sizeBytes }));
    this.#ranges = merge([...chunks, ...whole.filter((l) => chunks.some((c) => sticksOut(l, c)))]);
  }

  /**
   * What has changed since.
   *
   * @returns runs in ascending order; null where there are more leaves than are looked at
   */
  changes(): LeafRun[] | null {
    const now = this.leafCount === null ? null : list(this.#space, this.#ranges, this.#most);
    if (now === null) return null;
    const runs: LeafRun[] = [];
    const add = (change: LeafRun["change"], addr: number, { sizeBytes, kind }: Leaf): void => {
      const last = runs.findLast((run) => run.change === change);
      if (last && last.end === addr && last.sizeBytes === sizeBytes && last.kind === kind) {
        last.end += sizeBytes;
        last.count++;
      } else {
        runs.push({ change, addr, end: addr + sizeBytes, sizeBytes, kind, count: 1 });
      }
    };
    for (const va of [...new Set([...this.#leaves.keys(), ...now.keys()])].sort((a, b) => a - b)) {
      const old = this.#leaves.get(va);
      const fresh = now.get(va);
      if (old && fresh && old.sizeBytes === fresh.sizeBytes) {
        if (old.entry !== fresh.entry) add("~", va, fresh);
        continue;
      }
      if (old) add("-", va, old);
      if (fresh) add("+", va, fresh);
    }
    return runs;
  }
}

/**
 * A run in words.
 *
 * @param run - the run
 * @returns `+ 47 x 2 MiB [0x..., 0x...)`
 */
export function describeRun({ change, addr, end, sizeBytes, kind, count }: LeafRun): string {
  return `${change} ${count} x ${size(sizeBytes)}${kind === "null" ? " null" : ""} ${span(addr, end - addr)}`;
}

function list(space: AddressSpace, ranges: readonly Range[], most: number): Map<number, Leaf> | null {
  const found = new Map<number, Leaf>();
  for (const { addr, end } of ranges) {
    for (const leaf of leaves(space.memory, space.format, space.root, { start: addr, end })) {
      if (found.size >= most) return null;
      found.set(leaf.va, leaf);
    }
  }
  return found;
}

function merge(ranges: readonly Range[]): Range[] {
  const merged: Range[] = [];
  for (const { addr, end } of [...ranges].sort((a, b) => a.addr - b.addr)) {
    const last = merged.at(-1);
    if (last && addr <= last.end) last.end = Math.max(last.end, end);
    else merged.push({ addr, end });
  }
  return merged;
}

function sticksOut(leaf: Range, chunk: Range): boolean {
  const meets = leaf.addr < chunk.end && chunk.addr < leaf.end;
  return meets && (leaf.addr < chunk.addr || leaf.end > chunk.end);
}
