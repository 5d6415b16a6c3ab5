/** Faults of panthor: dummies, eviction, jobs and their fences, AS slots, the last page of an invalidation. */

import { Syncobj } from "@vmbind/drm";
import { GPUVA_USERBITS_SHIFT, Gpuvm } from "@vmbind/gpuvm-core";
import { Tlb } from "@vmbind/mmu";
import { MAP_READONLY, PanthorDevice, PanthorFile, PanthorVm } from "@vmbind/panthor";
import { AsSlots, BindQueue } from "@vmbind/panthor/internals";
import { around, type InjectedFault, nothing, silent } from "./inject.ts";
import { queueFaults } from "./queue.ts";

const PAGE = 4096;
const drivers = ["panthor"];
const tlb = Tlb.prototype;
const gpuvm = Gpuvm.prototype;

export const PANTHOR_FAULTS: readonly InjectedFault[] = [
  {
    name: "the last page of a range stays in the TLB",
    drivers,
    within: 2000,
    inject() {
      around(tlb, "invalidateRange", tlb.invalidateRange, (_self, real, asid, va, bytes, commands) => {
        if (bytes > PAGE) real(asid, va, bytes - PAGE, commands);
      });
    },
  },
  {
    name: "all files share what lies behind sparse ranges",
    drivers,
    within: 8000,
    inject() {
      const first = new WeakMap<PanthorDevice, ReturnType<PanthorDevice["dummyForFile"]>>();
      around(PanthorDevice.prototype, "dummyForFile", PanthorDevice.prototype.dummyForFile, (self, real) => {
        const shared = first.get(self);
        if (shared !== undefined && shared.refs > 0) return shared.get();
        const made = real();
        first.set(self, made);
        return made;
      });
    },
  },
  {
    name: "what is evicted stays in the page tables",
    drivers,
    within: 4000,
    inject() {
      nothing(PanthorVm.prototype, "evict", PanthorVm.prototype.evict);
    },
  },
  {
    name: "what was evicted does not come back",
    drivers,
    within: 8000,
    inject() {
      nothing(PanthorVm.prototype, "restore", PanthorVm.prototype.restore);
    },
  },
  ...queueFaults(BindQueue, drivers),
  {
    name: "every VM has the same AS slot",
    drivers,
    within: 4000,
    inject() {
      around(AsSlots.prototype, "visit", AsSlots.prototype.visit, (_self, real, vm) => Math.min(1, real(vm)));
    },
  },
  {
    name: "read-only is forgotten",
    drivers,
    within: 2000,
    inject() {
      around(gpuvm, "smMap", gpuvm.smMap, (_self, real, request, steps) => {
        request.flags = (request.flags ?? 0) & ~(MAP_READONLY << GPUVA_USERBITS_SHIFT);
        return real(request, steps);
      });
    },
  },
  {
    name: "a VM that is destroyed keeps what it has",
    drivers,
    within: 2000,
    inject() {
      nothing(PanthorVm.prototype, "destroy", PanthorVm.prototype.destroy);
    },
  },
  {
    name: "an allocation fails without a word",
    drivers,
    within: 8000,
    inject: () => silent(PanthorFile),
  },
  {
    name: "a timeline is taken for a single fence",
    drivers,
    within: 8000,
    inject() {
      around(Syncobj.prototype, "find", Syncobj.prototype.find, (_self, real) => real(0));
    },
  },
];
