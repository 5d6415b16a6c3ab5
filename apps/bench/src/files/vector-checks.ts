/**
 * The checks of vector formats, each driver's imported when a file of it comes: all six would be half of what a short file costs.
 *
 * @module
 */

import { type QuirkProfile, RECORDED_PROFILE } from "@vmbind/drm";
import type { TraceFormat, VectorCheck } from "@vmbind/gpuvm-core/conformance";
import { BENCH_DRIVERS, type BenchDriver } from "../drivers/table.ts";

/** The check of a format: of cases that stand for themselves, or that name a recording. */
export type FormatCheck = (CaseCheck | TraceCaseCheck) & {
  /** The profile of quirks that the model has under it; absent where no driver takes part. */
  quirks?: QuirkProfile;
};

/** Checks cases that stand for themselves. */
interface CaseCheck {
  /** Checks a case. */
  check: VectorCheck;
}

/** Checks cases that name a recording. */
interface TraceCaseCheck {
  /** Their shape and their check. */
  traces: TraceFormat;
}

/** Checks by the format name that vector files carry; a map is one. */
export interface FormatChecks {
  /** The check of a format. */
  get(format: string): FormatCheck | undefined | Promise<FormatCheck | undefined>;
  /** The names of all formats. */
  keys(): Iterable<string> | Promise<Iterable<string>>;
}

/** Every check there is. */
export class VectorChecks implements FormatChecks {
  readonly #known = new Map<string, FormatCheck>();
  /** Drivers whose checks are not among them yet. */
  readonly #left: BenchDriver[] = [...BENCH_DRIVERS];

  /** A driver's formats begin with its name; where they should not, the others are asked one by one. */
  async get(format: string): Promise<FormatCheck | undefined> {
    if (this.#known.size === 0) await this.#addCore();
    while (!this.#known.has(format) && this.#left.length > 0) {
      const named = this.#left.findIndex(({ name }) => format.startsWith(`${name}-`));
      await this.#add(...this.#left.splice(Math.max(0, named), 1));
    }
    return this.#known.get(format);
  }

  async keys(): Promise<Iterable<string>> {
    if (this.#known.size === 0) await this.#addCore();
    await this.#add(...this.#left.splice(0));
    return this.#known.keys();
  }

  async #addCore(): Promise<void> {
    const { vectorChecks } = await import("@vmbind/gpuvm-core/conformance");
    for (const [format, check] of Object.entries(vectorChecks)) this.#known.set(format, { check });
  }

  async #add(...drivers: readonly BenchDriver[]): Promise<void> {
    const quirks = RECORDED_PROFILE;
    for (const { conformance, traceConformance } of drivers) {
      const checks = Object.entries(await conformance());
      for (const [format, check] of checks) this.#known.set(format, { check, quirks });
      const recorded = Object.entries((await traceConformance?.()) ?? {});
      for (const [format, traces] of recorded) this.#known.set(format, { traces, quirks });
    }
  }
}
