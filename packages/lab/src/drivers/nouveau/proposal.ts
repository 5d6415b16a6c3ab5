/**
 * Strategies of one's own on nouveau: other options of the device, another user-mode driver than nvk.
 *
 * @module
 */

import { Proposal, type ProposalWords, unsaidOf } from "../../strategy/proposal.ts";
import type { NouveauSetup } from "./session.ts";
import { nouveauSparse } from "./sparse.ts";

/** A strategy on nouveau. */
export type NouveauProposal = ProposalWords & Omit<NouveauSetup, "kernel">;

/**
 * @param proposal - its name, what it says, and what differs from what nvk does with the driver of Linux
 * @returns what a module for `--strategy` has to export
 * @throws RangeError naming the member that breaks a rule
 */
export function nouveauStrategy({ options, umd, ...words }: NouveauProposal): Proposal {
  const setup = { ...(options && { options }), ...(umd && { umd }) };
  return new Proposal(
    nouveauSparse,
    words,
    async (_device, kernel) => (await import("./session.ts")).openNvkSession({ ...setup, kernel }),
    unsaidOf(options),
  );
}
