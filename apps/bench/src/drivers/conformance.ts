/**
 * The conformance checks of all packages.
 *
 * @module
 */

import type { VectorCheck } from "@vmbind/gpuvm-core/conformance";

/** The packages' conformance checks. */
const CONFORMANCE: readonly (() => Promise<{ vectorChecks: Readonly<Record<string, VectorCheck>> }>)[] = [
  () => import("@vmbind/gpuvm-core/conformance"),
  () => import("@vmbind/panthor/conformance"),
  () => import("@vmbind/asahi/conformance"),
  () => import("@vmbind/xe/conformance"),
];

/** @returns every check by the format name that vector files carry */
export async function vectorChecks(): Promise<ReadonlyMap<string, VectorCheck>> {
  const packages = await Promise.all(CONFORMANCE.map((load) => load()));
  return new Map(packages.flatMap((p) => Object.entries(p.vectorChecks)));
}
