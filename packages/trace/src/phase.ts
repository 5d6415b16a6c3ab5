/**
 * What a client is doing between two marks of a trace.
 *
 * @module
 */

/** The phases, in the order of tables. `run` is a trace without phase marks (the kernel tests). */
export const PHASES = [
  "setup",
  "create",
  "memory",
  "bind",
  "wait-idle",
  "destroy",
  "free",
  "teardown",
  "run",
] as const;

/** One of {@link PHASES}. */
export type Phase = (typeof PHASES)[number];

const BY_MARK: ReadonlyMap<string, Phase> = new Map<string, Phase>([
  ["instance-create", "setup"],
  ["device-create", "setup"],
  ["create", "create"],
  ["requirements", "create"],
  ["alloc-pool", "memory"],
  // The client allocates the memory of the mip tail at this mark and binds it at the next one.
  ["bind-mip-tail", "memory"],
  ["bind-sparse", "bind"],
  ["wait-idle", "wait-idle"],
  ["destroy", "destroy"],
  ["free-pool", "free"],
  ["device-destroy", "teardown"],
]);

/**
 * The phase that begins with a mark.
 *
 * @param mark - text of the mark; what follows the first blank is detail
 * @param current - the phase so far
 * @returns the new phase, or `current` for marks that change nothing (`exec`, `step=3 x=1 y=2`, ...)
 */
export function phaseAfter(mark: string, current: Phase): Phase {
  const blank = mark.indexOf(" ");
  return BY_MARK.get(blank < 0 ? mark : mark.slice(0, blank)) ?? current;
}
