/**
 * Fences made of fences.
 *
 * @module
 */

import { Fence, signaledFence } from "@vmbind/drm";

/**
 * @param fences - any
 * @returns one that signals once all of them have; with the first error among them
 */
export function allOf(fences: readonly Fence[]): Fence {
  const [first] = fences;
  if (first !== undefined && fences.length === 1) return first;
  const open = fences.filter((fence) => !fence.signaled);
  if (open.length === 0) return fences.find(({ error }) => error !== 0) ?? signaledFence();
  const all = new Fence();
  let left = open.length;
  for (const fence of open) {
    fence.onSignal(() => {
      if (--left === 0) all.signal(fences.find(({ error }) => error !== 0)?.error ?? 0);
    });
  }
  return all;
}
