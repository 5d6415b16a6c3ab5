/**
 * Strategies of one's own on asahi: other options of the device, another user-mode driver than hk.
 *
 * @module
 */

import { Proposal, type ProposalWords, unsaidOf } from "../../strategy/proposal.ts";
import type { AsahiSetup } from "./session.ts";
import { asahiSinglePage } from "./single-page.ts";

/** A strategy on asahi. */
export type AsahiProposal = ProposalWords & Omit<AsahiSetup, "kernel">;

/**
 * @param proposal - its name, what it says, and what differs from what hk does with the driver of Linux
 * @returns what a module for `--strategy` has to export
 * @throws RangeError naming the member that breaks a rule
 */
export function asahiStrategy({ options, umd, ...words }: AsahiProposal): Proposal {
  const setup = { ...(options && { options }), ...(umd && { umd }) };
  return new Proposal(
    asahiSinglePage,
    words,
    async (_device, kernel) => (await import("./session.ts")).openHoneykrisp({ ...setup, kernel }),
    unsaidOf(options),
  );
}
