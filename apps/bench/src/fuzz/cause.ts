/**
 * What findings have in common: a cause is told once, however many sessions came upon it.
 *
 * Before it is shrunk, a finding is known by the rule that it breaks, the words for it without numbers, and the ioctl that showed it (but
 * for invariants, which are looked at now and then, so that any ioctl may show them). Of those that are alike the first is shrunk. What
 * is left may be alike again, since two ioctls can show one defect: then it needs the same ioctls.
 *
 * @module
 */

import { isEvent, type Step } from "./call.ts";
import type { SessionFinding, Target } from "./session.ts";
import { signature } from "./shrink.ts";
import { specByNumber } from "./spec.ts";

/**
 * @param target - what was fuzzed
 * @param found - a finding as a session came upon it
 * @returns what it is known by before it is shrunk
 */
export function looksLike(target: Target, found: SessionFinding): string {
  const last = found.steps.at(-1);
  const shown = found.finding.kind === "invariant" || last === undefined ? "" : ` ${stepName(target, last)}`;
  return `${target.lens.name} ${signature(found)}${shown}`;
}

/**
 * @param target - what was fuzzed
 * @param small - a finding that was shrunk
 * @returns its cause, in words that mean nothing but that others have the same
 */
export function causeOf(target: Target, small: SessionFinding): string {
  const names = new Set(small.steps.map((step) => stepName(target, step)));
  return `${target.lens.name} ${signature(small)} ${[...names].sort().join(" ")}`;
}

function stepName({ fuzz }: Target, step: Step): string {
  return isEvent(step) ? step.kind : (specByNumber(fuzz.specs, step.request)?.name ?? "UNKNOWN");
}
