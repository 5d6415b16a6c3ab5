/**
 * The check of this package's vector format.
 *
 * @module
 */

import { closed, type VectorCheck } from "@vmbind/gpuvm-core/conformance";
import { VM_BIND_CASE } from "./conformance/shapes.ts";
import { checkVmBind } from "./conformance/vmbind.ts";

/** Checks by format name. */
export const vectorChecks: Readonly<Record<string, VectorCheck>> = {
  "nouveau-vmbind": closed(VM_BIND_CASE, checkVmBind),
};
