/** The answers to "how does user space say that a range is sparse?", as far as a page shows them. */

import { EXAMPLE_STRATEGY, SPARSE_STRATEGIES } from "@vmbind/lab";

/** One of them. */
export interface StrategyRow {
  /** In kebab-case; begins with the driver's. */
  readonly name: string;
  /** Its driver. */
  readonly driver: string;
  /** In a few words. */
  readonly says: string;
  /** Whether it is the one that examples are made with. */
  readonly isExample: boolean;
  /** Colours in charts, `#rrggbb`, on light and on dark paper. */
  readonly look: { readonly light: string; readonly dark: string };
}

/** @returns all of the table, most operations first */
export function sparseStrategies(): StrategyRow[] {
  return SPARSE_STRATEGIES.map((row) => ({
    name: row.name,
    driver: row.driver,
    says: row.says,
    isExample: row === EXAMPLE_STRATEGY,
    look: { light: row.look.light, dark: row.look.dark },
  }));
}
