/** All drivers and the variants of them that differ in what a law can see. A driver that enters here is tested that day. */

import {
  NO_QUIRKS,
  VM_CREATE_FLAG_FAULT_MODE,
  VM_CREATE_FLAG_LR_MODE,
  VM_CREATE_FLAG_SCRATCH_PAGE,
} from "@vmbind/xe";
import { amdgpuSubject } from "./amdgpu.ts";
import { asahiSubject } from "./asahi.ts";
import { msmSubject } from "./msm.ts";
import { nouveauSubject } from "./nouveau.ts";
import { panthorSubject } from "./panthor.ts";
import type { Subject } from "./subject.ts";
import { xeSubject } from "./xe.ts";

const SCRATCH = VM_CREATE_FLAG_SCRATCH_PAGE;
const LONG_RUNNING = VM_CREATE_FLAG_LR_MODE;
const FAULT_MODE = LONG_RUNNING | VM_CREATE_FLAG_FAULT_MODE;

const viewOnly = (subject: Subject): Subject => ({ ...subject, viewOnly: true });

export const SUBJECTS: readonly Subject[] = [
  panthorSubject("1.9"),
  viewOnly(
    panthorSubject("1.9, scattered pages", { boFragmentation: "scattered", dummyFragmentation: "scattered" }),
  ),
  viewOnly(panthorSubject("1.7, one run", { driverVersion: "1.7", boFragmentation: "contiguous" })),
  panthorSubject("with REPEAT", { repeat: "v5" }),
  viewOnly(panthorSubject("with REPEAT, scattered pages", { repeat: "v5", boFragmentation: "scattered" })),
  asahiSubject("one run", { boFragmentation: "contiguous" }),
  viewOnly(asahiSubject("scattered pages", { boFragmentation: "scattered" })),
  msmSubject("one run", { boFragmentation: "contiguous" }),
  viewOnly(msmSubject("scattered pages", { boFragmentation: "scattered" })),
  nouveauSubject("tu102"),
  viewOnly(nouveauSubject("gh100, scattered pages", { backend: "gh100", boFragmentation: "scattered" })),
  xeSubject("bmg", { platform: "bmg" }),
  xeSubject("dg2 with scratch, scattered pages", {
    platform: "dg2",
    flags: SCRATCH,
    boFragmentation: "scattered",
  }),
  xeSubject("lnl, huge pages", { platform: "lnl", boFragmentation: "huge" }),
  viewOnly(xeSubject("tgl without a TLB", { platform: "tgl", tlb: null })),
  viewOnly(xeSubject("pvc, long-running with scratch", { platform: "pvc", flags: SCRATCH | LONG_RUNNING })),
  xeSubject("bmg in fault mode", { platform: "bmg", flags: FAULT_MODE }),
  viewOnly(xeSubject("bmg in fault mode with scratch", { platform: "bmg", flags: FAULT_MODE | SCRATCH })),
  viewOnly(
    xeSubject("dg2 without scratch, with lost remnants", {
      platform: "dg2",
      forcedScratch: false,
      quirks: { ...NO_QUIRKS, lostRemnant: true },
    }),
  ),
  amdgpuSubject("GFX10, one run"),
  viewOnly(
    amdgpuSubject("GFX9, scattered pages", {
      gfx: "9.0",
      boFragmentation: "scattered",
      vramFragmentation: "scattered",
    }),
  ),
  viewOnly(amdgpuSubject("GFX12, huge pages", { gfx: "12.0", boFragmentation: "huge" })),
];
