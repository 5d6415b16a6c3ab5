/**
 * Formats `gpuvm-steps` (upstream and the proposed build) and `gpuvm-repeat-hazards`.
 *
 * @module
 */

import { EINVAL, fail } from "@vmbind/drm";
import type { RepeatMode } from "../repeat.ts";
import { type Mismatch, mismatch, type VectorCheck } from "./check.ts";
import { type Json, VectorVm } from "./model.ts";

/** Split and merge sequences. The proposed build's cases have to come out the same under both repaired rule sets. */
export const checkSteps: VectorCheck = (testCase, header) => {
  const modes: RepeatMode[] = /REPEAT/.test(header.source) ? ["v4-fixed", "phase"] : ["upstream"];
  for (const mode of modes) {
    const found = runCase(testCase, mode, "steps", "final");
    if (found) return { ...found, field: `${found.field} (mode ${mode})` };
  }
  return null;
};

/** Cuts that the posted rule gets wrong: mode `phase` has to give the right steps, `v4-fixed` what that build gave. */
export const checkRepeatHazards: VectorCheck = (testCase) => {
  const right = runCase(testCase, "phase", "right_steps", "right_final");
  if (right || testCase["build"] !== "v4+init+slipfix") return right;
  return runCase(testCase, "v4-fixed", "steps", "final");
};

function runCase(testCase: Json, repeat: RepeatMode, steps: string, final: string): Mismatch | null {
  const { ops } = testCase;
  if (!Array.isArray(ops)) return fail(EINVAL, "vector: ops is not a list");
  const model = new VectorVm(testCase["vm"] as Json, { repeat });
  for (const [i, op] of (ops as Json[]).entries()) {
    const got = model.run(op);
    model.vm.tree.validate();
    const found =
      mismatch(`ops[${i}].ret`, op["ret"], got["ret"]) ??
      mismatch(`ops[${i}].steps`, op[steps], got["steps"]) ??
      mismatch(`ops[${i}].insert_failed`, op["insert_failed"] ?? false, got["insert_failed"] ?? false);
    if (found) return found;
  }
  return mismatch(final, testCase[final], model.final());
}
