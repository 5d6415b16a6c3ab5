/**
 * What the kernels are that strategies are run on, for those who read figures of them.
 *
 * @module
 */

import type { QuirkProfile } from "@vmbind/drm";

/** What follows a kernel's name and a colon, without a full stop. */
export const KERNELS: Readonly<Record<QuirkProfile, string>> = {
  ideal: "each driver does what its interface means, and what Linux gets wrong is left out",
  "linux-7.3": "Linux 7.3-rc7, with what its drivers get wrong in ordinary use",
  "as-posted-v5":
    "Linux 7.3-rc7 with the REPEAT patches as they were posted last, and what either gets wrong in ordinary use",
};
