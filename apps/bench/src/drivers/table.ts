/**
 * What the command knows of each driver beside what the laboratory knows: one line each, imported when it is used. The
 * order is that of help texts.
 *
 * @module
 */

import type { TraceFormat, VectorCheck } from "@vmbind/gpuvm-core/conformance";
import type { FuzzDriver } from "../fuzz/fuzz-driver.ts";
import type { Scenarios } from "../micro/harness.ts";

/** One driver. */
export interface BenchDriver {
  /** Name, as in the header of traces. */
  name: string;
  /** Checks of its conformance vectors by format name. */
  conformance(): Promise<Readonly<Record<string, VectorCheck>>>;
  /** Checks of vectors that name a recording, by format name. */
  traceConformance?(): Promise<Readonly<Record<string, TraceFormat>>>;
  /** What the fuzzer must know. */
  fuzz(): Promise<FuzzDriver>;
  /** Workloads of `vmbind micro`. */
  micro(): Promise<Scenarios>;
  /** Workloads of the area `mmu`: its page-table code beside the kernel's. */
  microTables?(): Promise<Scenarios>;
}

/** The drivers. */
export const BENCH_DRIVERS: readonly BenchDriver[] = [
  {
    name: "panthor",
    conformance: async () => (await import("@vmbind/panthor/conformance")).vectorChecks,
    fuzz: async () => (await import("./panthor/fuzz.ts")).panthor,
    micro: async () => (await import("./panthor/micro.ts")).panthorScenarios(),
    microTables: async () => (await import("./panthor/micro-tables.ts")).ioPgtableScenarios(),
  },
  {
    name: "asahi",
    conformance: async () => (await import("@vmbind/asahi/conformance")).vectorChecks,
    fuzz: async () => (await import("./asahi/fuzz.ts")).asahi,
    micro: async () => (await import("./asahi/micro.ts")).asahiScenarios(),
  },
  {
    name: "xe",
    conformance: async () => (await import("@vmbind/xe/conformance")).vectorChecks,
    fuzz: async () => (await import("./xe/fuzz.ts")).xe,
    micro: async () => (await import("./xe/micro.ts")).xeScenarios(),
  },
  {
    name: "msm",
    conformance: async () => (await import("@vmbind/msm/conformance")).vectorChecks,
    traceConformance: async () => (await import("@vmbind/msm/conformance")).traceFormats,
    fuzz: async () => (await import("./msm/fuzz.ts")).msm,
    micro: async () => (await import("./msm/micro.ts")).msmScenarios(),
  },
  {
    name: "nouveau",
    conformance: async () => (await import("@vmbind/nouveau/conformance")).vectorChecks,
    fuzz: async () => (await import("./nouveau/fuzz.ts")).nouveau,
    micro: async () => (await import("./nouveau/micro.ts")).nouveauScenarios(),
  },
  {
    name: "amdgpu",
    conformance: async () => (await import("@vmbind/amdgpu/conformance")).vectorChecks,
    traceConformance: async () => (await import("@vmbind/amdgpu/conformance")).traceFormats,
    fuzz: async () => (await import("./amdgpu/fuzz.ts")).amdgpu,
    micro: async () => (await import("./amdgpu/micro.ts")).amdgpuScenarios(),
  },
];

/** Names of the drivers. */
export const DRIVER_NAMES: readonly string[] = BENCH_DRIVERS.map(({ name }) => name);

/**
 * @param name - of a driver
 * @returns what the command knows of it, undefined for another name
 */
export function benchDriver(name: string): BenchDriver | undefined {
  return BENCH_DRIVERS.find((driver) => driver.name === name);
}
