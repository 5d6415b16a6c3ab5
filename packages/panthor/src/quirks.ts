/**
 * Defects of the real code, each under a name. The model is right by default; a quirk makes it as wrong as the kernel, or
 * as the posted REPEAT patch, is. Those of Linux 7.3 are in `panthor_mmu.c`.
 *
 * @module
 */

/** Named deviations, all off unless asked for. */
export interface PanthorQuirks {
  /**
   * Linux 7.3: a cut widens to whole 2 MiB chunks only where the object's pages belong to a huge folio, although small
   * folios that happen to be contiguous are mapped as a block too. The unmap inside the block then fails, the VM becomes
   * unusable, and the operation still returns 0. Off: a cut widens wherever a block is.
   */
  smallFolioBlocks: boolean;
  /**
   * Linux 7.3: after a short unmap, the search for the next mapped page probes from the start of the whole range. Off:
   * it probes from where the unmap stopped.
   */
  recoveryScanFromStart: boolean;
  /**
   * One dummy object for the whole device, as first proposed in the thread: what a process stores to a sparse range,
   * every other process can load from its own sparse ranges. Off: one for each open file, as in Linux 7.3.
   */
  deviceWideDummy: boolean;
  /**
   * REPEAT patch v2..v5: a map that fails at repetition i unmaps R*(i-1) bytes, so one repetition stays mapped. (At
   * i = 0 the product wraps to 2^64 - R; the model then unmaps nothing and counts a kernel warning.) Off: R*i bytes.
   */
  repeatRollback: boolean;
  /**
   * REPEAT patch v2..v5: `bo_repeat_range` need not be a multiple of 4096. Execution then maps nothing, fails with
   * ENOMEM and leaves the VM unusable. Off: EINVAL.
   */
  repeatUnaligned: boolean;
  /**
   * REPEAT patch v2..v4: `bo_repeat_range` 0 with the flag divides by zero in the kernel. The model lets the ioctl fail
   * with EIO and says so: there is no kernel left to return an errno. Off: EINVAL.
   */
  repeatZero: boolean;
  /** REPEAT patch v2..v4: `pad`, and a non-zero `bo_repeat_range` without the flag, are not looked at. Off: EINVAL. */
  repeatIgnoredFields: boolean;
  /**
   * REPEAT patch v2..v5: a mapping is written as floor(size / R) repetitions from its start, so the rest of a piece that
   * a cut left behind is not mapped again. Off: piece by byte, with its phase.
   */
  repeatWholeWindows: boolean;
  /**
   * REPEAT patch v2..v5: what a cut leaves behind of a repeated mapping starts its window anew (hazard H1 of GPUVM), so
   * it shows the wrong bytes wherever it is mapped again. Off: the piece keeps its phase.
   */
  repeatPhaseShift: boolean;
}

/** Every quirk off: the model does the right thing. */
export const NO_QUIRKS: Readonly<PanthorQuirks> = {
  smallFolioBlocks: false,
  recoveryScanFromStart: false,
  deviceWideDummy: false,
  repeatRollback: false,
  repeatUnaligned: false,
  repeatZero: false,
  repeatIgnoredFields: false,
  repeatWholeWindows: false,
  repeatPhaseShift: false,
};

/** What Linux 7.3.4 does, without the REPEAT proposal. */
export const LINUX_QUIRKS: Readonly<PanthorQuirks> = {
  ...NO_QUIRKS,
  smallFolioBlocks: true,
  recoveryScanFromStart: true,
};

/** What the posted REPEAT patch (v4) does on top of Linux 7.3.4. */
export const REPEAT_PATCH_QUIRKS: Readonly<PanthorQuirks> = {
  smallFolioBlocks: true,
  recoveryScanFromStart: true,
  deviceWideDummy: false,
  repeatRollback: true,
  repeatUnaligned: true,
  repeatZero: true,
  repeatIgnoredFields: true,
  repeatWholeWindows: true,
  repeatPhaseShift: true,
};
