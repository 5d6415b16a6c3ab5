/**
 * The whole laboratory: workloads under strategies, the semantics matrix, the accounting, the experiments, and what they
 * come down to.
 *
 * @module
 */

import { experiments } from "./experiments/experiments.ts";
import { findings } from "./findings.ts";
import { account } from "./measure/accounting.ts";
import { measure } from "./measure/cost.ts";
import type { LabResult } from "./result.ts";
import { askAll } from "./semantics/semantics.ts";
import type { SparseStrategy } from "./strategy/strategy.ts";
import { SPARSE_STRATEGIES } from "./strategy/table.ts";
import { BUILTIN_WORKLOADS } from "./workload/builtin.ts";
import { manySmall } from "./workload/many-small.ts";
import type { Workload } from "./workload/workload.ts";

const SEED = 1;
/** Of the recorded workload's 500: page by page those would be four million operations. */
const BUFFERS = 40;

function builtin(name: string): Workload {
  const found = BUILTIN_WORKLOADS.get(name);
  if (found === undefined) throw new Error(`no workload ${name}`);
  return found.make(SEED, undefined);
}

/** What is measured unless told. */
export const LAB_WORKLOADS: readonly Workload[] = [
  builtin("buffer-100e6"),
  builtin("buffer-stream"),
  {
    ...manySmall(SEED, { buffers: BUFFERS }),
    name: `many-small-${BUFFERS}`,
  },
  builtin("random"),
];

/** What to run. */
export interface LabOptions {
  /** {@link LAB_WORKLOADS} unless told. */
  workloads?: readonly Workload[];
  /** All unless told. */
  strategies?: readonly SparseStrategy[];
  /** Told what is being done. */
  onProgress?: (text: string) => void;
}

/**
 * Run the laboratory.
 *
 * @param options - see {@link LabOptions}
 * @throws RefusedError when a driver model refuses an ioctl
 */
export async function runLab(options: LabOptions = {}): Promise<LabResult> {
  const { workloads = LAB_WORKLOADS, strategies = SPARSE_STRATEGIES, onProgress = () => {} } = options;
  const data: Omit<LabResult, "findings"> = {
    costs: [],
    semantics: [],
    accounting: [],
    experiments: { dummies: [], arrays: [], postedRepeat: null },
  };
  for (const workload of workloads) {
    for (const strategy of strategies) {
      onProgress(`${workload.name}, ${strategy.name}`);
      data.costs.push(await measure(workload, strategy));
    }
  }
  for (const strategy of strategies) {
    onProgress(`semantics, ${strategy.name}`);
    data.semantics.push(...(await askAll(strategy)));
    data.accounting.push(await account(strategy));
  }
  onProgress("experiments");
  data.experiments = await experiments(strategies);
  return { ...data, findings: findings(data) };
}
