/**
 * Defects of the real driver, each under a name. The model is right by default; a quirk makes it as wrong as the driver
 * (the downstream asahi driver, branches of 2025) is.
 *
 * @module
 */

import { type Quirks, type QuirkTable, quirksOf } from "@vmbind/drm";

/** Names of the driver's quirks, see {@link QUIRKS}. */
export type AsahiQuirk = "packedOps" | "emptyRanges" | "stuckTlbiStart" | "foreignPrivateObjects";

/** Which quirks a device has. */
export type AsahiQuirks = Quirks<AsahiQuirk>;

/** The driver's quirks: what differs, what the model does without it, where it was found. */
export const QUIRKS: QuirkTable<AsahiQuirk> = {
  packedOps: {
    text: "The op array is read as if its records were packed: after a record the read position advances by min(32, stride), so that with a stride above 32 the second and later ops come from the wrong place; and the byte count of the array is a 32-bit product, which wraps.",
    off: "Record i stands at `stride * i`, as the uAPI text promises.",
    origin: "the downstream asahi driver",
    profiles: ["linux-7.3"],
  },
  emptyRanges: {
    text: "A range of 0 is not refused: a plain bind makes a mapping without length, and bind and unbind alike cut in two a mapping that strictly contains the address. VM_DESTROY does not meet one at an end of the window or of the kernel range, and it keeps the VM for ever.",
    off: "EINVAL.",
    origin: "the downstream asahi driver",
  },
  stuckTlbiStart: {
    text: "In the TLB invalidation of a range above 32 GiB every instruction names the same first page, so that translations behind the first 32 GiB stay.",
    off: "The start advances.",
    origin: "the downstream asahi driver",
    profiles: ["linux-7.3"],
  },
  foreignPrivateObjects: {
    text: "A VM_PRIVATE object can be bound into another VM than its own.",
    off: "EINVAL.",
    origin: "the downstream asahi driver",
  },
};

/** Every quirk off: the model does the right thing. */
export const NO_QUIRKS: Readonly<AsahiQuirks> = quirksOf(QUIRKS);

/** What the downstream asahi driver (branches of 2025) does. */
export const DRIVER_QUIRKS: Readonly<AsahiQuirks> = quirksOf(QUIRKS, () => true);
