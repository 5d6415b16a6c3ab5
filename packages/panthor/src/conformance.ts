/**
 * Checks of the vector formats that the real Panthor and io-pgtable code was recorded in.
 *
 * @module
 */

import type { VectorCheck } from "@vmbind/gpuvm-core/conformance";
import { checkPageTable } from "./conformance/page-table.ts";
import { checkUnit } from "./conformance/units.ts";

/** Checks by the `format` of a vector file's header. */
export const vectorChecks: Readonly<Record<string, VectorCheck>> = {
  "panthor-pgtable": checkPageTable,
  "panthor-units": checkUnit,
};
