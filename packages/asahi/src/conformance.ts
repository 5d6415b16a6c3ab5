/**
 * The checks of this package's vector formats.
 *
 * @module
 */

import { closed, type VectorCheck } from "@vmbind/gpuvm-core/conformance";
import { checkPgtable } from "./conformance/pgtable.ts";
import { PGTABLE_CASE, TLBI_CASE } from "./conformance/shapes.ts";
import { checkTlbi } from "./conformance/tlbi.ts";
import { checkUapi, UAPI_CASE } from "./conformance/uapi.ts";

/** Checks by format name. */
export const vectorChecks: Readonly<Record<string, VectorCheck>> = {
  "asahi-pgtable": closed(PGTABLE_CASE, checkPgtable),
  "asahi-tlbi": closed(TLBI_CASE, checkTlbi),
  "asahi-uapi": closed(UAPI_CASE, checkUapi),
};
