/**
 * The xe strategy: anv's NULL binds.
 *
 * @module
 */

import type { SparseSession } from "./strategy.ts";

/** @param device - name of a platform */
export function openAnv(device: string): SparseSession {
  throw new Error(`${device}: not yet`);
}
