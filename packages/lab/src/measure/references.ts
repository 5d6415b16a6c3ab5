/**
 * Counting references in a living VM: what its accounts say, not what the rules predict.
 *
 * @module
 */

import type { VmAccounts } from "../strategy/strategy.ts";

/** What one VM is the cause of. */
export interface References {
  /** References to the VM. */
  vmRefs: number;
  /** References to its pairs with objects, together. */
  vmBoRefs: number;
  /** References to the objects that it maps, together. */
  gemRefs: number;
  /** Reservations that a submit locks. */
  submitLocks: number;
}

/**
 * @param accounts - of a VM
 * @returns its references now
 */
export function references(accounts: VmAccounts): References {
  let vmBoRefs = 0;
  let gemRefs = 0;
  for (const gem of accounts.objects()) {
    const pair = accounts.pairOf(gem);
    if (pair === undefined) continue;
    vmBoRefs += pair.refs;
    gemRefs += gem.refs;
  }
  return { vmRefs: accounts.refs, vmBoRefs, gemRefs, submitLocks: accounts.locked().length };
}
