/**
 * Faults of amdgpu, as `inject.ts` makes them: where the mappings say one thing and the page tables another. The
 * simulator's model of pages does not follow amdgpu, so that the invariants have to find them. What those cannot see (a mapping that
 * is wrong itself, tables that are never linked, VRAM whose loss nobody notices) has none here.
 */

import { AmdgpuVm, GcvmPageTable } from "@vmbind/amdgpu";
import { IntervalTree, LeafTree } from "@vmbind/amdgpu/internals";
import { around, type InjectedFault, nothing } from "./inject.ts";

const drivers = ["amdgpu"];
const table = GcvmPageTable.prototype;
const vm = AmdgpuVm.prototype;

export const AMDGPU_FAULTS: readonly InjectedFault[] = [
  {
    name: "a run of pages leaves out its last",
    drivers,
    within: 4000,
    inject() {
      around(table, "write", table.write, (_self, real, first, end, address, lo, hi) =>
        real(first, end > first + 1 ? end - 1 : end, address, lo, hi),
      );
    },
  },
  {
    name: "a run of pages begins one page further in its object",
    drivers,
    within: 4000,
    inject() {
      around(table, "write", table.write, (_self, real, first, end, address, lo, hi) =>
        real(first, end, address + 4096, lo, hi),
      );
    },
  },
  {
    name: "what was never written is taken to have no entries",
    drivers,
    within: 20_000,
    inject() {
      around(LeafTree.prototype, "hasLeaves", LeafTree.prototype.hasLeaves, () => false);
    },
  },
  {
    name: "what is freed is forgotten and not cleared",
    drivers,
    within: 4000,
    inject() {
      around(vm, "update", vm.update, (self, real, boVa) => {
        while (self.space.freedCount > 0) self.space.forgetFreed();
        real(boVa);
      });
    },
  },
  {
    name: "a new mapping is not put into the tree",
    drivers,
    within: 4000,
    inject() {
      nothing(IntervalTree.prototype, "insert", IntervalTree.prototype.insert);
    },
  },
  {
    name: "an object that moved keeps its entries",
    drivers,
    within: 20_000,
    inject() {
      nothing(vm, "invalidate", vm.invalidate);
    },
  },
];
