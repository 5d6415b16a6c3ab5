/**
 * Closing the files of a device must give everything back.
 *
 * @module
 */

import { snapshot } from "../cost.ts";
import type { OpenDevice } from "../device.ts";
import type { Checker, Report } from "./checker.ts";

/** What a device without open files has none of. */
const LEVELS = ["gpuvasLive", "vmBosLive", "backingBytes"] as const;

/** Something that a device still has. */
export interface Leak {
  /** Name of the counter that says so. */
  readonly counter: string;
  /** Its value. */
  readonly left: number;
}

/**
 * @param device - a device whose files are closed
 * @returns what is left, in words; empty when nothing is
 */
export function leaksOf(device: Pick<OpenDevice, "counters">): Leak[] {
  const left = snapshot(device.counters);
  return LEVELS.flatMap((counter) => (left[counter] ? [{ counter, left: left[counter] }] : []));
}

/** Reports `leak` for each thing that is left. */
export class LeakChecker implements Checker {
  readonly #device: OpenDevice;
  readonly #report: Report;

  /**
   * @param device - the model
   * @param report - takes what is left
   */
  constructor(device: OpenDevice, report: Report) {
    this.#device = device;
    this.#report = report;
  }

  /** See {@link Checker.closed}. */
  closed(): void {
    for (const { counter, left } of leaksOf(this.#device)) {
      this.#report("leak", `${counter} 0 after the file is closed`, String(left));
    }
  }
}
