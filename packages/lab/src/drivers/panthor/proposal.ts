/**
 * Strategies of one's own on panthor: what panvk says of an unbound range, other options of the device, parts of the driver or of the
 * GPU replaced, another user-mode driver.
 *
 * @module
 */

import type { PanvkStrategy } from "@vmbind/panthor";
import { Proposal, type ProposalWords, unsaidOf } from "../../strategy/proposal.ts";
import type { PanthorSetup } from "./session.ts";
import { panthorSparse } from "./sparse.ts";

/** A strategy on panthor. */
export type PanthorProposal = ProposalWords &
  Omit<PanthorSetup, "kernel"> & {
    /**
     * Which of panvk's own strategies it begins with; `sparse` unless told. That decides the driver (1.9; with `repeat` the one that
     * the patches make), the size of an operation, and the object behind unbound ranges: none with `sparse`, a page with `per-page`, 2 MiB
     * with the others.
     */
    readonly like?: PanvkStrategy;
  };

/**
 * @param proposal - its name, what it says, and what differs from what panvk does with the driver of Linux
 * @returns what a module for `--strategy` has to export
 * @throws RangeError naming the member that breaks a rule
 */
export function panthorStrategy(proposal: PanthorProposal): Proposal {
  const { like = "sparse", options, parts, unbound, umd, ...words } = proposal;
  const setup = {
    ...(options && { options }),
    ...(parts && { parts }),
    ...(unbound && { unbound }),
    ...(umd && { umd }),
  };
  return new Proposal(
    panthorSparse,
    words,
    async (_device, kernel) => (await import("./session.ts")).openPanvk(like, { ...setup, kernel }),
    unsaidOf(options, parts),
  );
}
