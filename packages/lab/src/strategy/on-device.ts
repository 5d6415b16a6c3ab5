/**
 * A strategy on another GPU than its usual one: a column of its own in a comparison.
 *
 * @module
 */

import type { SparseStrategy } from "./strategy.ts";

/**
 * @param strategy - a strategy
 * @param device - one of its devices
 * @returns the strategy itself for its usual device; else one that runs on this device, with the device in its name
 */
export function onDevice(strategy: SparseStrategy, device: string): SparseStrategy {
  if (device === strategy.devices[0]) return strategy;
  const { name, look, traces, says } = strategy;
  const paler = (colour: string): string => `color-mix(in srgb, ${colour} 55%, gray)`;
  return {
    ...strategy,
    name: `${name}-${device}`,
    says: `${says}; on ${device}`,
    look: { ...look, light: paler(look.light), dark: paler(look.dark) },
    devices: [device],
    // Where a recording of this device ships, it is called so.
    traces: { ...traces, prefix: `${traces.prefix}-${device}` },
    pinned: { of: name, device },
  };
}
