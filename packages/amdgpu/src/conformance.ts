/**
 * The checks of this package's vector formats.
 *
 * @module
 */

import { closed, type TraceFormat, type VectorCheck } from "@vmbind/drm/conformance";
import { checkArgs } from "./conformance/args.ts";
import { ARGS_CASE, TRACE_CASE, VM_CASE } from "./conformance/shapes.ts";
import { checkTraceExpect } from "./conformance/trace-expect.ts";
import { checkVm } from "./conformance/vm.ts";

/** Checks by format name. */
export const vectorChecks: Readonly<Record<string, VectorCheck>> = {
  "amdgpu-vm": closed(VM_CASE, checkVm),
  "amdgpu-va-args": closed(ARGS_CASE, checkArgs),
};

/** Checks of vectors that name a recording, by format name. */
export const traceFormats: Readonly<Record<string, TraceFormat>> = {
  "amdgpu-trace-expect": { shape: TRACE_CASE, check: checkTraceExpect },
};
