/**
 * The checks of this package's vector formats.
 *
 * @module
 */

import { closed, type VectorCheck } from "@vmbind/drm/conformance";
import { checkArgs } from "./conformance/args.ts";
import { ARGS_CASE, VM_CASE } from "./conformance/shapes.ts";
import { checkVm } from "./conformance/vm.ts";

/** Checks by format name. */
export const vectorChecks: Readonly<Record<string, VectorCheck>> = {
  "amdgpu-vm": closed(VM_CASE, checkVm),
  "amdgpu-va-args": closed(ARGS_CASE, checkArgs),
};
