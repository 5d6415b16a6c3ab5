/**
 * Who holds what because of one sparse resource, and how often TLBs are told: a resource is created, a block bound and unbound, and
 * the resource destroyed, on a fresh device.
 */

import {
  type AccountingFigures,
  type AccountingMoment,
  account,
  sparseStrategy,
  startRun,
} from "@vmbind/lab";

/** What is asked. */
export interface BooksRequest {
  /** How sparse is said. */
  readonly strategy: string;
  /** Of the resource. */
  readonly bytes: number;
}

/** What was found. */
export interface Books {
  /** Who holds what at each moment. */
  readonly moments: readonly AccountingMoment[];
  /** What the resource alone is the cause of. */
  readonly sparse: AccountingFigures;
  /** What is left of it when it was destroyed. */
  readonly left: AccountingFigures;
  /** TLB invalidations of each thing that was done. */
  readonly invalidations: readonly {
    readonly did: "create" | "bind" | "unbind" | "destroy";
    readonly count: number;
  }[];
}

/**
 * @param request - a strategy, and how large the resource is
 * @returns the books
 * @throws RefusedError where the driver refuses it, RangeError for a strategy that is in no table
 */
export async function keepBooks({ strategy, bytes }: BooksRequest): Promise<Books> {
  const row = sparseStrategy(strategy);
  const { moments, sparse, left } = await account(row, bytes);
  const run = await startRun(row);
  const block = row.blockBytes;
  const offset = Math.floor(bytes / 2 / block) * block;
  const binds = (object: string | null) => [
    { offset, size: block, memory: object === null ? null : { object, offset: 0 } },
  ];
  const told = (): number => run.total["tlbInvalidations"] ?? 0;
  run.perform({ step: "allocate", memory: "memory", size: block });
  const invalidations = (
    [
      ["create", () => run.perform({ step: "create", resource: "buffer", size: bytes })],
      ["bind", () => run.perform({ step: "bind", resource: "buffer", binds: binds("memory") })],
      ["unbind", () => run.perform({ step: "bind", resource: "buffer", binds: binds(null) })],
      ["destroy", () => run.perform({ step: "destroy", resource: "buffer" })],
    ] as const
  ).map(([did, perform]) => {
    const before = told();
    perform();
    run.session.beforeAccess?.();
    return { did, count: told() - before };
  });
  return { moments, sparse, left, invalidations };
}
