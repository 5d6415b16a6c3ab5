/**
 * Defects of the real driver, each under a name. The model is right by default; a quirk makes it as wrong as the kernel is.
 *
 * What looks odd and is the interface all the same is no quirk: ranges of 0, arrays of 0, a whole invalidation for each
 * piece that is unmapped, UNCACHED objects that are refused. Vectors show it, and the model does it always.
 *
 * @module
 */

import { type Quirks, type QuirkTable, quirksOf } from "@vmbind/drm";

/** Names of the quirks, see {@link QUIRKS}. */
export type MsmQuirk = "submitTakesBoTable" | "queuesApart";

/** Which quirks a device has. */
export type MsmQuirks = Quirks<MsmQuirk>;

/** The driver's quirks: what differs, what the model does without it, where it was found. */
export const QUIRKS: QuirkTable<MsmQuirk> = {
  submitTakesBoTable: {
    text: "GEM_SUBMIT takes a table of objects also where user space manages the VM, which the header rules out.",
    off: "EINVAL.",
    origin: "Linux 7.3-rc7, `msm_gem_submit.c`",
    profiles: ["linux-7.3"],
  },
  queuesApart: {
    text: "VM_BIND jobs of different queues know nothing of one another: where their ranges overlap, the one whose waits are met first runs first, and the page table may end up with what the earlier ioctl said.",
    off: "Jobs with overlapping ranges run in the order of their ioctls, whatever their queues.",
    origin: "Linux 7.3-rc7, `msm_gem_vma.c`",
  },
};

/** Every quirk off: the model does the right thing. */
export const NO_QUIRKS: Readonly<MsmQuirks> = quirksOf(QUIRKS);
