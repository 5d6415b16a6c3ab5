/**
 * Checks of the vector formats that the real Panthor and io-pgtable code was recorded in.
 *
 * @module
 */

import { closed, type VectorCheck } from "@vmbind/gpuvm-core/conformance";
import { checkPageTable } from "./conformance/page-table.ts";
import { PGTABLE_CASE, UNITS_CASE } from "./conformance/shapes.ts";
import { checkUnit } from "./conformance/units.ts";

/** Checks by the `format` of a vector file's header. */
export const vectorChecks: Readonly<Record<string, VectorCheck>> = {
  "panthor-pgtable": closed(PGTABLE_CASE, checkPageTable),
  "panthor-units": closed(UNITS_CASE, checkUnit),
};
