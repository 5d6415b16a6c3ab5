/**
 * REPEAT, the proposed extension of GPUVM (LKML, July 2025 to March 2026, never merged): a mapping `[a, e)` with offset o
 * and window w shows byte `o + (x - a + phase) mod w` of its object at address x.
 *
 * Three rules for what a cut leaves behind and for when a request shows the same bytes as what it replaces:
 *
 * | mode | flags in the keep hint | next piece of a repeated mapping |
 * |---|---|---|
 * | `upstream` | not looked at, as in Linux 7.3-rc7 | there is no REPEAT |
 * | `v4-fixed` | all must be equal | offset and window unchanged: wrong bytes when the cut is not at a multiple of w |
 * | `phase` | all must be equal | the phase moves by the length that was cut away: right for every cut |
 *
 * @module
 */

import { EINVAL, fail, remainder } from "@vmbind/drm";
import { GPUVA_REPEAT, type MapRequest } from "./steps.ts";

/** The rule sets that there are, see {@link RepeatMode}. */
export const REPEAT_MODES = ["upstream", "v4-fixed", "phase"] as const;

/** Rule set of a VM, see the module comment. */
export type RepeatMode = (typeof REPEAT_MODES)[number];

/**
 * Check a request's repeat fields (the proposal's rules; a model also refuses what the proposal forgot: a window that
 * does not fit 32 bits, and one without the flag).
 *
 * @param request - the request
 * @param mode - the VM's rule set
 * @returns null when the request is fine, else the reason for -EINVAL
 */
export function repeatProblem(request: MapRequest, mode: RepeatMode): string | null {
  const window = request.gemRange ?? 0;
  if (((request.flags ?? 0) & GPUVA_REPEAT) === 0) {
    return window === 0 ? null : `gem.range: 0x${window.toString(16)} without the REPEAT flag`;
  }
  if (mode === "upstream") return "flags: REPEAT does not exist upstream";
  if (window === 0) return "gem.range: 0 with the REPEAT flag";
  if (!(window < 2 ** 32)) return `gem.range: ${window} does not fit 32 bits`;
  if (request.range < window) return `va.range: 0x${request.range.toString(16)} is shorter than gem.range`;
  if (remainder(request.range, window) !== 0) {
    return `va.range: 0x${request.range.toString(16)} is not a multiple of gem.range`;
  }
  return null;
}

/**
 * Byte of the object that a repeated mapping shows.
 *
 * @param addr - start of the mapping in bytes
 * @param offset - its offset in bytes
 * @param window - its window in bytes, above 0
 * @param phase - its phase in bytes
 * @param va - an address of it
 * @returns byte offset into the object
 */
export function repeatedOffset(
  addr: number,
  offset: number,
  window: number,
  phase: number,
  va: number,
): number {
  if (!(window > 0)) fail(EINVAL, "gem.range: 0 in a repeated mapping");
  return offset + remainder(va - addr + phase, window);
}
