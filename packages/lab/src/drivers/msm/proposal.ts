/**
 * Strategies of one's own on msm: other options of the device, another user-mode driver than turnip.
 *
 * @module
 */

import { Proposal, type ProposalWords, unsaidOf } from "../../strategy/proposal.ts";
import { msmNull } from "./null.ts";
import type { MsmSetup } from "./session.ts";

/** A strategy on msm. */
export type MsmProposal = ProposalWords & Omit<MsmSetup, "kernel">;

/**
 * @param proposal - its name, what it says, and what differs from what turnip does with the driver of Linux
 * @returns what a module for `--strategy` has to export
 * @throws RangeError naming the member that breaks a rule
 */
export function msmStrategy({ options, umd, ...words }: MsmProposal): Proposal {
  const setup = { ...(options && { options }), ...(umd && { umd }) };
  return new Proposal(
    msmNull,
    words,
    async (_device, kernel) => (await import("./session.ts")).openTurnip({ ...setup, kernel }),
    unsaidOf(options),
  );
}
