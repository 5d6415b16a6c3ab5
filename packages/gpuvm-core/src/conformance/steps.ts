/**
 * Format `gpuvm-steps`, upstream and the proposed build.
 *
 * @module
 */

import type { Mismatch, VectorCheck } from "@vmbind/drm/conformance";
import type { RepeatMode } from "../repeat.ts";
import { VectorVm } from "./model.ts";
import type { Json } from "./step-log.ts";

/** Split and merge sequences. The proposed build's cases have to come out the same under both repaired rule sets. */
export const checkSteps: VectorCheck = (testCase, header) => {
  const proposed = /REPEAT/.test(header.source) || repeats(testCase);
  const modes: RepeatMode[] = proposed ? ["v4-fixed", "phase"] : ["upstream"];
  for (const mode of modes) {
    const found = runCase(testCase, mode);
    if (found) return { ...found, field: `${found.field} (mode ${mode})` };
  }
  return null;
};

/** A request for a repeated mapping: upstream has no such flag, whatever the header calls the build. */
function repeats(testCase: Json): boolean {
  return (testCase["ops"] as Json[]).some(({ flags }) => Array.isArray(flags) && flags.includes("repeat"));
}

function runCase(testCase: Json, repeat: RepeatMode): Mismatch | null {
  const model = new VectorVm(testCase["vm"] as Json, { repeat });
  for (const [i, op] of (testCase["ops"] as Json[]).entries()) {
    const found = model.check(op, "ops", i);
    model.vm.tree.validate();
    if (found) return found;
  }
  return model.checkFinal(testCase["final"]);
}
