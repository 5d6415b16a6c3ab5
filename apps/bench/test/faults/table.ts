/** All faults. A driver's stand in its file. */

import { AMDGPU_FAULTS } from "./amdgpu.ts";
import { ASAHI_FAULTS } from "./asahi.ts";
import type { InjectedFault } from "./inject.ts";
import { MSM_FAULTS } from "./msm.ts";
import { NOUVEAU_FAULTS } from "./nouveau.ts";
import { PANTHOR_FAULTS } from "./panthor.ts";
import { SHARED_FAULTS } from "./shared.ts";
import { XE_FAULTS } from "./xe.ts";

export const FAULTS: readonly InjectedFault[] = [
  ...SHARED_FAULTS,
  ...PANTHOR_FAULTS,
  ...ASAHI_FAULTS,
  ...XE_FAULTS,
  ...MSM_FAULTS,
  ...NOUVEAU_FAULTS,
  ...AMDGPU_FAULTS,
];
