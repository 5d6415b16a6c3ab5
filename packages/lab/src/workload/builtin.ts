/**
 * The workloads that come with the program.
 *
 * @module
 */

import type { Budgets } from "@vmbind/trace";
import { bufferStream } from "./buffer-stream.ts";
import { imageMips } from "./image-mips.ts";
import { manySmall } from "./many-small.ts";
import { type ParametricOptions, parametric } from "./parametric.ts";
import type { Workload } from "./workload.ts";

/** A workload that comes with the program. */
export interface BuiltinWorkload {
  /** In a few words. */
  says: string;
  /** Whether its size may be chosen. */
  sized: boolean;
  /**
   * Make it.
   *
   * @param seed - of the draws
   * @param size - bytes of each resource; undefined for the usual ones
   * @param budgets - amounts of work that a chosen size may ask for, other than the standard ones
   */
  make(seed: number, size: number | undefined, budgets?: Budgets): Workload;
}

function withKnobs(name: string, says: string, knobs: ParametricOptions): [string, BuiltinWorkload] {
  return [
    name,
    {
      says,
      sized: true,
      make: (seed, size, budgets) =>
        parametric(name, seed, size === undefined ? knobs : { ...knobs, size }, budgets),
    },
  ];
}

/** The workloads that come with the program, by name. */
export const BUILTIN_WORKLOADS: ReadonlyMap<string, BuiltinWorkload> = new Map<string, BuiltinWorkload>([
  [
    "buffer-100e6",
    {
      says: "a buffer of 100,000,000 bytes, nothing bound",
      sized: false,
      make: (seed) => {
        const steps = parametric("buffer-100e6", seed, { size: 100_000_000, bound: 0 }).steps;
        return {
          name: "buffer-100e6",
          description: "one buffer of 100,000,000 bytes, nothing bound",
          seed,
          steps,
        };
      },
    },
  ],
  [
    "buffer-stream",
    {
      says: "2000 random binds and unbinds in a buffer of 1 GiB",
      sized: true,
      make: (seed, size) => bufferStream(seed, size === undefined ? {} : { bufferBytes: size }),
    },
  ],
  [
    "many-small",
    {
      says: "500 buffers of 1 to 64 MiB come and go, nothing bound",
      sized: false,
      make: (seed) => manySmall(seed),
    },
  ],
  [
    "image-mips",
    {
      says: "an image with mips and layers: tails, tiles, and half of the largest mips again unbound",
      sized: false,
      make: (seed) => imageMips(seed),
    },
  ],
  withKnobs("unbound", "a buffer of 64 MiB, nothing bound", { bound: 0 }),
  withKnobs("sequential", "the first quarter of a buffer of 64 MiB bound in tiles of 64 KiB", {}),
  withKnobs("random", "a quarter of a buffer of 64 MiB bound in tiles of 64 KiB, in random order", {
    order: "random",
  }),
  withKnobs("window", "a bound window moves through a buffer of 64 MiB", { order: "window" }),
]);
