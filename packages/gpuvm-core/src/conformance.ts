/**
 * How a conformance vector is held against the model, and the checks of this package's formats.
 *
 * @module
 */

import { closed, type VectorCheck } from "@vmbind/drm/conformance";
import { checkRepeatHazards } from "./conformance/hazards.ts";
import { checkLookup } from "./conformance/lookup.ts";
import { checkRefs } from "./conformance/refs.ts";
import { HAZARDS_CASE, LOOKUP_CASE, REFS_CASE, STEPS_CASE } from "./conformance/shapes.ts";
import { checkSteps } from "./conformance/steps.ts";

export * from "@vmbind/drm/conformance";
export { FoundLeaves } from "./conformance/leaves.ts";
export {
  type EntryDifference,
  ListedEntries,
  type ListedRun,
  type TableEntry,
} from "./conformance/listed-entries.ts";
export { sha256 } from "./conformance/sha256.ts";

/** Checks by the `format` of a vector file's header. */
export const vectorChecks: Readonly<Record<string, VectorCheck>> = {
  "gpuvm-steps": closed(STEPS_CASE, checkSteps),
  "gpuvm-repeat-hazards": closed(HAZARDS_CASE, checkRepeatHazards),
  "gpuvm-lookup": closed(LOOKUP_CASE, checkLookup),
  "gpuvm-refs": closed(REFS_CASE, checkRefs),
};
