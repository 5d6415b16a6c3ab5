/**
 * Checks of the vector formats that the real msm code was recorded in.
 *
 * @module
 */

import { closed, type TraceFormat, type VectorCheck } from "@vmbind/gpuvm-core/conformance";
import { TRACE_COSTS_CASE, UAPI_CASE, UNITS_CASE, VMBIND_CASE } from "./conformance/shapes.ts";
import { checkTraceCosts } from "./conformance/trace-costs.ts";
import { checkUapi } from "./conformance/uapi.ts";
import { checkUnit } from "./conformance/units.ts";
import { checkVmBind } from "./conformance/vm-bind.ts";

/** Checks by the `format` of a vector file's header. */
export const vectorChecks: Readonly<Record<string, VectorCheck>> = {
  "msm-vmbind": closed(VMBIND_CASE, checkVmBind),
  "msm-uapi": closed(UAPI_CASE, checkUapi),
  "msm-units": closed(UNITS_CASE, checkUnit),
};

/** Checks of cases that name a recording, by the `format` of a vector file's header. */
export const traceFormats: Readonly<Record<string, TraceFormat>> = {
  "msm-trace-costs": { shape: TRACE_COSTS_CASE, check: checkTraceCosts },
};
