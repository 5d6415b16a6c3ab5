/**
 * Holds the model against vectors that were taken from the real driver.
 *
 * @packageDocumentation
 */

import type { VectorCheck } from "@vmbind/gpuvm-core/conformance";
import { checkBindArgs } from "./conformance/bind-args.ts";
import { checkPpgtt } from "./conformance/ppgtt.ts";

/** The checks of this package's vector formats, by format name. */
export const vectorChecks: Readonly<Record<string, VectorCheck>> = {
  "xe-ppgtt": checkPpgtt,
  "xe-vmbind-args": checkBindArgs,
};
