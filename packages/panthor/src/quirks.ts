/**
 * Defects of the real code, each under a name. The model is right by default; a quirk makes it as wrong as the kernel, or
 * as the posted REPEAT patch, is.
 *
 * @module
 */

import { type Quirks, type QuirkTable, quirksOf } from "@vmbind/drm";

/** Names of the quirks, see {@link QUIRKS}. */
export type PanthorQuirk =
  | "recoveryScanFromStart"
  | "mapsAfterDestroy"
  | "deviceWideDummy"
  | "repeatRollback"
  | "repeatUnaligned"
  | "repeatZero"
  | "repeatIgnoredFields"
  | "repeatWholeWindows"
  | "repeatPhaseShift";

/** Which quirks a device has. */
export type PanthorQuirks = Quirks<PanthorQuirk>;

const LINUX = "Linux 7.3-rc7, `panthor_mmu.c`";
const THREAD = "MAP_SPARSE as first proposed in the thread";
const PATCH = "REPEAT patch v2 to v5";
const PATCH_V4 = "REPEAT patch v2 to v4";

/** The driver's quirks and those of the patch: what differs, what the model does without it, where it was found. */
export const QUIRKS: QuirkTable<PanthorQuirk> = {
  recoveryScanFromStart: {
    text: "After a short unmap, the search for the next mapped page probes from the start of the whole range.",
    off: "It probes from where the unmap stopped.",
    origin: LINUX,
    profiles: ["linux-7.3"],
  },
  mapsAfterDestroy: {
    text: "A MAP that is queued when its VM is destroyed is carried out all the same when its turn comes. Nobody unmaps it any more: mapping, object and VM stay for good.",
    off: "The job fails with EINVAL, and nothing is mapped.",
    origin: LINUX,
  },
  deviceWideDummy: {
    text: "There is one dummy object for the whole device: what a process stores to a sparse range, every other process can load from its own sparse ranges.",
    off: "One for each open file, as in Linux 7.3-rc7.",
    origin: THREAD,
  },
  repeatRollback: {
    text: "A map that fails at repetition i unmaps R*(i-1) bytes, so one repetition stays mapped. (At i = 0 the product wraps to 2^64 - R; the model then unmaps nothing and counts a kernel warning.)",
    off: "R*i bytes.",
    origin: PATCH,
    profiles: ["as-posted-v5"],
  },
  repeatUnaligned: {
    text: "`bo_repeat_range` need not be a multiple of 4096. Execution then maps nothing, fails with ENOMEM and leaves the VM unusable.",
    off: "EINVAL.",
    origin: PATCH,
    profiles: ["as-posted-v5"],
  },
  repeatZero: {
    text: "`bo_repeat_range` 0 with the flag divides by zero in the kernel. The model lets the ioctl fail with EIO and says so: there is no kernel left to return an errno.",
    off: "EINVAL.",
    origin: PATCH_V4,
  },
  repeatIgnoredFields: {
    text: "`pad`, and a non-zero `bo_repeat_range` without the flag, are not looked at.",
    off: "EINVAL.",
    origin: PATCH_V4,
  },
  repeatWholeWindows: {
    text: "A mapping is written as floor(size / R) repetitions from its start, so the rest of a piece that a cut left behind is not mapped again.",
    off: "Piece by byte, with its phase.",
    origin: PATCH,
    profiles: ["as-posted-v5"],
  },
  repeatPhaseShift: {
    text: "What a cut leaves behind of a repeated mapping starts its window anew (hazard H1 of GPUVM), so it shows the wrong bytes wherever it is mapped again.",
    off: "The piece keeps its phase.",
    origin: PATCH,
    profiles: ["as-posted-v5"],
  },
};

/** Every quirk off: the model does the right thing. */
export const NO_QUIRKS: Readonly<PanthorQuirks> = quirksOf(QUIRKS);

/** What Linux 7.3-rc7 does, without the REPEAT proposal. */
export const LINUX_QUIRKS: Readonly<PanthorQuirks> = quirksOf(QUIRKS, ({ origin }) => origin === LINUX);

/** What the posted REPEAT patch (v4) does on top of Linux 7.3-rc7. */
export const REPEAT_PATCH_QUIRKS: Readonly<PanthorQuirks> = quirksOf(
  QUIRKS,
  ({ origin }) => origin !== THREAD,
);
