/**
 * Strategies of one's own on xe: other options of the device, another user-mode driver than anv.
 *
 * @module
 */

import { Proposal, type ProposalWords, unsaidOf } from "../../strategy/proposal.ts";
import { xeNull } from "./null.ts";
import type { XeSetup } from "./session.ts";

/** A strategy on xe. */
export type XeProposal = ProposalWords & Omit<XeSetup, "kernel">;

/**
 * @param proposal - its name, what it says, and what differs from what anv does with the driver of Linux
 * @returns what a module for `--strategy` has to export
 * @throws RangeError naming the member that breaks a rule
 */
export function xeStrategy({ options, umd, ...words }: XeProposal): Proposal {
  const setup = { ...(options && { options }), ...(umd && { umd }) };
  return new Proposal(
    xeNull,
    words,
    async (device, kernel) => (await import("./session.ts")).openAnv(device, { ...setup, kernel }),
    unsaidOf(options),
  );
}
