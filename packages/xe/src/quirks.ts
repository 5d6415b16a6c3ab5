/**
 * Defects of the real driver (Linux 7.3.4), each under a name. The model is right by default; a quirk makes it as wrong
 * as the kernel is. Two entries work the other way round: {@link XeQuirks.lostRemnant} and {@link XeQuirks.countedTwice} are on by
 * default, since what an array of operations does depends on them in ordinary use.
 *
 * @module
 */

/** Named deviations. */
export interface XeQuirks {
  /**
   * An unbind of whole root entries that are everything the root holds writes nothing: the page tables keep translating
   * although the mapping is gone. Off: the root entries are cleared.
   */
  rootKill: boolean;
  /**
   * In a fault-mode VM with scratch, a MAP without IMMEDIATE writes zero leaves and then forgets that it did: a remnant
   * of a split does not know of its zero leaves, so they outlive it, and the first fault counts the entries twice. Off:
   * zero leaves are remembered, inherited and removed.
   */
  faultScratch: boolean;
  /**
   * A mapping made and split at a 1 GiB boundary by one array leaves a remnant that nobody binds: a mapping without page
   * table entries. Off: such a remnant is bound.
   */
  lostRemnant: boolean;
  /**
   * An array that maps a range and prefetches it stages the mapping twice before it counts as present, and both times its
   * entries are added to num_live. The tables are then never taken for empty: they stay when everything in them is
   * unbound. Off: the entries are counted once.
   */
  countedTwice: boolean;
}

/** What a device does unless told otherwise. */
export const DEFAULT_QUIRKS: Readonly<XeQuirks> = {
  rootKill: false,
  faultScratch: false,
  lostRemnant: true,
  countedTwice: true,
};

/** What Linux 7.3.4 does. */
export const LINUX_QUIRKS: Readonly<XeQuirks> = {
  rootKill: true,
  faultScratch: true,
  lostRemnant: true,
  countedTwice: true,
};

/** Every quirk off: the model does the right thing. */
export const NO_QUIRKS: Readonly<XeQuirks> = {
  rootKill: false,
  faultScratch: false,
  lostRemnant: false,
  countedTwice: false,
};
