/**
 * Holds the model against vectors that were taken from the real driver.
 *
 * @packageDocumentation
 */

import { closed, type VectorCheck } from "@vmbind/gpuvm-core/conformance";
import { checkBindArgs } from "./conformance/bind-args.ts";
import { checkPpgtt } from "./conformance/ppgtt.ts";
import { ARGS_CASE, PPGTT_CASE } from "./conformance/shapes.ts";

/** The checks of this package's vector formats, by format name. */
export const vectorChecks: Readonly<Record<string, VectorCheck>> = {
  "xe-ppgtt": closed(PPGTT_CASE, checkPpgtt),
  "xe-vmbind-args": closed(ARGS_CASE, checkBindArgs),
};
