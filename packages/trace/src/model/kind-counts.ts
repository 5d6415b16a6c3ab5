/**
 * Operations counted by their kind, over a whole trace and over its workload.
 *
 * @module
 */

import type { BindOp } from "../lens.ts";

/** Of one kind. */
interface KindSums {
  ops: number;
  vaBytes: number;
  /** Of the workload only. */
  workloadOps: number;
  workloadVaBytes: number;
}

/** What is known of all kinds, by heading. */
export interface ByKind {
  /** Operations. */
  opsByKind: Record<string, number>;
  /** Bytes of VA that they name. */
  vaBytesByKind: Record<string, number>;
}

/** Counts operations by heading. */
export class KindCounts {
  readonly #sums = new Map<string, KindSums>();
  readonly #headings: ReadonlySet<string>;
  /** Neighbours are mostly of one kind: it is looked up where the kind changes. */
  #heading: string | null = null;
  #current: KindSums = noSums();

  /** @param headings - kinds that are listed though there are none */
  constructor(headings: readonly string[]) {
    this.#headings = new Set(headings);
    for (const heading of headings) this.#sums.set(heading, noSums());
  }

  /**
   * @param ops - of one call
   * @param inWorkload - whether the call is part of the workload
   */
  add(ops: readonly BindOp[], inWorkload: boolean): void {
    for (const { heading, range } of ops) {
      const sums = heading === this.#heading ? this.#current : this.#turnTo(heading);
      sums.ops++;
      sums.vaBytes += range;
      if (!inWorkload) continue;
      sums.workloadOps++;
      sums.workloadVaBytes += range;
    }
  }

  /** @returns the sums of the trace */
  all(): ByKind {
    const kinds = [...this.#sums];
    return {
      opsByKind: Object.fromEntries(kinds.map(([heading, { ops }]) => [heading, ops])),
      vaBytesByKind: Object.fromEntries(kinds.map(([heading, { vaBytes }]) => [heading, vaBytes])),
    };
  }

  /** @returns those of its workload */
  workload(): ByKind {
    const kinds = [...this.#sums].filter(
      ([heading, { workloadOps }]) => workloadOps > 0 || this.#headings.has(heading),
    );
    return {
      opsByKind: Object.fromEntries(kinds.map(([heading, { workloadOps }]) => [heading, workloadOps])),
      vaBytesByKind: Object.fromEntries(
        kinds.map(([heading, { workloadVaBytes }]) => [heading, workloadVaBytes]),
      ),
    };
  }

  #turnTo(heading: string): KindSums {
    let sums = this.#sums.get(heading);
    if (sums === undefined) {
      sums = noSums();
      this.#sums.set(heading, sums);
    }
    this.#heading = heading;
    this.#current = sums;
    return sums;
  }
}

function noSums(): KindSums {
  return { ops: 0, vaBytes: 0, workloadOps: 0, workloadVaBytes: 0 };
}
