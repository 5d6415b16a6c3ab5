/**
 * `amdgpu-prt`: radv's PRT mappings, a bit of the page-table entry; and beside them, from GFX10 on, an object of zeros mapped again
 * and again, for scalar loads.
 *
 * @module
 */

import type { SparseStrategy } from "../../strategy/strategy.ts";

/** Bytes of the object of zeros. */
const ZEROS = 2 ** 23;

/** The row. */
export const amdgpuPrt: SparseStrategy = {
  name: "amdgpu-prt",
  driver: "amdgpu",
  umd: "radv",
  shortDriver: "amd",
  says: "a PRT mapping: a bit of the entry; and an object of zeros over and over, for scalar loads",
  repeatsToo:
    "an object of zeros is mapped over and over in a second range, because scalar loads of PRT pages do not reliably read zero",
  look: { light: "#7a5195", dark: "#c3a0dd", marker: "asterisk" },
  resourceBytesMax: 2 ** 36,
  blockBytes: 2 ** 16,
  pageBytes: 2 ** 12,
  devices: ["navi21", "vega10", "navi48"],
  reportsStrict: true,
  traces: { prefix: "amdgpu" },
  // PRT is one operation; the second range takes one for each 8 MiB. Leaves of up to 512 GiB, and at either end of 2 MiB and of 4 KiB.
  workOf: (bytes) => ({
    operations: 2 + Math.ceil(bytes / ZEROS),
    leafEntries: 2 * 1024 + 2 * Math.ceil(bytes / 2 ** 21),
  }),
  note:
    "amdgpu brings page tables up to date at the end of an ioctl for the object of that ioctl only; remnants of other mappings wait for the next " +
    "submission. What that costs is counted when the GPU next reads or writes, as submissionEntries and submissionRangeUpdates. On a Vega 10 " +
    "there is no second range.",
  bindsArrays: false,
  open: async (device, kernel) => (await import("./session.ts")).openRadvSession(device, { kernel }),
};
