/**
 * Defects of the real driver (Linux 7.3-rc7), each under a name. The model is right by default; a quirk makes it as wrong
 * as the kernel is. Those that ordinary recordings and vectors show belong to the profile `linux-7.3`.
 *
 * @module
 */

import { type Quirks, type QuirkTable, quirksOf } from "@vmbind/drm";

/** Names of the driver's quirks, see {@link QUIRKS}. */
export type XeQuirk =
  | "faultScratch"
  | "lostRemnant"
  | "countedTwice"
  | "foreignPrivateObjects"
  | "prefetchFirstOnly";

/** Which quirks a device has. */
export type XeQuirks = Quirks<XeQuirk>;

/** The driver's quirks: what differs, what the model does without it, where it was found. */
export const QUIRKS: QuirkTable<XeQuirk> = {
  faultScratch: {
    text: "In a fault-mode VM with scratch, a MAP without IMMEDIATE writes zero leaves and then forgets that it did: a remnant of a split does not know of its zero leaves, so they outlive it, and the first fault counts the entries twice.",
    off: "Zero leaves are remembered, inherited and removed.",
    origin: "Linux 7.3-rc7",
  },
  lostRemnant: {
    text: "A mapping made and split at a 1 GiB boundary by one array leaves a remnant that nobody binds: a mapping without page table entries.",
    off: "Such a remnant is bound.",
    origin: "Linux 7.3-rc7",
    profiles: ["linux-7.3"],
  },
  countedTwice: {
    text: "An array that maps a range and prefetches it stages the mapping twice before it counts as present, and both times its entries are added to num_live: the tables are never taken for empty, and stay when everything in them is unbound.",
    off: "The entries are counted once.",
    origin: "Linux 7.3-rc7",
    profiles: ["linux-7.3"],
  },
  foreignPrivateObjects: {
    text: "An object that was made for one VM can be bound into another: no step of VM_BIND compares the two, although the header forbids it.",
    off: "EINVAL.",
    origin: "Linux 7.3-rc7",
    profiles: ["linux-7.3"],
  },
  prefetchFirstOnly: {
    text: "The region of a PREFETCH reaches only the first mapping of its range; those behind it are brought to system memory, and refused with EINVAL where their object may not live there.",
    off: "Every mapping's object is brought to the region.",
    origin: "Linux 7.3-rc7",
    profiles: ["linux-7.3"],
  },
};

/** Every quirk off: the model does the right thing. */
export const NO_QUIRKS: Readonly<XeQuirks> = quirksOf(QUIRKS);

/** What Linux 7.3-rc7 does. */
export const LINUX_QUIRKS: Readonly<XeQuirks> = quirksOf(QUIRKS, () => true);
