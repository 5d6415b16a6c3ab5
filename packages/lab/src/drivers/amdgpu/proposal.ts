/**
 * Strategies of one's own on amdgpu: other options of the device, another user-mode driver than radv.
 *
 * @module
 */

import { Proposal, type ProposalWords, unsaidOf } from "../../strategy/proposal.ts";
import { amdgpuPrt } from "./prt.ts";
import type { AmdgpuSetup } from "./session.ts";

/** A strategy on amdgpu. */
export type AmdgpuProposal = ProposalWords & Omit<AmdgpuSetup, "kernel">;

/**
 * @param proposal - its name, what it says, and what differs from what radv does with the driver of Linux
 * @returns what a module for `--strategy` has to export
 * @throws RangeError naming the member that breaks a rule
 */
export function amdgpuStrategy({ options, umd, ...words }: AmdgpuProposal): Proposal {
  const setup = { ...(options && { options }), ...(umd && { umd }) };
  return new Proposal(
    amdgpuPrt,
    words,
    async (device, kernel) => (await import("./session.ts")).openRadvSession(device, { ...setup, kernel }),
    unsaidOf(options),
  );
}
