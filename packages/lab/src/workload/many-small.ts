/**
 * many-small: buffers of 1 to 64 MiB come and go, nothing is ever bound. What a strategy costs per resource.
 *
 * @module
 */

import type { Step, Workload } from "./workload.ts";
import { draws } from "./xorshift.ts";

const MIB = 2 ** 20;

/** How many buffers. */
export interface ManySmallOptions {
  /** Buffers in all; 500 unless told. */
  buffers?: number;
  /** Most buffers at a time; 64 unless told. */
  aliveMax?: number;
}

/**
 * The workload.
 *
 * @param seed - of the draws
 * @param options - counts other than those of the recordings
 */
export function manySmall(seed: number, options: ManySmallOptions = {}): Workload {
  const { buffers = 500, aliveMax = 64 } = options;
  return {
    name: "many-small",
    description: `${buffers} buffers of 1 to 64 MiB created and destroyed, at most ${aliveMax} at a time, nothing bound`,
    seed,
    steps() {
      const draw = draws(seed);
      const steps: Step[] = [];
      const alive: string[] = [];
      for (let made = 0; made < buffers || alive.length > 0; ) {
        if (made < buffers && (alive.length === 0 || (alive.length < aliveMax && draw(8) < 5))) {
          const resource = `buffer-${made++}`;
          steps.push({ step: "create", resource, size: drawSize(draw) });
          alive.push(resource);
        } else {
          const pick = draw(alive.length);
          steps.push({ step: "destroy", resource: alive[pick] as string });
          alive[pick] = alive[alive.length - 1] as string;
          alive.pop();
        }
      }
      steps.push({ step: "wait-idle" });
      return steps;
    },
  };
}

function drawSize(draw: (below: number) => number): number {
  const size = (1 + draw(64)) * MIB;
  return draw(2) === 1 ? Math.max(size - draw(MIB), MIB) : size;
}
