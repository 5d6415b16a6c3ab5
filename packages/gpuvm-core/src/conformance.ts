/**
 * How a conformance vector is held against the model, and the checks of this package's formats.
 *
 * @module
 */

import type { VectorCheck } from "./conformance/check.ts";
import { checkLookup } from "./conformance/lookup.ts";
import { checkRefs } from "./conformance/refs.ts";
import { checkRepeatHazards, checkSteps } from "./conformance/steps.ts";

export type { Mismatch, VectorCheck, VectorHeader } from "./conformance/check.ts";
export { mismatch, u64Of } from "./conformance/check.ts";

/** Checks by the `format` of a vector file's header. */
export const vectorChecks: Readonly<Record<string, VectorCheck>> = {
  "gpuvm-steps": checkSteps,
  "gpuvm-repeat-hazards": checkRepeatHazards,
  "gpuvm-lookup": checkLookup,
  "gpuvm-refs": checkRefs,
};
