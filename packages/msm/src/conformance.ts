/**
 * Checks of the vector formats that the real msm code was recorded in.
 *
 * @module
 */

import { closed, type VectorCheck } from "@vmbind/gpuvm-core/conformance";
import { UAPI_CASE, UNITS_CASE, VMBIND_CASE } from "./conformance/shapes.ts";
import { checkUapi } from "./conformance/uapi.ts";
import { checkUnit } from "./conformance/units.ts";
import { checkVmBind } from "./conformance/vm-bind.ts";

/** Checks by the `format` of a vector file's header. */
export const vectorChecks: Readonly<Record<string, VectorCheck>> = {
  "msm-vmbind": closed(VMBIND_CASE, checkVmBind),
  "msm-uapi": closed(UAPI_CASE, checkUapi),
  "msm-units": closed(UNITS_CASE, checkUnit),
};
