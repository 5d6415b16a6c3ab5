/**
 * The checks of this package's vector formats.
 *
 * @module
 */

import type { VectorCheck } from "@vmbind/gpuvm-core/conformance";
import { checkPgtable } from "./conformance/pgtable.ts";
import { checkTlbi } from "./conformance/tlbi.ts";
import { checkUapi } from "./conformance/uapi.ts";

/** Checks by format name. */
export const vectorChecks: Readonly<Record<string, VectorCheck>> = {
  "asahi-pgtable": checkPgtable,
  "asahi-tlbi": checkTlbi,
  "asahi-uapi": checkUapi,
};
