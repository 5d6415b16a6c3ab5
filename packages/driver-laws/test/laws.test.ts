/** Every law, for every driver. A failure of a random run prints its seed; `VMBIND_SEED` runs another one. */

import { describe, test } from "vitest";
import { FAULTS } from "./faults.ts";
import { GPU_VIEW } from "./gpu-view.ts";
import { ISOLATION } from "./isolation.ts";
import { LIFETIME } from "./lifetime.ts";
import { REFUSALS } from "./refusals.ts";
import { SHARING } from "./sharing.ts";
import { SUBJECTS } from "./subjects.ts";

const LAWS = [...GPU_VIEW, ...ISOLATION, ...SHARING, ...LIFETIME, ...REFUSALS, ...FAULTS];

for (const subject of SUBJECTS) {
  describe(subject.name, () => {
    for (const law of LAWS) if (law.when?.(subject) ?? true) test(law.title, () => law.hold(subject));
  });
}
