/**
 * What nouveau does other than its uAPI promises, each under a name. The model is right by default; a quirk makes it do what
 * the driver of Linux 7.3-rc7 does.
 *
 * @module
 */

import { type Quirks, type QuirkTable, quirksOf } from "@vmbind/drm";

/** Names of the driver's quirks, see {@link QUIRKS}. */
export type NouveauQuirk = "internalOps" | "unreportedKinds" | "unwritten512M";

/** Which quirks a device has. */
export type NouveauQuirks = Quirks<NouveauQuirk>;

/** The driver's quirks: what differs, what the model does without it, where it was found. */
export const QUIRKS: QuirkTable<NouveauQuirk> = {
  internalOps: {
    text: "Ops 2 and 3 of VM_BIND are accepted, and mean MAP and UNMAP of a sparse region, with the flag or without.",
    off: "EINVAL.",
    origin: "`nouveau_uvmm.c`, Linux 7.3-rc7",
    profiles: ["linux-7.3"],
  },
  unreportedKinds: {
    text: "VM_BIND returns 0 for a MAP whose PTE kind the GPU does not have: the mapping is there, and no entry is written for it.",
    off: "EINVAL.",
    origin: "`nouveau_uvmm.c`, Linux 7.3-rc7",
    profiles: ["linux-7.3"],
  },
  unwritten512M: {
    text: "On GH100 objects of 512 MiB and more in VRAM alone have pages of 512 MiB, for which no entry is ever written.",
    off: "They have pages of 2 MiB.",
    origin: "`vmmgh100.c`, Linux 7.3-rc7",
    profiles: ["linux-7.3"],
  },
};

/** Every quirk off: the model does the right thing. */
export const NO_QUIRKS: Readonly<NouveauQuirks> = quirksOf(QUIRKS);
