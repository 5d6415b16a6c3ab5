/**
 * Defects of the real driver, each under a name. The model is right by default; a quirk makes it as wrong as the driver of
 * Linux 7.3-rc7 is. What ordinary use shows of this driver is how it works, and not a quirk: the hole around a new tile, tables
 * that are thrown away, the address step of 32 bits, UNMAP without a size.
 *
 * @module
 */

import { type Quirks, type QuirkTable, quirksOf } from "@vmbind/drm";

/** Names of the driver's quirks, see {@link QUIRKS}. */
export type AmdgpuQuirk = "forgottenEntries" | "partialRestore";

/** Which quirks a device has. */
export type AmdgpuQuirks = Quirks<AmdgpuQuirk>;

/** The driver's quirks: what differs, what the model does without it, where it was found. */
export const QUIRKS: QuirkTable<AmdgpuQuirk> = {
  forgottenEntries: {
    text: "A mapping whose entries were never brought up to date as a whole is just deleted by UNMAP and by the last GEM_CLOSE, although some of them may be in the tables: page-table entries can outlive their mapping.",
    off: "Such a mapping is cleared like any other, and an object's memory goes back after that.",
    origin: "amdgpu_vm.c, Linux 7.3-rc7",
  },
  partialRestore: {
    text: "After VRAM was lost, entries of mappings that wait for another reason, and those of PRT mappings that had none to write, are not written again.",
    off: "The next submission writes every entry of every table.",
    origin: "amdgpu_vm.c, Linux 7.3-rc7",
  },
};

/** Every quirk off: the model does the right thing. */
export const NO_QUIRKS: Readonly<AmdgpuQuirks> = quirksOf(QUIRKS);

/** What the driver of Linux 7.3-rc7 does. */
export const DRIVER_QUIRKS: Readonly<AmdgpuQuirks> = quirksOf(QUIRKS, () => true);
