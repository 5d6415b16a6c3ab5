/**
 * What the memory of the kernel's dummy object makes of one MAP_SPARSE: one aligned 2 MiB page, or pages that are
 * scattered.
 *
 * @module
 */

import type { QuirkProfile } from "@vmbind/drm";
import { PanthorDevice } from "@vmbind/panthor";
import type { DummyExperiment } from "../../experiments/result.ts";
import { sweepSequential } from "../../measure/tlb-sweep.ts";
import { THREAD_BYTES } from "../../semantics/probe.ts";
import { mustIssue } from "../../strategy/calls.ts";
import { DEFAULT_KERNEL } from "../../strategy/kernel.ts";
import { openPanvkVm } from "./session.ts";

const VA = 2 ** 30;

/**
 * @param kernel - which defects the driver has
 * @returns the same request with each kind of dummy
 */
export function mapOverDummies(kernel: QuirkProfile = DEFAULT_KERNEL): DummyExperiment[] {
  return [mapSparse("huge", kernel), mapSparse("scattered", kernel)];
}

function mapSparse(dummy: DummyExperiment["dummy"], kernel: QuirkProfile): DummyExperiment {
  const device = new PanthorDevice({ dummyFragmentation: dummy, quirks: kernel });
  const file = device.open();
  const { vm, umd } = openPanvkVm(file, "sparse");
  const before = { ...device.counters };
  for (const call of umd.create(VA, THREAD_BYTES)) mustIssue(file, call);
  const { pteWrites, tablesAllocated, ioMapCalls } = device.counters;
  return {
    dummy,
    pteWrites: pteWrites - before.pteWrites,
    tablesAllocated: tablesAllocated - before.tablesAllocated,
    ioMapCalls: ioMapCalls - before.ioMapCalls,
    sequential: sweepSequential(vm.addressSpace, VA, THREAD_BYTES),
  };
}
